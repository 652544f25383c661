"""Base pairs of the plane drawing, and those found in conformers."""

import numpy as np

from rnagen.report.page.pairs import as_text, found_pairs, has_bases, pair_shares, plane_layout, plane_pairs
from rnagen.structure import BEADS, HEAVY_ATOMS, RNAStructure

HAIRPIN = "GGGGCUUCGGCCCC"


def test_a_structure_that_was_given_is_drawn() -> None:
    plane = plane_pairs({"sequence": HAIRPIN, "secondary_structure": "((..........))"})
    assert (as_text(plane.pair_table), plane.source) == ("((..........))", "given for this RNA")
    assert plane.probability(13, 0) == plane.probability(0, 13)
    assert plane.probability(0, 5) == 0


def test_probabilities_that_were_given_are_not_replaced() -> None:
    plane = plane_pairs({"sequence": HAIRPIN, "pair_probabilities_sha256": "0f"})
    assert as_text(plane.pair_table) == "(((((....)))))"
    assert plane.probability(0, 13) is None


def test_without_one_the_predicted_is_drawn() -> None:
    plane = plane_pairs({"sequence": HAIRPIN, "secondary_structure": None})
    assert as_text(plane.pair_table) == "(((((....)))))"
    assert plane.probability(0, 13) > 0.9


def test_of_a_long_rna_likely_pairs_are_drawn(monkeypatch) -> None:
    monkeypatch.setattr("rnagen.report.page.pairs.LONGEST_MFE", 10)
    plane = plane_pairs({"sequence": HAIRPIN, "secondary_structure": None})
    assert as_text(plane.pair_table) == "(((((....)))))"
    assert plane.source.startswith("pairs more probable than 0.5")


def test_strands_are_drawn_as_one() -> None:
    plane = plane_pairs({"sequence": "GGGGC&GCCCC", "secondary_structure": None})
    assert as_text(plane.pair_table) == "((((()))))"
    assert plane_layout(plane.pair_table).shape == (10, 2)


def test_pairs_that_cannot_be_written_are_dots() -> None:
    assert as_text(np.array([1, 2, 0], dtype=np.int16)) == "..."
    assert as_text(np.array([-2, -1], dtype=np.int16)) == ".."


def test_beads_far_apart_have_no_pair() -> None:
    coords = np.arange(2 * 6 * 4 * 3, dtype=np.float32).reshape(2, 6, 4, 3) * 40
    structure = RNAStructure("rna", "GGAACC", coords, np.ones((2, 6, 4), bool), BEADS)
    assert [as_text(table) for table in found_pairs(structure)] == ["......"] * 2
    assert not has_bases(structure)
    assert has_bases(structure.select_atoms(HEAVY_ATOMS))
    assert [as_text(table) for table in found_pairs(structure.select_atoms(HEAVY_ATOMS))] == ["......"] * 2


def test_shares_of_pairs() -> None:
    tables = [np.array([3, -1, -1, 0], np.int16), np.array([3, 2, 1, 0], np.int16)]
    assert pair_shares(tables) == {(0, 3): 1.0, (1, 2): 0.5}
