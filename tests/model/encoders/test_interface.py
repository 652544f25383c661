"""The encoders: what may and what may not change their output."""

from dataclasses import replace

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rnagen.config.encoder import KERNEL_SIZES, LAYERS, EncoderConfig
from rnagen.config.files import load_config
from rnagen.errors import ConfigError
from rnagen.features import RNAFeatures
from rnagen.model.encoders import build_encoder
from rnagen.model.encoders.blocks import PairProjection, masked_pairs
from tests.helpers.encoders import KINDS, TINY_ENCODER, close, encoder, padded, random_features, same

PAIRINGS = ("none", "projection", "bias")
VARIANTS = [replace(TINY_ENCODER, encoder=kind, base_pairs=pairing) for kind in KINDS for pairing in PAIRINGS]

every_variant = pytest.mark.parametrize("config", VARIANTS, ids=lambda c: f"{c.encoder}-{c.base_pairs}")
every_kind = pytest.mark.parametrize("config", [replace(TINY_ENCODER, encoder=kind) for kind in KINDS], ids=KINDS)


def reversed_in_direction(features: RNAFeatures) -> RNAFeatures:
    """The RNAs read from the 3' end."""
    return replace(features, bases=features.bases.flip(1), pair_probabilities=features.pair_probabilities.flip(1, 2))


@every_variant
def test_the_interface_is_kept(config: EncoderConfig) -> None:
    model, features = encoder(config), random_features(9)
    out = model(features)
    assert (model.dim, model.num_layers) == (16, 2)
    assert out.single.shape == (2, 9, 16)
    assert [layer.shape for layer in out.layers] == [(2, 9, 16)] * 2
    assert not torch.equal(out.layers[0], out.layers[1])
    if config.encoder == "convformer":
        assert out.pair is not None
        assert out.pair.shape == (2, 9, 9, model.pair_dim)
    else:
        assert out.pair is None
        assert model.pair_dim is None


@every_variant
@pytest.mark.parametrize("length", [11, 70])
def test_padding_changes_nothing(config: EncoderConfig, length: int) -> None:
    model, features = encoder(config), random_features(length)
    with torch.no_grad():
        plain, with_padding = model(features), model(padded(features, 7))
    same(plain, with_padding)
    assert not with_padding.single[:, length:].any()
    assert not any(layer[:, length:].any() for layer in with_padding.layers)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(length=st.integers(1, 20), extra=st.integers(1, 40), kind=st.sampled_from(KINDS), seed=st.integers(0, 9))
def test_no_length_breaks_the_mask(length: int, extra: int, kind: str, seed: int) -> None:
    model, features = encoder(replace(TINY_ENCODER, encoder=kind, base_pairs="bias")), random_features(length, 1, seed)
    with torch.no_grad():
        same(model(features), model(padded(features, extra)))


@every_variant
def test_batch_neighbours_do_not_affect_each_other(config: EncoderConfig) -> None:
    model, features = encoder(config), random_features(10, batch=3)
    changed = RNAFeatures(*(value.clone() for value in vars(features).values() if value is not None))
    changed.bases[1:], changed.mask[1:, 4:], changed.pair_probabilities[1:] = 2, False, 0.3
    with torch.no_grad():
        alone = model(RNAFeatures(*(value[:1] for value in vars(features).values() if value is not None)))
        same(alone, model(features))
        same(alone, model(changed))


@every_variant
def test_an_rna_without_residues_stays_finite(config: EncoderConfig) -> None:
    features = replace(random_features(6), mask=torch.zeros(2, 6, dtype=torch.bool))
    out = encoder(config)(features)
    out.single.sum().backward()
    assert not out.single.any()


@every_variant
def test_base_pairs_act_if_and_only_if_they_enter(config: EncoderConfig) -> None:
    model, features = encoder(config), random_features(12)
    without = replace(features, pair_probabilities=torch.zeros(2, 12, 12))
    with torch.no_grad():
        difference = (model(features).single - model(without).single).abs().max()
    assert difference == 0 if config.base_pairs == "none" else difference > 1e-3


@every_kind
@pytest.mark.parametrize("what", ["bases", "residue_index"])
def test_sequence_and_position_act(config: EncoderConfig, what: str) -> None:
    model, features = encoder(config), random_features(12)
    value = {
        "bases": (features.bases + 1) % 4,
        "residue_index": features.residue_index + 3 * (features.bases.cumsum(1) > 6),
    }
    with torch.no_grad():
        changed = model(replace(features, **{what: value[what]})).single
        assert (changed - model(features).single).abs().max() > 1e-3


