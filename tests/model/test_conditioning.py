"""The encoder in the model: where it starts, what it must not depend on, which of its parts learn."""

from dataclasses import replace

import pytest
import torch

from rnagen.features import RNAFeatures
from rnagen.model.conditioning import EncoderConditioning, freeze_unread, read
from rnagen.model.encoders.blocks import masked_pairs
from rnagen.model.model import RNAFlowModel
from tests.helpers.encoders import KINDS, encoder, encoder_config, model_with_encoder, padded, random_features
from tests.helpers.tiny import TINY, TINY_MODEL

every_kind = pytest.mark.parametrize("kind", KINDS)


def fixed_input(batch: int = 2, length: int = 11) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    x_t = torch.randn(batch, 3, 64, 4, 3, generator=generator)[:, :, :length]
    return x_t, torch.rand(batch, 3, generator=generator)


def predict(model: RNAFlowModel, features: RNAFeatures) -> torch.Tensor:
    context = model.condition(features)
    return model(*fixed_input(*features.bases.shape), context)


@every_kind
def test_training_begins_at_the_model_without_encoder(kind: str) -> None:
    pretrained = encoder(encoder_config(kind))
    torch.manual_seed(1)
    plain = RNAFlowModel(TINY_MODEL).eval()
    torch.manual_seed(1)
    model = RNAFlowModel(TINY_MODEL, pretrained).eval()
    features = random_features(11)
    for name, value in plain.state_dict().items():
        assert torch.equal(model.state_dict()[name], value)
    with torch.no_grad():
        expected, found = plain.condition(features).trunk, model.condition(features).trunk
    assert torch.equal(found.single, expected.single)
    assert torch.equal(found.pair, expected.pair)


@every_kind
def test_the_encoder_acts_once_its_projections_have_moved(kind: str) -> None:
    model, features = model_with_encoder(kind), random_features(11)
    with torch.no_grad():
        before, pair = predict(model, features), model.condition(features).trunk.pair
        model.conditioning.single.weight.zero_()
        assert (predict(model, features) - before).abs().max() > 1e-4
        if kind == "convformer":
            single_alone = model.condition(features).trunk.pair
            model.conditioning.pair.weight.zero_()
            assert (model.condition(features).trunk.pair - single_alone).abs().max() > 1e-3
        else:
            assert model.conditioning.pair is None
    assert pair.shape == (2, 11, 11, TINY_MODEL.pair_dim)


def test_the_mixture_of_layers_is_a_softmax_and_a_scale() -> None:
    """ELMo, eq. 1, written out for one residue."""
    model = encoder(encoder_config("transformer"))
    conditioning = EncoderConditioning(TINY_MODEL, model)
    assert torch.equal(conditioning.layer_weights, torch.full((2,), 0.5))
    with torch.no_grad():
        conditioning.layer_logits.copy_(torch.tensor([0.3, -1.0]))
        conditioning.scale.fill_(1.7)
        conditioning.single.weight.normal_()
        features = random_features(9)
        layers = [layer[0, 4] for layer in model(features).layers]
        weights = torch.tensor([0.3, -1.0]).exp()
        weights = weights / weights.sum()
        normed = [(x - x.mean()) / (x.var(correction=0) + 1e-5).sqrt() for x in layers]
        expected = conditioning.single.weight @ (1.7 * (weights[0] * normed[0] + weights[1] * normed[1]))
        found = conditioning(read(model, features)).single[0, 4]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@every_kind
def test_padding_and_neighbours_change_nothing(kind: str) -> None:
    model, features = model_with_encoder(kind), random_features(11)
    with torch.no_grad():
        plain = predict(model, features)
        longer = padded(features, 6)
        # The base pairs of padding are zero in a batch; the trunk relies on it.
        longer = replace(longer, pair_probabilities=masked_pairs(longer))
        x_t, t = fixed_input(2, 17)
        with_padding = model(x_t, t, model.condition(longer))[:, :, :11]
        first = RNAFeatures(*(value[:1] for value in vars(features).values() if value is not None))
        alone = model(x_t[:1, :, :11], t[:1], model.condition(first))
    torch.testing.assert_close(with_padding, plain, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(alone, plain[:1], atol=1e-4, rtol=1e-4)


@every_kind
def test_what_features_carry_is_what_the_encoder_would_say(kind: str) -> None:
    model, features = model_with_encoder(kind), random_features(11)
    with torch.no_grad():
        asked = predict(model, features)
        carried = replace(features, encoded=read(model.encoder, features))
        for parameter in model.encoder.parameters():
            parameter.fill_(float("nan"))
        assert torch.equal(predict(model, carried), asked), "the encoder is not asked"


@every_kind
def test_nothing_is_said_of_a_hidden_rna(kind: str) -> None:
    """Whether its encoding is carried or made on the way, and whatever its sequence was."""
    model, features = model_with_encoder(kind), random_features(11)
    masked = torch.tensor([False, True])
    with torch.no_grad():
        carried = replace(features, encoded=read(model.encoder, features)).without_condition(masked)
        made = read(model.encoder, features.without_condition(masked))
    for encoded in (carried.encoded, made):
        assert not encoded.layers[1].any()
        assert encoded.layers[0].any()
        if kind == "convformer":
            assert not encoded.pair[1].any()
            assert encoded.pair[0].any()
    with torch.no_grad():
        assert torch.equal(predict(model, carried), predict(model, features.without_condition(masked)))
        assert not read(model.encoder, features.without_condition()).layers.any()


@every_kind
def test_everything_but_a_frozen_encoder_is_trained(kind: str) -> None:
    model, features = model_with_encoder(kind).train(), random_features(11)
    model.encoder.requires_grad_(False)
    assert not model.train().encoder.training
    assert model.trunk.training
    predict(model, features).square().sum().backward()
    assert all(p.grad is None for p in model.encoder.parameters())
    for name, parameter in model.conditioning.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


@every_kind
@pytest.mark.parametrize("checkpointing", [False, True])
def test_an_encoder_that_is_trained_gets_every_gradient_it_waits_for(kind: str, checkpointing: bool) -> None:
    config = replace(TINY, model=replace(TINY.model, grad_checkpointing=checkpointing))
    model, features = model_with_encoder(kind, config), random_features(11)
    freeze_unread(model.encoder)
    assert model.train().encoder.training
    predict(model, features).square().sum().backward()
    frozen = {name for name, p in model.encoder.named_parameters() if not p.requires_grad}
    assert frozen == {"norm.weight", "norm.bias"}
    assert all(p.grad is not None for p in model.encoder.parameters() if p.requires_grad)
    assert sum(bool(p.grad.any()) for p in model.encoder.parameters() if p.grad is not None) > 10


@every_kind
def test_gradient_checkpointing_changes_no_gradient(kind: str) -> None:
    gradients = []
    for checkpointing in (False, True):
        config = replace(TINY, model=replace(TINY.model, grad_checkpointing=checkpointing))
        model = model_with_encoder(kind, config).train()
        predict(model, random_features(11)).square().sum().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]))
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-5)


def test_freezing_leaves_random_state_mode_and_gradients_alone() -> None:
    model = encoder(replace(encoder_config(), encoder_dropout=0.5)).train()
    state = torch.get_rng_state()
    freeze_unread(model)
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training
    assert all(p.grad is None for p in model.parameters())


def test_half_precision_arithmetic() -> None:
    model, features = model_with_encoder(), random_features(11)
    with torch.no_grad():
        exact = predict(model, features)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = predict(model, features)
    assert rounded.dtype == torch.float32
    assert (rounded - exact).abs().mean() < 0.1 * exact.abs().mean()
