"""Several models of each chain in a batch, for models that sample conformers in groups."""

import numpy as np
import pytest
import torch

from rnagen.data.batches import DeviceChains
from rnagen.data.plans import CHOICES, BatchPlan
from rnagen.geometry import random_rotations
from tests.helpers.tiny import make_chain, replace, stacked

C1 = 2


def chains():
    return [make_chain(20, models=1), make_chain(24, models=2, seed=1, resolved=0.9), make_chain(22, models=6, seed=2)]


def in_groups(conformers: int) -> DeviceChains:
    on_device = DeviceChains(stacked(chains()), 0.0)
    on_device.conformers = conformers
    return on_device


def plan(seed: int) -> BatchPlan:
    choices = np.random.default_rng(seed).random((6, CHOICES), dtype=np.float32)
    return BatchPlan(np.array([0, 1, 2, 2, 1, 0]), choices, 24, seed)


def distances(coords: torch.Tensor) -> torch.Tensor:
    return torch.cdist(coords, coords)


def test_they_are_different_models_in_the_pose_of_the_first() -> None:
    pairs = set()
    for seed in range(12):
        batch = in_groups(3).batch(plan(seed))
        assert batch.models is not None
        coords, mask = batch.models
        assert torch.equal(coords[:, 0], batch.coords)
        assert torch.equal(mask[:, 0], batch.mask)
        assert not coords[~mask].any()
        for row, number in enumerate(plan(seed).rows):
            chain, found = chains()[number], []
            for model in range(3):
                known = mask[row, model].all(-1)
                same = [
                    m
                    for m in range(len(chain.coords))
                    if np.array_equal(chain.mask[m], mask[row, model, : len(chain.bases)].numpy())
                    and torch.allclose(
                        distances(coords[row, model, known, C1]),
                        distances(torch.from_numpy(chain.coords[m])[known[: len(chain.bases)], C1]),
                        atol=1e-2,
                    )
                ]
                found += same[:1]
            assert len(found) == 3
            assert len(set(found)) == min(3, len(chain.coords))
            if number == 2:
                pairs.add((found[0], found[1]))
            # In one pose: no model is further from the first than it would be after a turn of it.
            both = (mask[row, 1] & mask[row, 0])[..., None]
            turn = random_rotations(1, torch.Generator().manual_seed(seed))[0]
            error = (torch.where(both, coords[row, 1] - coords[row, 0], 0.0)).square().sum()
            turned = (torch.where(both, coords[row, 1] @ turn.mT - coords[row, 0], 0.0)).square().sum()
            assert error <= turned
    assert len(pairs) > 15, "of 30 ordered pairs of the six models"


def test_one_model_each_is_the_batch_as_before() -> None:
    plain, grouped = in_groups(1).batch(plan(0)), in_groups(3).batch(plan(0))
    assert plain.models is None
    assert torch.equal(plain.coords, grouped.coords)
    assert torch.equal(plain.features.bases, grouped.features.bases)


@pytest.mark.parametrize("rank", [0, 1])
def test_processes_share_them(rank: int) -> None:
    whole, part = in_groups(3).batch(plan(5)), in_groups(3).batch(plan(5), rank, 2)
    for one, other in zip(whole.models, part.models):
        torch.testing.assert_close(other, one[rank::2])
    moved = replace(part).to("cpu")
    assert torch.equal(moved.models[0], part.models[0])
