"""References in training: on the answer, with errors of the sizes wanted and a trust that fits them."""

from dataclasses import replace

import pytest
import torch

from rnagen.data.batches import Batch
from rnagen.features import References
from rnagen.geometry import random_rotations
from rnagen.tasks.structure.references import Chance, outside_holes, training_references, trust_of, waves
from tests.helpers.tiny import make_batch, make_chain

C1 = 2


def batch(size: int = 64, seed: int = 5, length: int = 40) -> Batch:
    return replace(make_batch([make_chain(length, seed=k) for k in range(size)]), seed=seed)


def found(of: Batch, number: int = 2) -> References:
    references = training_references(of, number, C1)
    assert references is not None
    return references


def test_two_thirds_of_the_examples_have_some() -> None:
    references = found(batch(400))
    has = references.mask.flatten(2).any(-1)
    assert has[:, 0].float().mean() == pytest.approx(0.65, abs=0.08)
    # The second one never comes alone.
    assert not (has[:, 1] & ~has[:, 0]).any()
    assert 0.2 < has[:, 1].float().mean() < 0.45


def test_they_are_a_function_of_the_seed_and_of_no_process() -> None:
    whole = found(batch())
    again = found(batch())
    assert torch.equal(whole.coords, again.coords)
    assert not torch.equal(whole.coords, found(batch(seed=6)).coords)
    of = batch()
    features = replace(of.features, **{n: v[1::2] for n, v in vars(of.features).items() if isinstance(v, torch.Tensor)})
    part = found(Batch(features, of.coords[1::2], of.mask[1::2], of.seed, rank=1, world=2))
    torch.testing.assert_close(part.coords, whole.coords[1::2], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(part.trust, whole.trust[1::2], atol=1e-4, rtol=1e-4)


def test_what_is_unknown_is_masked_and_the_most_trusted_comes_first() -> None:
    references = found(batch())
    assert torch.isfinite(references.coords).all()
    assert not references.coords[~references.mask].any()
    assert ((references.trust >= 0) & (references.trust <= 1)).all()
    weight = (references.trust * references.mask[..., C1]).mean(-1)
    assert (weight[:, 0] >= weight[:, 1]).all()


def test_trust_falls_with_the_error() -> None:
    of = batch(300)
    references = found(of)
    there = references.mask[:, 0, :, C1]
    has = there.any(1)
    errors = (references.coords[:, 0, :, C1] - of.coords[:, :, C1]).norm(dim=-1)
    error = (errors * there).sum(1)[has] / there.sum(1)[has]
    trust = (references.trust[:, 0] * there).sum(1)[has] / there.sum(1)[has]
    assert torch.corrcoef(torch.stack([error.log(), trust]))[0, 1] < -0.6
    assert error.min() < 0.5
    assert error.max() > 6


def test_templates_are_superposed_on_the_answer() -> None:
    """A right template in another pose stands on the answer then."""
    of = batch(320)
    turn = random_rotations(320, torch.Generator().manual_seed(2))
    moved = torch.einsum("bij,blaj->blai", turn, of.coords) + 50
    known = References(moved[:, None], of.mask[:, None], torch.full((320, 1, of.mask.shape[1]), 0.7))
    of = replace(of, features=replace(of.features, references=known))
    references = found(of, 1)
    errors = (references.coords[:, 0] - of.coords).norm(dim=-1) * references.mask[:, 0]
    right = references.mask[:, 0].flatten(1).any(1) & (errors.amax((1, 2)) < 1e-2)
    assert right.float().mean() > 0.25
    assert references.trust[right].mean() == pytest.approx(0.7, abs=0.06)


def test_waves_are_smooth_and_of_size_one() -> None:
    chance = Chance.of(batch(256, length=60))
    values = waves(1, 3, 60, chance)
    assert values.square().mean() == pytest.approx(1, abs=0.1)
    assert (values[..., 1:, :] - values[..., :-1, :]).square().mean() < 0.5


def test_holes_take_what_they_should() -> None:
    inside = outside_holes(1, 100, Chance.of(batch(512, length=100)))[:, 0].float().mean(1)
    assert (inside == 1).float().mean() > 0.35
    assert inside.mean() == pytest.approx(1 - 0.6 * 0.375, abs=0.06)


def test_trust_of_a_right_and_of_a_useless_reference() -> None:
    chance = Chance.of(batch(200))
    known = torch.ones(200, 1, 40, dtype=torch.bool)
    nan = torch.full((200, 1), torch.nan)
    right = trust_of(torch.zeros(200, 1, 40), known, nan, chance)
    useless = trust_of(torch.full((200, 1, 40), 40.0), known, nan, chance)
    assert right.mean() > 0.9
    assert useless.mean() < 0.1
    given = trust_of(torch.zeros(200, 1, 40), known, torch.full((200, 1), 0.5), chance)
    assert given.mean() == pytest.approx(0.5, abs=0.03)
    assert given.std() == pytest.approx(0.1, abs=0.03)
