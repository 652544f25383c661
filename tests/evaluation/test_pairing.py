"""Residues of prediction and reference are paired by number, order, shift or alignment, in this order."""

from dataclasses import replace

import numpy as np
import pytest

from rnagen.errors import InputError
from rnagen.evaluation.pairing import count_paired, on_reference
from rnagen.structure import RNAStructure


def rna(sequence: str, numbers: list[int] | None = None, name: str = "target") -> RNAStructure:
    """C1' of residue i at (i, 0, 0)."""
    length = len(sequence)
    coords = np.zeros((1, length, 1, 3), np.float32)
    coords[0, :, 0, 0] = np.arange(1, length + 1)
    index = np.array(numbers or range(1, length + 1), np.int32)
    return RNAStructure(name, sequence, coords, np.ones((1, length, 1), bool), ("C1'",), index)


def places(prediction: RNAStructure, reference: RNAStructure) -> list[int]:
    """Which residue of the prediction (from 1) each of the reference got, 0 for none."""
    found = on_reference(prediction, reference)
    assert (found.name, found.sequence) == (reference.name, reference.sequence)
    np.testing.assert_array_equal(found.mask[0, :, 0], found.coords[0, :, 0, 0] > 0)
    return found.coords[0, :, 0, 0].astype(int).tolist()


SEQUENCE = "GGACUUCGGUCCAAGCUA"


def test_by_number_where_numbers_overlap_and_bases_agree() -> None:
    repeat = rna("CUG" * 4), rna("CUG" * 4, list(range(4, 16)))
    assert places(*repeat) == [4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 0, 0]
    hole = rna(SEQUENCE[:5] + SEQUENCE[9:], [*range(1, 6), *range(10, 19)])
    assert places(rna(SEQUENCE), hole) == [*range(1, 6), *range(10, 19)]
    assert places(hole, rna(SEQUENCE))[:10] == [1, 2, 3, 4, 5, 0, 0, 0, 0, 6]


def test_in_order_where_the_numbers_are_the_authors() -> None:
    assert places(rna(SEQUENCE), rna(SEQUENCE, list(range(2647, 2665)))) == list(range(1, 19))


def test_by_a_shift_where_the_authors_numbers_have_a_gap() -> None:
    reference = rna(SEQUENCE[:5] + SEQUENCE[9:], [*range(101, 106), *range(110, 119)])
    assert places(rna(SEQUENCE), reference) == [*range(1, 6), *range(10, 19)]


def test_by_alignment_where_numbers_run_on_over_a_gap() -> None:
    reference = rna(SEQUENCE[:5] + SEQUENCE[8:])
    assert places(rna(SEQUENCE), reference) == [*range(1, 6), *range(9, 19)]


def test_any_base_fits_an_unknown_one() -> None:
    assert places(rna("N" + SEQUENCE[1:]), rna(SEQUENCE)) == list(range(1, 19))


@pytest.mark.parametrize(
    ("sequence", "reason"),
    [
        ("A" + SEQUENCE[1:], "target: residue 1 is A in the prediction, G in the reference"),
        ("AUAUAUAUAUAU", "target: 12 residues are predicted, the reference has 18"),
    ],
)
def test_another_rna_is_refused(sequence: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        on_reference(rna(sequence), rna(SEQUENCE))
    assert count_paired(rna(sequence), rna(SEQUENCE)) == 0


def test_nothing_to_score_is_refused() -> None:
    empty = rna(SEQUENCE)
    with pytest.raises(InputError, match="target: has no C1' atom"):
        on_reference(replace(empty, mask=np.zeros_like(empty.mask)), rna(SEQUENCE))
