"""The scan finds the total of the best alignment with each chain of a library."""

from itertools import combinations, pairwise

import numpy as np
import pytest

from rnagen.dynamic_programming import align
from rnagen.templates.library import Library
from rnagen.templates.query import Query, codes_of
from rnagen.templates.scan import buckets_of, scan
from rnagen.templates.scoring import Scoring
from tests.helpers.queries import query, random_template

SCORING = Scoring(gap_open=2.0, gap_extend=0.5, overhang=0.3)


def library(seed: int, lengths: list[int]) -> Library:
    rng = np.random.default_rng(seed)
    return Library.of([random_template(rng, length, f"t{k}_A") for k, length in enumerate(lengths)])


def test_totals_are_those_of_the_alignment() -> None:
    templates = library(0, [3, 60, 12, 13, 40, 11, 100, 30])
    wanted = query("GGGAAACUUCGGUUACCCAGANNG")
    scores = scan(wanted, buckets_of(templates), SCORING)
    for row, score in enumerate(scores):
        table = wanted.table(SCORING.structure)[:, codes_of(templates.chain(row))]
        total, _ = align(table[None], SCORING.gaps)
        assert score == pytest.approx(total[0] / len(wanted), abs=1e-4)


def best_by_hand(wanted: Query, codes: np.ndarray) -> float:
    """Of all alignments of two tiny chains."""
    table = wanted.table(SCORING.structure)[:, codes]
    n, m = table.shape
    best = -SCORING.overhang * n
    for size in range(1, min(n, m) + 1):
        for rows in combinations(range(n), size):
            for columns in combinations(range(m), size):
                gaps = [later - earlier - 1 for side in (rows, columns) for earlier, later in pairwise(side)]
                cost = sum(SCORING.gap_open + SCORING.gap_extend * (gap - 1) for gap in gaps if gap)
                ends = SCORING.overhang * (rows[0] + n - 1 - rows[-1])
                best = max(best, float(table[rows, columns].sum()) - cost - ends)
    return best


@pytest.mark.parametrize("seed", range(5))
def test_totals_are_the_best_of_all_alignments(seed: int) -> None:
    templates = library(seed, [3, 4, 6, 7])
    wanted = query("GACGU")
    scores = scan(wanted, buckets_of(templates), SCORING)
    for row, score in enumerate(scores):
        expected = best_by_hand(wanted, codes_of(templates.chain(row)))
        assert score == pytest.approx(expected / len(wanted), abs=1e-4)


def test_each_chain_is_in_one_bucket() -> None:
    templates = library(1, [10, 300, 11, 50, 51, 12])
    rows = np.concatenate([bucket.rows for bucket in buckets_of(templates)])
    assert sorted(rows) == list(range(len(templates)))


def test_a_bucket_has_the_codes_of_each_of_its_chains() -> None:
    """And behind a chain nothing that any residue has."""
    known = library(5, [7, 30, 8, 31, 33])
    for bucket in buckets_of(known):
        for row, codes in zip(bucket.rows.tolist(), bucket.codes.T):
            expected = codes_of(known.chain(row))
            assert np.array_equal(codes[: len(expected)], expected)
            assert (codes[len(expected) :] == 20).all()


def test_one_residue() -> None:
    templates = library(2, [5, 9])
    assert np.isfinite(scan(query("G"), buckets_of(templates), SCORING)).all()


def test_an_empty_library() -> None:
    assert scan(query("GGGAAACCC"), buckets_of(Library.of([])), SCORING).shape == (0,)
