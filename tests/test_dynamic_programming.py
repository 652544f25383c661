import itertools
import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnagen.dynamic_programming import Gaps, align


def gain(scores: np.ndarray, gaps: Gaps, pairs: list[tuple[int, int]]) -> float:
    """Total of an alignment by the definition."""
    n, m = scores.shape
    if not pairs:
        return -n * gaps.overhang[0] - m * gaps.overhang[1]
    total = sum(float(scores[i, j]) for i, j in pairs)
    for side, length in enumerate((n, m)):
        total -= gaps.overhang[side] * (pairs[0][side] + length - 1 - pairs[-1][side])
        for before, after in itertools.pairwise(pairs):
            skipped = after[side] - before[side] - 1
            total -= (gaps.open + gaps.extend * (skipped - 1)) if skipped else 0
    return total


def best_total(scores: np.ndarray, gaps: Gaps) -> float:
    """The maximum over all alignments, by the recursion over what follows a pair."""
    n, m = scores.shape

    def gap(skipped: int) -> float:
        return gaps.open + gaps.extend * (skipped - 1) if skipped else 0.0

    @cache
    def from_pair(i: int, j: int) -> float:
        ends = -gaps.overhang[0] * (n - 1 - i) - gaps.overhang[1] * (m - 1 - j)
        later = itertools.product(range(i + 1, n), range(j + 1, m))
        follows = [from_pair(x, y) - gap(x - i - 1) - gap(y - j - 1) for x, y in later]
        return float(scores[i, j]) + max([ends, *follows])

    begins = [from_pair(i, j) - gaps.overhang[0] * i - gaps.overhang[1] * j for i in range(n) for j in range(m)]
    return max([gain(scores, gaps, []), *begins])


def pairs_of(aligned: np.ndarray) -> list[tuple[int, int]]:
    return [(i, int(j)) for i, j in enumerate(aligned) if j >= 0]


costs = st.sampled_from([0.0, 0.3, 1.0, 2.5])


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 10**6), costs, costs, st.tuples(costs, costs))
def test_total_is_the_maximum_and_the_pairs_have_it(
    n: int, m: int, seed: int, opening: float, extension: float, overhang: tuple[float, float]
) -> None:
    gaps = Gaps(max(opening, extension), extension, overhang)
    scores = np.random.default_rng(seed).normal(size=(3, n, m)).round(2).astype(np.float32)
    totals, aligned = align(scores, gaps)
    for one, total, found in zip(scores, totals, aligned):
        pairs = pairs_of(found)
        assert [j for _, j in pairs] == sorted({j for _, j in pairs})
        assert total == pytest.approx(best_total(one, gaps), abs=1e-4)
        assert total == pytest.approx(gain(one, gaps, pairs), abs=1e-4)


def test_an_insertion_is_one_gap() -> None:
    scores = np.full((1, 6, 9), -5.0, dtype=np.float32)
    wanted = [0, 1, 2, 6, 7, 8]
    scores[0, range(6), wanted] = 4
    totals, aligned = align(scores, Gaps(8.0, 0.5))
    assert aligned[0].tolist() == wanted
    assert totals[0] == pytest.approx(6 * 4 - 8 - 2 * 0.5)
    # Its transpose has the gap in the other chain.
    totals, aligned = align(scores.swapaxes(1, 2), Gaps(8.0, 0.5))
    assert aligned[0].tolist() == [0, 1, 2, -1, -1, -1, 3, 4, 5]
    assert totals[0] == pytest.approx(15)


def test_overhang_of_one_chain_only() -> None:
    """The second residue of three fits the first of two: a cost of 0.3 counts for two residues of the one or one of the
    other."""
    scores = np.full((1, 3, 2), -np.inf, dtype=np.float32)
    scores[0, 1, 0] = 1
    for overhang, total in (((0.0, 0.0), 1), ((0.3, 0.0), 0.4), ((0.0, 0.3), 0.7), ((0.3, 0.3), 0.1)):
        totals, aligned = align(scores, Gaps(8.0, 0.5, overhang))
        assert totals[0] == pytest.approx(total)
        assert aligned[0].tolist() == [-1, 0, -1]


def test_nothing_is_aligned_where_nothing_gains() -> None:
    totals, aligned = align(np.full((1, 3, 4), -2.0), Gaps(1.0, 1.0, (0.1, 0.0)))
    assert totals[0] == pytest.approx(-0.3)
    assert (aligned == -1).all()


def test_padding_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    gaps = Gaps(0.6, 0.1, (0.2, 0.05))
    lengths = np.array([[7, 5], [4, 9], [1, 1]])
    padded = np.full((3, 7, 9), math.nan, dtype=np.float32)
    for one, (n, m) in zip(padded, lengths):
        one[:n, :m] = rng.normal(size=(n, m))
    totals, aligned = align(padded, gaps, lengths)
    for one, (n, m), total, found in zip(padded, lengths, totals, aligned):
        alone, alone_aligned = align(one[None, :n, :m], gaps)
        assert total == pytest.approx(alone[0], abs=1e-5)
        assert found[:n].tolist() == alone_aligned[0].tolist()
        assert (found[n:] == -1).all()
