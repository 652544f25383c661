import numpy as np
import pytest
import torch

from rnagen import aform
from rnagen.evaluation import baselines

HAIRPIN = [(i, 27 - i) for i in range(12)]


def distances(x: torch.Tensor) -> torch.Tensor:
    return torch.cdist(x, x)


def test_shapes() -> None:
    assert baselines.random_walk(7, 0).shape == (5, 7, 3)
    assert baselines.helix(7).shape == (1, 7, 3)
    assert baselines.stem_fold(7, [(0, 6)], 0).shape == (3, 7, 3)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_short_chains(length: int) -> None:
    for coords in (baselines.random_walk(length, 0), baselines.helix(length), baselines.stem_fold(length, [], 0)):
        assert coords.shape[1] == length
        assert coords.isfinite().all()


def test_steps_of_a_walk() -> None:
    coords = baselines.random_walk(20, 3)
    assert np.allclose((coords[:, 1:] - coords[:, :-1]).norm(dim=-1), baselines.STEP, atol=1e-3)


def test_random_baselines_depend_on_the_seed_alone() -> None:
    torch.manual_seed(1)
    first = baselines.random_walk(20, 3), baselines.stem_fold(28, HAIRPIN, 3)
    torch.manual_seed(2)
    again = baselines.random_walk(20, 3), baselines.stem_fold(28, HAIRPIN, 3)
    assert all(torch.equal(a, b) for a, b in zip(first, again))
    assert not torch.equal(first[0], baselines.random_walk(20, 4))
    assert not torch.equal(first[0][0], first[0][1])


def test_helix_has_the_tabulated_distances_and_is_right_handed() -> None:
    helix = baselines.helix(20)
    for k, distance in baselines.ALONG_STRAND.items():
        assert float(distances(helix)[0, 3, 3 + k]) == pytest.approx(distance, abs=0.15)
    assert float(baselines.handedness(helix, torch.arange(17))) > 5
    assert float(baselines.handedness(-helix, torch.arange(17))) < -5


def test_tabulated_distances_are_those_of_a_double_helix() -> None:
    first, second = (torch.from_numpy(strand[:, aform.C1]) for strand in aform.helix(12))
    for k, distance in baselines.ACROSS_PAIR.items():
        # Row r of the second strand pairs with row r of the first: residue j + k pairs with i - k.
        assert float((first[6] - second[6 - k]).norm()) == pytest.approx(distance, abs=0.3)


def test_stem_fold_keeps_its_restraints() -> None:
    structures = baselines.stem_fold(28, HAIRPIN, 0)
    # A fold can be caught with a stem half left-handed: that is why there are three, and the median is looked at.
    found = distances(structures).median(0).values
    for i, j in HAIRPIN[3:9]:
        assert float(found[i, j]) == pytest.approx(10.7, abs=1)
        assert float(found[i, j + 1]) == pytest.approx(8.2, abs=1)
        assert float(found[i, j - 1]) == pytest.approx(13.8, abs=1)
    assert found.diagonal(1).numpy() == pytest.approx(5.5, abs=1)
    starts = torch.tensor([*range(9), *range(16, 25)])
    assert (baselines.handedness(structures, starts) > 0).all()


def test_stem_fold_without_pairs_is_a_chain_that_does_not_collide() -> None:
    found = distances(baselines.stem_fold(30, [], 0))
    assert found[:, torch.arange(29), torch.arange(1, 30)].numpy() == pytest.approx(baselines.STEP, abs=0.3)
    i, j = torch.triu_indices(30, 30, 2)
    assert float(found[:, i, j].min()) > baselines.APART - 0.5


def test_stem_fold_works_where_gradients_are_off() -> None:
    with torch.no_grad():
        assert baselines.stem_fold(10, [(0, 9)], 0).isfinite().all()
