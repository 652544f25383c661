"""References: where the model starts, what of them acts, what must not."""

from dataclasses import replace

import pytest
import torch

from rnagen.features import References, RNAFeatures
from rnagen.geometry import masked_mean, random_rotations
from rnagen.model.model import RNAFlowModel
from rnagen.model.reference import GAIN, LAST, LAST_SAMPLED, LEAST_TRUST, REPEATED, PlacedReferences, ReferenceSteps
from tests.helpers.features import padded, random_features
from tests.helpers.tiny import TINY_MODEL, stirred

READS = replace(TINY_MODEL, references=2)
ATOMS = len(TINY_MODEL.atoms)


def model() -> RNAFlowModel:
    torch.manual_seed(1)
    return stirred(RNAFlowModel(READS)).eval()


def references(features: RNAFeatures, seed: int = 0, number: int = 1) -> References:
    """Random walks, every fourth residue of them unknown."""
    generator = torch.Generator().manual_seed(seed)
    size, length = features.mask.shape
    coords = torch.randn(size, number, length, ATOMS, 3, generator=generator).cumsum(2) * 5
    known = torch.arange(length).expand_as(features.mask) % 4 != 3
    mask = (features.mask & known)[:, None, :, None].expand(-1, number, -1, ATOMS)
    trust = torch.rand(size, number, length, generator=generator)
    return References(torch.where(mask[..., None], coords, 0.0), mask, trust)


@torch.no_grad()
def pair_of(model: RNAFlowModel, features: RNAFeatures, visible: References | None) -> torch.Tensor:
    return model.condition(replace(features, references=visible)).trunk.pair


@torch.no_grad()
def flow_of(
    model: RNAFlowModel,
    features: RNAFeatures,
    visible: References | None,
    rotation: torch.Tensor | None = None,
) -> torch.Tensor:
    context = model.condition(replace(features, references=visible))
    size, length = features.mask.shape
    x = torch.randn(size, 3, length, ATOMS, 3, generator=torch.Generator().manual_seed(2))
    return model(x, torch.full((size, 3), 0.4), context, rotation=rotation)


def test_training_begins_at_the_model_without_references() -> None:
    features = random_features(11)
    plain = stirred(RNAFlowModel(TINY_MODEL)).eval()
    reads = RNAFlowModel(READS).eval()
    reads.load_state_dict({**reads.state_dict(), **plain.state_dict()})
    assert torch.equal(pair_of(reads, features, references(features)), pair_of(plain, features, None))
    assert torch.equal(flow_of(reads, features, None), flow_of(plain, features, None))


@pytest.mark.parametrize("outcome", [pair_of, flow_of])
def test_what_is_not_known_changes_nothing(outcome) -> None:
    """Bit for bit: no references, empty ones, and anything where they are unknown."""
    reads, features = model(), random_features(11)
    nothing, visible = outcome(reads, features, None), references(features)
    empty = visible.without(torch.ones(len(features.mask), dtype=torch.bool))
    assert torch.equal(outcome(reads, features, empty), nothing)
    expected = outcome(reads, features, visible)
    assert (expected - nothing).abs().max() > 1e-2
    junk = torch.where(visible.mask[..., None], visible.coords, torch.tensor(float("nan")))
    trust = torch.where(visible.mask.any(-1), visible.trust, 0.5)
    assert torch.equal(outcome(reads, features, References(junk, visible.mask, trust)), expected)
    part = outcome(reads, features, visible.without(torch.tensor([True, False])))
    assert torch.equal(part[0], nothing[0])
    torch.testing.assert_close(part[1], expected[1])


def test_the_trunk_sees_the_shape_and_not_the_pose() -> None:
    reads, features = model(), random_features(11)
    visible = references(features, number=2)
    expected = pair_of(reads, features, visible)
    turn = random_rotations(2, torch.Generator().manual_seed(4))
    moved = torch.einsum("bij,brlaj->brlai", turn, visible.coords) + torch.tensor([30.0, -70.0, 5.0])
    torch.testing.assert_close(pair_of(reads, features, replace(visible, coords=moved)), expected, atol=1e-3, rtol=1e-3)
    stretched = replace(visible, coords=1.2 * visible.coords)
    assert (pair_of(reads, features, stretched) - expected).abs().max() > 1e-2


def test_the_trust_counts() -> None:
    reads, features = model(), random_features(11)
    visible = references(features)
    for outcome in (pair_of, flow_of):
        doubted = outcome(reads, features, replace(visible, trust=0.5 * visible.trust))
        assert (doubted - outcome(reads, features, visible)).abs().max() > 1e-3


@pytest.mark.parametrize("outcome", [pair_of, flow_of])
def test_sampling_reads_no_residue_of_too_little_trust(outcome) -> None:
    reads, features = model(), random_features(11)
    visible = references(features)
    half = torch.where(torch.arange(11) < 5, LEAST_TRUST, 0.9 * LEAST_TRUST).expand_as(visible.trust)
    part = replace(visible, trust=half, mask=visible.mask & (torch.arange(11) < 5)[:, None])
    nothing = outcome(reads, features, None)
    assert torch.equal(outcome(reads, features, replace(visible, trust=0.9 * half)), nothing)
    assert torch.equal(outcome(reads, features, replace(visible, trust=half)), outcome(reads, features, part))
    assert (outcome(reads, features, part) - nothing).abs().max() > 1e-3
    # Training learns from all of them.
    reads.train()
    assert (outcome(reads, features, replace(visible, trust=0.9 * half)) - nothing).abs().max() > 1e-3


