"""Pair features from alignments: closed forms, invariances, and what must give nothing."""

import numpy as np
import pytest

from rnagen.io.alignment import GAP, Alignment
from rnagen.secondary.coevolution import (
    CONSENSUS_ROWS,
    DEPTH_OF_HALF,
    PAIRS_PER_RESIDUE,
    STRONG,
    alignment_features,
    consensus_pairs,
    covariation,
    sequence_weights,
)
from rnagen.secondary.vienna import MAXIMUM_LENGTH, base_pair_probabilities
from rnagen.structure import ALIGNED, encode_sequence

COMPLEMENT = np.array([3, 2, 1, 0])
"""Of A, C, G and U, by their codes."""


def alignment(*rows: str) -> Alignment:
    return Alignment(np.stack([encode_sequence(row).astype(np.uint8) for row in rows]))


def random_rows(count: int, length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(4, size=(count, length)).astype(np.uint8)


def test_two_columns_that_covary_are_found() -> None:
    rows = random_rows(60, 30)
    rows[:, 22] = COMPLEMENT[rows[:, 5]]
    scores = covariation(Alignment(rows))
    assert np.unravel_index(scores.argmax(), scores.shape) == (5, 22)
    assert scores[5, 22] > 1.2 * np.partition(np.triu(scores).ravel(), -2)[-2]
    np.testing.assert_array_equal(scores, scores.T)


def test_the_gap_of_two_columns_is_no_covariation() -> None:
    rows = random_rows(60, 30)
    rows[:, 5], rows[:, 22] = 0, 3
    rows[1:30, 5] = rows[1:30, 22] = GAP
    scores = covariation(Alignment(rows))
    paired = rows.copy()
    paired[1:30, 5], paired[1:30, 22] = 3, 0
    assert scores[5, 22] < 0.8 * covariation(Alignment(paired))[5, 22]


def test_scores_are_standardised_and_shrunk_by_depth() -> None:
    rows = random_rows(40, 25)
    scores = covariation(Alignment(rows))[np.triu_indices(25, 4)]
    assert sequence_weights(rows).sum() == 40
    assert scores.mean() == pytest.approx(0, abs=1e-6)
    assert scores.std() == pytest.approx(39 / (38 + DEPTH_OF_HALF) / STRONG, rel=1e-4)
    near = covariation(Alignment(rows))[np.abs(np.subtract.outer(np.arange(25), np.arange(25))) < 4]
    assert (near == 0).all()


def test_two_families_weigh_the_same() -> None:
    rows = np.zeros((5, 10), dtype=np.uint8)
    rows[1:] = 2
    rows[2, 0] = GAP
    np.testing.assert_allclose(sequence_weights(rows), [1, 0.25, 0.25, 0.25, 0.25])


def test_rows_like_the_query_say_nothing() -> None:
    query = "GGGACGCGAAAGCGUCCC"
    assert len(alignment_features(alignment(query)).pairs) == 0
    identical = alignment(*[query] * 6)
    np.testing.assert_array_equal(covariation(identical), 0)
    # The consensus of copies is that of one, up to alifold's bonus for conserved pairs.
    assert consensus_pairs(identical)[0, 17] == pytest.approx(base_pair_probabilities(query)[0, 17], abs=0.1)


def test_a_helix_that_covaries_is_in_both_channels() -> None:
    rng = np.random.default_rng(1)
    stem = random_rows(24, 6, seed=2)
    loop = rng.integers(4, size=(24, 12)).astype(np.uint8)
    rows = np.concatenate([stem, loop, COMPLEMENT[stem[:, ::-1]].astype(np.uint8)], axis=1)
    pair_features = alignment_features(Alignment(rows))
    dense = pair_features.dense_features()
    i = np.arange(6)
    assert (dense[i, 23 - i, ALIGNED.index("consensus")] > 0.9).all()
    assert (dense[i, 23 - i, ALIGNED.index("covariation")] > 0.1).all()


def test_the_order_of_the_other_rows_changes_nothing() -> None:
    rows = random_rows(2 * CONSENSUS_ROWS, 30)
    rows[np.random.default_rng(3).random(rows.shape) < 0.1] = GAP
    rows[0] = random_rows(1, 30, seed=4)
    order = np.r_[0, 1 + np.random.default_rng(5).permutation(len(rows) - 1)]
    one, other = (alignment_features(Alignment(r)) for r in (rows, rows[order]))
    np.testing.assert_allclose(one.dense_features(), other.dense_features(), atol=2e-5)


def test_evidence_is_a_sorted_sparse_list() -> None:
    pair_features = alignment_features(Alignment(random_rows(50, 40)))
    i, j = pair_features.pairs.T
    assert (i < j).all()
    assert pair_features.pairs.tolist() == sorted(pair_features.pairs.tolist())
    assert pair_features.pair_features.shape == (len(pair_features.pairs), len(ALIGNED))
    assert (pair_features.pair_features >= 0).all()
    assert pair_features.pair_features.any(axis=1).all()
    assert 0 < (pair_features.pair_features[:, 1] > 0).sum() <= PAIRS_PER_RESIDUE * 40
    dense = pair_features.dense_features()
    np.testing.assert_array_equal(dense, dense.transpose(1, 0, 2))
    np.testing.assert_array_equal(dense[i, j], pair_features.pair_features)
    assert (dense[np.arange(40), np.arange(40)] == 0).all()


@pytest.mark.parametrize("length", [1, 4, 5])
def test_short_queries(length: int) -> None:
    pair_features = alignment_features(Alignment(random_rows(3, length)))
    assert np.isfinite(pair_features.pair_features).all()
    assert pair_features.length == length


def test_rows_of_gaps_and_unknown_residues_are_finite() -> None:
    rows = random_rows(8, 20)
    rows[1], rows[2], rows[:, 7] = GAP, 4, 4
    values = alignment_features(Alignment(rows)).pair_features
    assert np.isfinite(values).all()


def test_too_long() -> None:
    with pytest.raises(ValueError, match=f"{MAXIMUM_LENGTH + 1} nt"):
        alignment_features(Alignment(np.zeros((2, MAXIMUM_LENGTH + 1), dtype=np.uint8)))
