"""The network: padding, copies, caching, what it can and cannot see."""

from dataclasses import replace

import pytest
import torch

from rnagen.config.structure import ModelConfig
from rnagen.features import RNAFeatures
from rnagen.model.model import RNAFlowModel
from rnagen.structure import NO_LABEL, PAIR_FEATURES, UNKNOWN, UNPAIRED
from tests.helpers.features import padded, random_features

TINY = ModelConfig(embed_dim=32, pair_dim=8, trunk_layers=2, num_layers=2, mha_heads=4)


def tiny_model(config: ModelConfig = TINY) -> RNAFlowModel:
    """A model whose zero-initialised layers were moved off zero, so that everything acts on the output."""
    torch.manual_seed(1)
    model = RNAFlowModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(std=0.3)
    return model


def run(model: RNAFlowModel, features: RNAFeatures, copies: int = 3) -> torch.Tensor:
    batch, length = features.bases.shape
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(batch, copies, 64, 4, 3, generator=generator)[:, :, :length]
    t = torch.rand(batch, copies, generator=generator)
    context = model.condition(features)
    return model(x, t, context)


LABELLED = replace(TINY, categories=("riboswitch", "tRNA"))
CONDITIONED = replace(TINY, pair_features=(PAIR_FEATURES[2], PAIR_FEATURES[0]), secondary_structure=True)


def conditioned(features: RNAFeatures, seed: int = 4) -> RNAFeatures:
    """The same RNAs with pair features, and a secondary structure with paired, unpaired and unknown residues."""
    batch, length = features.bases.shape
    generator = torch.Generator().manual_seed(seed)
    pair_features = torch.rand(batch, length, length, len(PAIR_FEATURES), generator=generator)
    pair_table = torch.full((batch, length), UNPAIRED)
    pair_table[:, 0], pair_table[:, 6], pair_table[:, 3:5] = 6, 0, UNKNOWN
    return replace(features, pair_features=(pair_features + pair_features.transpose(1, 2)) / 2, pair_table=pair_table)


@pytest.mark.parametrize("config", [TINY, replace(TINY, rope=False, abs_pos_emb=True), CONDITIONED])
def test_padding_changes_nothing(config: ModelConfig) -> None:
    model = tiny_model(config)
    features = conditioned(random_features(11))
    plain = run(model, features)
    with_padding = run(model, padded(features, 6))
    torch.testing.assert_close(with_padding[:, :, :11], plain, atol=1e-5, rtol=0)
    assert not with_padding[:, :, 11:].any()


def test_a_model_that_can_be_told_more_begins_as_one_that_cannot() -> None:
    torch.manual_seed(0)
    plain, more = RNAFlowModel(TINY), RNAFlowModel(CONDITIONED)
    more.load_state_dict({**more.state_dict(), **plain.state_dict()})
    features = conditioned(random_features(9))
    pair, other = plain.condition(features).trunk.pair, more.condition(features).trunk.pair
    assert torch.equal(pair, other)


def test_known_conditions_act_and_unknown_ones_do_not() -> None:
    model = tiny_model(CONDITIONED)
    features = conditioned(random_features(9))
    assert features.pair_features is not None
    assert features.pair_table is not None
    output = run(model, features)
    unknown = replace(features, pair_table=torch.full_like(features.pair_table, UNKNOWN))
    assert (run(model, unknown) - output).abs().max() > 1e-3
    assert torch.equal(run(model, unknown), run(model, replace(features, pair_table=None)))
    for channel, name in enumerate(PAIR_FEATURES):
        masked = torch.zeros(2, len(PAIR_FEATURES), dtype=torch.bool)
        masked[0, channel] = True
        changed = (run(model, features.without_pair_features(masked)) - output).abs().amax(dim=(1, 2, 3, 4))
        assert (changed[0] > 1e-3) == (name in CONDITIONED.pair_features)
        assert changed[1] == 0
    with pytest.raises(ValueError, match="reads pair features"):
        run(model, replace(features, pair_features=None))


def test_a_model_that_reads_labels_begins_as_one_that_does_not() -> None:
    """Its other weights too are those of the same seed."""
    torch.manual_seed(0)
    plain = RNAFlowModel(TINY)
    torch.manual_seed(0)
    labelled = RNAFlowModel(LABELLED)
    assert labelled.state_dict().keys() - plain.state_dict().keys() == {"latent.label.vectors"}
    for model in (plain, labelled):
        torch.manual_seed(1)
        for name, parameter in model.named_parameters():
            if not parameter.any() and name != "latent.label.vectors":
                torch.nn.init.normal_(parameter, std=0.3)
    features = random_features(9)
    for label in ([NO_LABEL, NO_LABEL], [1, 2]):
        assert torch.equal(run(plain, features), run(labelled, replace(features, label=torch.tensor(label))))


