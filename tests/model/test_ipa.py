"""Invariant point attention: where training starts, what acts, what must not."""

from dataclasses import replace

import pytest
import torch

from rnagen.errors import ConfigError
from rnagen.features import References, RNAFeatures
from rnagen.geometry import random_rotations
from rnagen.model.ipa import InvariantPointAttention, frames
from rnagen.model.model import RNAFlowModel
from rnagen.model.reference import LEAST_TRUST
from tests.helpers.features import padded, random_features
from tests.helpers.tiny import TINY_MODEL, stirred

READS = replace(TINY_MODEL, references=2)
KINDS = ("prepend", "interleave")
ATOMS = len(TINY_MODEL.atoms)


def model(kind: str) -> RNAFlowModel:
    torch.manual_seed(1)
    return stirred(RNAFlowModel(replace(READS, ipa=kind))).eval()


def references(features: RNAFeatures) -> References:
    """Random walks of residues, every fourth of which lacks an atom."""
    generator = torch.Generator().manual_seed(0)
    size, length = features.mask.shape
    walk = torch.randn(size, 1, length, 1, 3, generator=generator).cumsum(2) * 4
    coords = walk + 2 * torch.randn(size, 1, length, ATOMS, 3, generator=generator)
    mask = features.mask[:, None, :, None].expand(-1, -1, -1, ATOMS).clone()
    mask[:, :, 3::4, 2] = False
    # All of them enough to be read.
    return References(coords, mask, torch.rand(size, 1, length, generator=generator).clamp(min=LEAST_TRUST))


@torch.no_grad()
def additions(model: RNAFlowModel, features: RNAFeatures, visible: References | None) -> torch.Tensor | None:
    return model.condition(replace(features, references=visible)).latent.additions


@torch.no_grad()
def flow_of(model: RNAFlowModel, features: RNAFeatures, visible: References | None) -> torch.Tensor:
    size, length = features.mask.shape
    x = torch.randn(size, 3, length, ATOMS, 3, generator=torch.Generator().manual_seed(2))
    return model(x, torch.full((size, 3), 0.4), model.condition(replace(features, references=visible)))


@pytest.mark.parametrize("kind", KINDS)
def test_training_begins_at_the_model_without(kind: str) -> None:
    features = random_features(11)
    plain = stirred(RNAFlowModel(READS)).eval()
    attends = RNAFlowModel(replace(READS, ipa=kind)).eval()
    attends.load_state_dict({**attends.state_dict(), **plain.state_dict()})
    assert torch.equal(flow_of(attends, features, references(features)), flow_of(plain, features, references(features)))


@pytest.mark.parametrize("kind", KINDS)
def test_an_rna_without_references_gets_nothing(kind: str) -> None:
    """Bit for bit, whether there are none or empty ones, also beside an RNA that has one."""
    attends, features = model(kind), random_features(11)
    visible, nothing = references(features), flow_of(model(kind), features, None)
    assert additions(attends, features, None) is None
    empty = visible.without(torch.ones(2, dtype=torch.bool))
    assert torch.equal(flow_of(attends, features, empty), nothing)
    found = additions(attends, features, visible.without(torch.tensor([True, False])))
    assert found is not None
    assert found.shape == (1 if kind == "prepend" else 2, 2, 1, 11, TINY_MODEL.embed_dim)
    assert not found[:, 0].any()
    assert not found[..., 3::4, :].any(), "residues without a frame"
    assert found[:, 1].abs().amax((0, 1, 3))[:3].min() > 1e-3
    assert (flow_of(attends, features, visible) - nothing).abs().max() > 1e-2


def test_it_sees_shape_and_handedness_and_not_the_pose() -> None:
    attends, features = model("interleave"), random_features(11)
    visible = references(features)
    expected = additions(attends, features, visible)
    turn = random_rotations(2, torch.Generator().manual_seed(4))
    moved = torch.einsum("bij,brlaj->brlai", turn, visible.coords) + torch.tensor([30.0, -70.0, 5.0])
    found = additions(attends, features, replace(visible, coords=moved))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        single = attends.latent.ipa(attends.condition(features).trunk, visible, features.mask)
        again = attends.latent.ipa(attends.condition(features).trunk, replace(visible, coords=moved), features.mask)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single, again, atol=1e-4, rtol=1e-4)
    for other in (1.2 * visible.coords, visible.coords * torch.tensor([1.0, 1.0, -1.0])):
        assert (additions(attends, features, replace(visible, coords=other)) - expected).abs().max() > 1e-3


def test_what_is_unknown_and_padding_change_nothing() -> None:
    attends, features = model("prepend"), random_features(11)
    longer, visible = padded(features, 5), references(features)
    coords = torch.full((2, 1, 16, ATOMS, 3), float("nan"))
    mask, trust = torch.ones(2, 1, 16, ATOMS, dtype=torch.bool), torch.ones(2, 1, 16)
    coords[:, :, :11] = torch.where(visible.mask[..., None], visible.coords, float("nan"))
    mask[:, :, :11], trust[:, :, :11] = visible.mask, visible.trust
    # The references of padding count as known; the mask of the RNA leaves them out.
    trunk = attends.condition(longer).trunk
    found = attends.latent.ipa(trunk, References(coords, mask, trust), longer.mask)
    expected = attends.latent.ipa(attends.condition(features).trunk, visible, features.mask)
    torch.testing.assert_close(found[..., :11, :], expected, atol=1e-5, rtol=1e-5)
    assert not found[..., 11:, :].any()


def test_frames_are_rotations_where_there_are_three_atoms_apart() -> None:
    coords = torch.randn(1, 5, ATOMS, 3, generator=torch.Generator().manual_seed(0)) * 3
    mask = torch.ones(1, 5, ATOMS, dtype=torch.bool)
    mask[0, 1, 1] = False
    mask[0, 2, 0] = False  # not one of the three
    coords[0, 3, 1:] = torch.arange(3.0)[:, None]  # on one line
    rotation, origin, known = frames(coords, mask)
    assert known.tolist() == [[True, False, True, False, True]]
    torch.testing.assert_close(rotation @ rotation.mT, torch.eye(3).expand(1, 5, 3, 3))
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(1, 5))
    torch.testing.assert_close(origin[known].mean(0), torch.zeros(3), atol=1e-5, rtol=0)


def test_gradients_reach_every_weight() -> None:
    attends, features = model("interleave").train(), random_features(11)
    attends.condition(replace(features, references=references(features))).latent.additions.square().sum().backward()
    attention = attends.latent.ipa
    assert isinstance(attention, InvariantPointAttention)
    for name, parameter in attention.named_parameters():
        # A constant of all keys, which the bias of the norm adds, is without effect on the softmax.
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert name == "bias.norm.bias" or parameter.grad.any(), name
    assert attends.trunk.base.weight.grad.any()


def test_it_needs_references_and_three_atoms() -> None:
    with pytest.raises(ConfigError, match="ipa: 'prepend' needs a model that reads references"):
        replace(TINY_MODEL, ipa="prepend")
    with pytest.raises(ConfigError, match="three atoms"):
        replace(READS, ipa="interleave", atoms=("C4'", "C1'"))