def test_each_copy_sees_the_references_in_its_own_pose() -> None:
    reads, features = model(), random_features(9)
    visible = references(features, number=2)
    turn = random_rotations(6, torch.Generator().manual_seed(4)).view(2, 3, 3, 3)
    found = flow_of(reads, features, visible, turn)
    for copy in range(3):
        coords = torch.einsum("bij,brlaj->brlai", turn[:, copy], visible.coords)
        expected = flow_of(reads, features, replace(visible, coords=coords))
        torch.testing.assert_close(found[:, copy], expected[:, copy], atol=1e-4, rtol=1e-4)


def test_the_latent_model_sees_them_about_the_centre_of_the_first() -> None:
    visible = references(random_features(9), number=1)
    moved = replace(visible, coords=visible.coords + 40.0)
    placed, again = (PlacedReferences.of(one, 2, 16.0) for one in (visible, moved))
    torch.testing.assert_close(placed.coords, again.coords, atol=1e-4, rtol=1e-4)
    assert placed.coords.shape[-2:] == (2 * ATOMS, 3)
    assert not placed.coords[..., ATOMS:, :].any()


def test_far_apart_is_not_unknown() -> None:
    reads, features = model(), random_features(6)
    far = references(features)
    far = replace(far, coords=torch.arange(6.0)[None, None, :, None, None].expand_as(far.coords) * 1000)
    assert (pair_of(reads, features, far) - pair_of(reads, features, None)).abs().max() > 1e-2


def test_padding_changes_nothing() -> None:
    reads, features = model(), random_features(11)
    longer = padded(features, 5)
    visible, junk = references(features), references(longer, seed=3)
    coords, mask, trust = junk.coords.clone(), torch.zeros_like(junk.mask), junk.trust.clone()
    coords[:, :, :11], mask[:, :, :11], trust[:, :, :11] = visible.coords, visible.mask, visible.trust
    found = pair_of(reads, longer, References(coords, mask, trust))[:, :11, :11]
    torch.testing.assert_close(found, pair_of(reads, features, visible), atol=1e-5, rtol=1e-5)


def test_a_model_that_reads_none_refuses_one() -> None:
    features = random_features(5)
    with pytest.raises(ValueError, match="cannot read references"):
        pair_of(RNAFlowModel(TINY_MODEL), features, references(features))


def test_an_rna_without_condition_has_no_reference() -> None:
    features = random_features(8)
    blank = replace(features, references=references(features)).without_condition()
    assert blank.references is not None
    assert not blank.references.mask.any()


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("training", [True, False])
def test_a_share_of_one_leads_to_the_reference(number: int, training: bool) -> None:
    """But for where it lies, and for the end of the path; what is unknown keeps its velocity."""
    steps = ReferenceSteps(READS).train(training)
    with torch.no_grad():
        steps.share.bias.zero_()
        steps.share.bias[number] = 1 / GAIN
    visible = references(random_features(9), number=2)
    visible = replace(visible, trust=torch.ones_like(visible.trust))
    placed = PlacedReferences.of(visible, 2, 16.0)
    x, velocity = torch.randn(2, 2, 3, 9, ATOMS, 3, generator=torch.Generator().manual_seed(2)).unbind()
    added = steps(velocity, torch.zeros(2, 3, 9, READS.embed_dim), x, torch.full((2, 3), 0.4), placed)
    known = visible.mask[:, number, None, ..., None].expand_as(x)
    arrived = x + 0.6 * velocity + (0.6 + (LAST if training else LAST_SAMPLED)) * added
    expected = placed.coords.unflatten(-2, (2, ATOMS))[:, :, :, number].expand_as(x)
    centred = [each - masked_mean(each, known[..., :1], (2, 3), keepdim=True) for each in (arrived, expected)]
    torch.testing.assert_close(*(torch.where(known, each, 0.0) for each in centred), atol=1e-5, rtol=1e-5)
    assert not added[~known].any()


def test_sampling_goes_the_chosen_share_again_and_again() -> None:
    """Each time of the way that is left; trust is counted once."""
    steps = ReferenceSteps(READS)
    visible = references(random_features(9), number=1)
    placed = PlacedReferences.of(visible, 2, 16.0)
    x, velocity = torch.randn(2, 2, 3, 9, ATOMS, 3, generator=torch.Generator().manual_seed(2)).unbind()
    given = velocity, torch.zeros(2, 3, 9, READS.embed_dim), x, torch.full((2, 3), 0.4), placed
    trained, sampled = (steps.train(training)(*given) for training in (True, False))
    expected = trained * (0.6 + LAST) / 0.5 * (1 - 0.5**REPEATED) / (0.6 + LAST_SAMPLED)
    torch.testing.assert_close(sampled, expected)


def test_steps_do_not_depend_on_where_a_reference_lies() -> None:
    steps, visible = ReferenceSteps(READS), references(random_features(9), number=2)
    placed = PlacedReferences.of(visible, 2, 16.0)
    x, velocity = torch.randn(2, 2, 3, 9, ATOMS, 3, generator=torch.Generator().manual_seed(2)).unbind()
    tokens, t = torch.randn(2, 3, 9, READS.embed_dim, generator=torch.Generator().manual_seed(3)), torch.rand(2, 3)
    expected = steps(velocity, tokens, x, t, placed)
    assert expected.abs().max() > 1e-2
    moved = replace(placed, coords=placed.coords + torch.tensor([3.0, -7.0, 1.0]))
    torch.testing.assert_close(steps(velocity, tokens, x, t, moved), expected, atol=1e-4, rtol=1e-4)
