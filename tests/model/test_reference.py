"""The reference in the trunk: where it starts, what of it acts, what must not."""

from dataclasses import replace

import pytest
import torch

from rnagen.features import Reference, RNAFeatures
from rnagen.geometry import random_rotations
from rnagen.model.model import RNAFlowModel
from tests.helpers.encoders import encoder, encoder_config
from tests.helpers.features import padded, random_features
from tests.helpers.tiny import TINY_MODEL, stirred

READS = replace(TINY_MODEL, recycling=True)


def model(with_encoder: bool = False) -> RNAFlowModel:
    torch.manual_seed(1)
    pretrained = encoder(encoder_config()) if with_encoder else None
    return stirred(RNAFlowModel(READS, pretrained)).eval()


def reference(features: RNAFeatures, seed: int = 0) -> Reference:
    """A random walk, every fourth residue of it unknown."""
    generator = torch.Generator().manual_seed(seed)
    c1 = torch.randn(*features.mask.shape, 3, generator=generator).cumsum(1) * 5
    known = torch.arange(features.mask.shape[1]).expand_as(features.mask) % 4 != 3
    return Reference(c1, features.mask & known)


@torch.no_grad()
def pair_of(model: RNAFlowModel, features: RNAFeatures, visible: Reference | None) -> torch.Tensor:
    return model.condition(replace(features, reference=visible)).trunk.pair


@pytest.mark.parametrize("with_encoder", [False, True])
def test_training_begins_at_the_model_without_references(with_encoder: bool) -> None:
    features = random_features(11)
    models = []
    for config in (TINY_MODEL, READS):
        pretrained = encoder(encoder_config()) if with_encoder else None
        torch.manual_seed(1)
        models.append(RNAFlowModel(config, pretrained).eval())
    plain, reads = models
    for name, value in plain.state_dict().items():
        assert torch.equal(reads.state_dict()[name], value), name
    assert reads.num_parameters - plain.num_parameters == reads.reference.project.weight.numel()
    assert torch.equal(pair_of(reads, features, reference(features)), pair_of(plain, features, None))


@pytest.mark.parametrize("with_encoder", [False, True])
def test_what_is_not_known_changes_nothing(with_encoder: bool) -> None:
    """Bit for bit: no reference, an empty one, and anything where it is unknown."""
    reads, features = model(with_encoder), random_features(11)
    nothing = pair_of(reads, features, Reference.nothing(features.mask))
    assert torch.equal(nothing, pair_of(reads, features, None))
    visible = reference(features)
    expected = pair_of(reads, features, visible)
    assert (expected - nothing).abs().max() > 1e-2
    junk = torch.where(visible.mask[..., None], visible.c1, torch.tensor(float("nan")))
    assert torch.equal(pair_of(reads, features, Reference(junk, visible.mask)), expected)
    masked = torch.tensor([True, False])
    part = pair_of(reads, features, visible.without(masked))
    assert torch.equal(part[0], nothing[0])
    assert torch.equal(part[1], expected[1])


def test_the_pose_does_not_count_and_the_shape_does() -> None:
    reads, features = model(), random_features(11)
    visible = reference(features)
    expected = pair_of(reads, features, visible)
    turn = random_rotations(2, torch.Generator().manual_seed(4))
    moved = torch.einsum("bij,blj->bli", turn, visible.c1) + torch.tensor([30.0, -70.0, 5.0])
    torch.testing.assert_close(pair_of(reads, features, Reference(moved, visible.mask)), expected, atol=1e-3, rtol=1e-3)
    stretched = Reference(1.2 * visible.c1, visible.mask)
    assert (pair_of(reads, features, stretched) - expected).abs().max() > 1e-2


def test_far_apart_is_not_unknown() -> None:
    reads, features = model(), random_features(6)
    far = torch.arange(6.0)[None, :, None].expand(2, 6, 3) * 1000
    nothing = pair_of(reads, features, None)
    assert (pair_of(reads, features, Reference(far, features.mask)) - nothing).abs().max() > 1e-2


def test_padding_changes_nothing() -> None:
    reads, features = model(), random_features(11)
    longer = padded(features, 5)
    visible, there = reference(features), reference(longer, seed=3)
    c1, mask = there.c1.clone(), torch.zeros_like(there.mask)
    c1[:, :11], mask[:, :11] = visible.c1, visible.mask
    found = pair_of(reads, longer, Reference(c1, mask))[:, :11, :11]
    torch.testing.assert_close(found, pair_of(reads, features, visible), atol=1e-5, rtol=1e-5)


def test_a_model_that_reads_none_refuses_one() -> None:
    features = random_features(5)
    with pytest.raises(ValueError, match="cannot read a reference"):
        pair_of(RNAFlowModel(TINY_MODEL), features, reference(features))


def test_an_rna_without_condition_has_no_reference() -> None:
    features = random_features(8)
    blank = replace(features, reference=reference(features)).without_condition()
    assert blank.reference is not None
    assert not blank.reference.mask.any()
