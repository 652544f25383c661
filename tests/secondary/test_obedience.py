"""The share of given pairs that conformers have, and of their pairs that were not given."""

import numpy as np
import pytest

from rnagen.io.dot_bracket import parse_dot_bracket
from rnagen.preparation.synthetic import synthetic_rna
from rnagen.secondary.native import bead_pair_table
from rnagen.secondary.obedience import given_pairs, obedience
from rnagen.structure import BEADS, UNKNOWN, UNPAIRED, RNAStructure


def hairpin() -> RNAStructure:
    return synthetic_rna(3, 40)


def test_a_structure_obeys_its_own_pairs() -> None:
    rna = hairpin()
    beads = rna.select_atoms(BEADS)
    own = bead_pair_table(rna.sequence, beads.coords[0], beads.mask[0])
    (found,) = obedience(rna, own)
    assert found.given == found.present == found.both > 3
    assert found.shares == {"given_present": 1, "present_not_given": 0}


def test_half_of_the_pairs_given() -> None:
    rna = hairpin()
    own = bead_pair_table(
        rna.sequence, *(part[0] for part in (rna.select_atoms(BEADS).coords, rna.select_atoms(BEADS).mask))
    )
    pairs = sorted(given_pairs(rna.sequence, own))
    half = np.full(len(rna), UNPAIRED, dtype=np.int16)
    for i, j in pairs[::2]:
        half[i], half[j] = j, i
    (found,) = obedience(rna, half)
    assert (found.given, found.present, found.both) == (len(pairs[::2]), len(pairs), len(pairs[::2]))
    assert found.present_not_given == pytest.approx(1 - len(pairs[::2]) / len(pairs))
    half[half == UNPAIRED] = UNKNOWN
    (found,) = obedience(rna, half)
    assert found.shares == {"given_present": 1, "present_not_given": 0}


def test_without_pairs_there_is_no_share() -> None:
    rna = hairpin()
    line = RNAStructure("line", rna.sequence, np.zeros((2, 40, 4, 3), np.float32), np.ones((2, 40, 4), bool), BEADS)
    line.coords[..., 0] = 50 * np.arange(40)[:, None]
    nothing = np.full(40, UNPAIRED, dtype=np.int16)
    assert [one.shares for one in obedience(line, nothing)] == [{"given_present": None, "present_not_given": None}] * 2
    with pytest.raises(ValueError, match="a pair table of 3 residues"):
        obedience(line, nothing[:3])


def test_pairs_that_no_bead_shows_do_not_count() -> None:
    table = parse_dot_bracket("((((..))))")
    assert given_pairs("GAGAAACACC", table) == {(0, 9)}
    assert given_pairs("GG..CC".replace(".", "A"), parse_dot_bracket("((..))")) == {(0, 5)}