def test_a_label_acts_on_its_rna_alone_and_none_as_nothing() -> None:
    model, features = tiny_model(LABELLED), random_features(9, batch=3)
    plain = run(model, features)
    labels = torch.tensor([1, NO_LABEL, 2])
    changed = (run(model, replace(features, label=labels)) - plain).abs().amax(dim=(1, 2, 3, 4))
    assert (changed[[0, 2]] > 1e-3).all()
    assert changed[1] == 0
    other = run(model, replace(features, label=torch.tensor([2, NO_LABEL, 2])))
    assert (other[0] - run(model, replace(features, label=labels))[0]).abs().max() > 1e-3
    masked = replace(features, label=labels).without_label(torch.tensor([True, False, False]))
    assert torch.equal(run(model, masked)[0], plain[0])
    assert masked.label is not None
    assert masked.label.tolist() == [NO_LABEL, NO_LABEL, 2]
    assert torch.equal(run(model, replace(features, label=labels).without_label()), plain)


def test_the_vector_of_no_label_is_zero_and_gets_no_gradient() -> None:
    model = tiny_model(LABELLED)
    run(model, replace(random_features(9), label=torch.tensor([NO_LABEL, 2]))).square().sum().backward()
    assert model.latent.label is not None
    gradient = model.latent.label.vectors.grad
    assert gradient is not None
    assert gradient.any(1).tolist() == [False, True]


def test_copies_and_batch_neighbours_do_not_see_each_other() -> None:
    model = tiny_model()
    features = random_features(9, batch=3)
    together = run(model, features)
    for b in range(3):
        one = RNAFeatures(*(value[b : b + 1] for value in vars(features).values() if value is not None))
        context = model.condition(one)
        generator = torch.Generator().manual_seed(5)
        x = torch.randn(3, 3, 64, 4, 3, generator=generator)[:, :, :9]
        t = torch.rand(3, 3, generator=generator)
        for k in range(3):
            alone = model(x[b : b + 1, k : k + 1], t[b : b + 1, k : k + 1], context)
            torch.testing.assert_close(alone[0, 0], together[b, k], atol=1e-5, rtol=1e-4)


def test_a_new_model_predicts_zero_velocity() -> None:
    assert not run(RNAFlowModel(TINY), random_features(7)).any()


@pytest.mark.parametrize("what", ["bases", "pair_probabilities", "residue_index"])
def test_every_feature_acts(what: str) -> None:
    model = tiny_model()
    features = random_features(10)
    changed = {**vars(features)}
    if what == "bases":
        changed["bases"] = (features.bases + 1) % 4
    elif what == "pair_probabilities":
        changed["pair_probabilities"] = torch.zeros_like(features.pair_probabilities)
    else:
        changed["residue_index"] = features.residue_index + 50 * (features.residue_index > 5)
    assert (run(model, features) - run(model, RNAFeatures(**changed))).abs().max() > 1e-3


def test_pair_representation_depends_on_direction() -> None:
    """5' and 3' differ: the mirror of a sequence is another RNA."""
    model = tiny_model()
    features = random_features(8)
    trunk = model.condition(features).trunk
    assert (trunk.pair - trunk.pair.transpose(1, 2)).abs().max() > 1e-2
    logits = model.distogram(trunk.pair)
    torch.testing.assert_close(logits, logits.transpose(1, 2))


def test_gradient_checkpointing_changes_no_gradient() -> None:
    features = random_features(8)
    gradients = []
    for checkpointing in (False, True):
        model = tiny_model(ModelConfig(**{**vars(TINY), "grad_checkpointing": checkpointing}))
        run(model, features).square().sum().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]))
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-5)


def test_every_parameter_is_trained() -> None:
    model = tiny_model()
    features = random_features(8)
    context = model.condition(features)
    trunk = context.trunk
    out = model(torch.randn(2, 3, 8, 4, 3), torch.rand(2, 3), context)
    (out.square().sum() + model.distogram(trunk.pair).square().sum()).backward()
    unused = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    # No residue follows a gap in these features.
    assert unused == ["trunk.chain_break.weight"]


def test_bfloat16_stays_close() -> None:
    model = tiny_model()
    features = random_features(12)
    exact = run(model, features)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = run(model, features)
    assert rounded.dtype == torch.float32
    assert (rounded - exact).norm() / exact.norm() < 0.1


@pytest.mark.parametrize(("preset", "low", "high"), [("small", 3e6, 5e6), ("base", 15e6, 20e6)])
def test_preset_sizes(preset: str, low: float, high: float) -> None:
    from pathlib import Path

    from rnagen.config.files import load_config, load_yaml
    from rnagen.config.structure import TrainConfig

    file = Path(__file__).parents[2] / "configs" / f"{preset}.yaml"
    config = load_config(TrainConfig(), load_yaml(file), str(file))
    with torch.device("meta"):
        assert low <= RNAFlowModel(config.model).num_parameters <= high
