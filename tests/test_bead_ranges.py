import numpy as np
import pytest

from rnagen.aform import helix
from rnagen.bead_ranges import FIXED, MARGIN, TO_NEXT_RESIDUE, WITHIN_RESIDUE, chain_distances
from rnagen.structure import BEADS

ALL = {
    **{(0, *names): found for names, found in WITHIN_RESIDUE.items()},
    **{(1, *k): v for k, v in TO_NEXT_RESIDUE.items()},
}


@pytest.mark.parametrize("key", ALL)
def test_ranges_lie_within_each_other(key: tuple[int, str, str]) -> None:
    found = ALL[key]
    assert found.possible[0] < found.least <= found.low < found.high <= found.most < found.possible[1]
    assert found.possible[1] - found.most == pytest.approx(MARGIN)


def test_an_ideal_helix_is_within_all_usual_ranges() -> None:
    coords = helix(6)[0]
    pairs, limits = chain_distances(np.ones(5, dtype=bool), BEADS, "usual")
    assert len(pairs) == 6 * 6 + 5 * 16
    apart = np.linalg.norm(np.diff(coords.reshape(-1, 3)[pairs], axis=1)[:, 0], axis=-1)
    assert ((limits[:, 0] - 0.1 < apart) & (apart < limits[:, 1] + 0.1)).all()


def test_atoms_and_distances_that_are_not_wanted_are_left_out() -> None:
    follows = np.array([True, False, True])
    pairs, _ = chain_distances(follows, BEADS, "possible", FIXED)
    assert len(pairs) == 4 * 3 + 2 * 3
    alone, limits = chain_distances(follows, ("C1'",), "usual")
    np.testing.assert_array_equal(alone, [[0, 1], [2, 3]])
    np.testing.assert_array_equal(limits, [TO_NEXT_RESIDUE["C1'", "C1'"].usual] * 2)