@every_variant
def test_the_direction_of_the_chain_matters(config: EncoderConfig) -> None:
    """A model that could not tell 5' from 3' would give the reversed RNA the reversed output."""
    model, features = encoder(config), random_features(12)
    with torch.no_grad():
        forward = model(features).single
        backward = model(reversed_in_direction(features)).single.flip(1)
    assert (forward - backward).abs().max() > 1e-2


@every_variant
def test_the_single_representation_trains_every_parameter(config: EncoderConfig) -> None:
    """A parameter without a gradient would also stop distributed training."""
    model, features = encoder(config).train(), random_features(8)
    # A gap in the chain, so that its embedding is used.
    features = replace(features, residue_index=features.residue_index + 5 * (features.residue_index > 4))
    (model(features).single * torch.randn(2, 8, 16)).sum().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


@every_variant
def test_bfloat16_stays_close(config: EncoderConfig) -> None:
    model, features = encoder(config), padded(random_features(12), 3)
    with torch.no_grad():
        exact = model(features).single
        with torch.autocast("cpu", torch.bfloat16):
            rounded = model(features).single
    assert rounded.isfinite().all()
    assert (rounded - exact).norm() / exact.norm() < 0.1


@every_kind
def test_dropout_acts_in_training_alone(config: EncoderConfig) -> None:
    model, features = encoder(replace(config, encoder_dropout=0.5)), random_features(8)
    with torch.no_grad():
        assert torch.equal(model(features).single, model(features).single)
        model.train()
        assert not torch.equal(model(features).single, model(features).single)


def test_the_projection_is_the_matrix_identity_plus_pairs() -> None:
    features = padded(random_features(6), 2)
    pairs, x = masked_pairs(features), torch.randn(2, 8, 16)
    assert not pairs[:, 6:].any()
    assert not pairs[:, :, 6:].any()
    layer = PairProjection(16)
    expected = x + (torch.eye(8) + pairs) @ layer.norm(x) @ layer.project.weight.T
    close(layer(x, pairs), expected)


def test_base_pair_bias_directs_attention_to_the_paired_residue_from_the_start() -> None:
    """A certain pair among 60 residues: the last head looks almost only at it, the first one not at all."""
    bias = build_encoder(replace(TINY_ENCODER, base_pairs="bias")).bias
    features = random_features(60, batch=1)
    pairs = torch.zeros(1, 60, 60)
    pairs[0, 3, 50] = pairs[0, 50, 3] = 1
    weights = bias(replace(features, pair_probabilities=pairs)).softmax(-1)
    assert weights.shape == (2, 1, 1, 2, 60, 60)
    torch.testing.assert_close(weights[:, 0, 0, 0, 3, 50], torch.full((2,), 1 / 60))
    assert (weights[:, 0, 0, 1, 3, 50] > 0.9).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pairing", PAIRINGS)
def test_the_defaults_compare_at_equal_size(kind: str, pairing: str) -> None:
    config = EncoderConfig(encoder=kind, base_pairs=pairing)
    with torch.device("meta"):
        model = build_encoder(config)
    assert 3e6 < sum(p.numel() for p in model.parameters()) < 4e6
    assert model.num_layers == len(model.blocks) == LAYERS[kind]


def test_shapes_given_come_before_those_of_the_kind() -> None:
    assert EncoderConfig(encoder="squeezeformer").kernel == KERNEL_SIZES["squeezeformer"]
    config = EncoderConfig(encoder="squeezeformer", kernel_size=7, encoder_layers=3)
    assert (config.kernel, config.layers) == (7, 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("encoder_dim", 0),
        ("encoder_dim", 15),
        ("encoder_pair_dim", 0),
        ("encoder_layers", 0),
        ("encoder_heads", 7),
        ("encoder_mlp_ratio", 0),
        ("kernel_size", 4),
        ("kernel_size", -1),
        ("max_offset", 0),
        ("encoder_dropout", 1.0),
        ("encoder", "lstm"),
        ("base_pairs", "yes"),
    ],
)
def test_impossible_shapes_are_named(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"file\.yaml: {name}"):
        load_config(EncoderConfig(), {name: value}, "file.yaml")
