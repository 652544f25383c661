"""Base pairs inferred from C1' alone."""

import numpy as np
import pytest

from rnagen.aform import C1, helix
from rnagen.secondary.trace import complementary, pair_table_of_trace
from rnagen.structure import UNKNOWN, UNPAIRED, encode_sequence


def stem(sequence: str, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Bases and C1' of an ideal stem of so many pairs whose loop lies far away."""
    first, second = (strand[:, C1] for strand in helix(number))
    loop = 500 + 50 * np.arange(len(sequence) - 2 * number)[:, None] * np.ones(3)
    return encode_sequence(sequence).astype(np.uint8), np.concatenate([first, loop, second[::-1]])


def table(sequence: str, number: int) -> list[int]:
    bases, c1 = stem(sequence, number)
    return pair_table_of_trace(bases, c1, np.ones(len(bases), dtype=bool)).tolist()


def test_an_ideal_stem_is_found() -> None:
    assert table("GGCAAAAGUC", 3) == [9, 8, 7, -1, -1, -1, -1, 2, 1, 0]


def test_bases_that_cannot_pair_and_pairs_that_stand_alone_are_left_out() -> None:
    assert table("GGAAAAAAUC", 3) == [9, 8, -1, -1, -1, -1, -1, -1, 1, 0]
    assert table("GAAAAC", 1) == [UNPAIRED] * 6


def test_unresolved_residues_are_unknown() -> None:
    bases, c1 = stem("GGGGAAAACCCC", 4)
    known = np.ones(len(bases), dtype=bool)
    known[0] = False
    assert pair_table_of_trace(bases, c1, known).tolist() == [UNKNOWN, 10, 9, 8, -1, -1, -1, -1, 3, 2, 1, -1]


@pytest.mark.parametrize("length", [0, 1, 4])
def test_short_chains(length: int) -> None:
    found = pair_table_of_trace(np.zeros(length, np.uint8), np.zeros((length, 3)), np.ones(length, dtype=bool))
    assert found.tolist() == [UNPAIRED] * length


def test_complementary_bases() -> None:
    names = ["".join("ACGUN"[k] for k in pair) for pair in np.argwhere(complementary())]
    assert sorted(names) == ["AU", "CG", "GC", "GU", "UA", "UG"]
