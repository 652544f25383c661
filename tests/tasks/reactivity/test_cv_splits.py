"""Splits that keep similar sequences together."""

import os
import random
import time
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from rnagen.io.reactivity_table import ReactivityTable
from rnagen.preparation.clusters import IDENTITY, identity
from rnagen.tasks.reactivity.cv_splits import assign_splits, deal, similarity_groups


def families(count: int, size: int, seed: int = 0) -> list[str]:
    """Chains of mutants: each differs from the one before it in a tenth of 40 to 80 residues."""
    rng = random.Random(seed)
    sequences = []
    for _ in range(count):
        sequence = [rng.choice("ACGU") for _ in range(rng.randint(40, 80))]
        for _ in range(size):
            sequences.append("".join(sequence))
            for position in rng.sample(range(len(sequence)), len(sequence) // 10):
                sequence[position] = rng.choice("ACGU")
    rng.shuffle(sequences)
    return sequences


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("AC", min_size=1, max_size=12), min_size=1, max_size=14))
def test_groups_are_the_components_of_the_similar_pairs(sequences: list[str]) -> None:
    groups = similarity_groups(sequences)
    # Spread labels along similar pairs until nothing changes.
    expected = list(range(len(sequences)))
    for _ in sequences:
        for i, j in combinations(range(len(sequences)), 2):
            if identity(sequences[i], sequences[j]) >= IDENTITY:
                expected[i] = expected[j] = min(expected[i], expected[j])
    for i, j in combinations(range(len(sequences)), 2):
        assert (groups[i] == groups[j]) == (expected[i] == expected[j])


def test_groups_do_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    sequences = families(6, 5)
    whole = similarity_groups(sequences)
    monkeypatch.setattr("rnagen.tasks.reactivity.cv_splits.BLOCK", 4)
    pieces = similarity_groups(sequences)
    np.testing.assert_array_equal(whole[:, None] == whole, pieces[:, None] == pieces)


def closest_across(sequences: list[str], cv_splits: np.ndarray) -> float:
    """Largest identity of two sequences in different splits."""
    identities = process.cdist(sequences, sequences, scorer=Levenshtein.normalized_similarity)
    return float(identities[cv_splits[:, None] != cv_splits].max())


def test_no_pair_across_splits_is_similar(tmp_path: Path) -> None:
    sequences = families(12, 5)
    assert closest_across(sequences, assign_splits(sequences, 4, 0, tmp_path)) < IDENTITY
    assert closest_across(sequences, np.arange(len(sequences)) % 4) > IDENTITY


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=12, max_size=200), st.integers(1, 4), st.integers(0, 5))
def test_groups_stay_whole_and_splits_even(groups: list[int], cv_splits: int, seed: int) -> None:
    numbers = np.array([*groups, *range(4)])
    dealt = deal(numbers, cv_splits, seed)
    assert set(dealt.tolist()) == set(range(cv_splits))
    for group in set(numbers.tolist()):
        assert len(set(dealt[numbers == group].tolist())) == 1
    sizes = np.bincount(dealt)
    assert sizes.max() - sizes.min() <= np.bincount(numbers).max()


def test_splits_are_a_function_of_the_seed() -> None:
    groups = np.arange(40)
    np.testing.assert_array_equal(deal(groups, 5, 3), deal(groups, 5, 3))
    assert (deal(groups, 5, 3) != deal(groups, 5, 4)).any()
    np.testing.assert_array_equal(np.bincount(deal(groups, 5, 3)), [8] * 5)
    with pytest.raises(ValueError, match="3 groups of similar sequences cannot fill 4 splits"):
        deal(np.arange(3), 4, 0)


def test_groups_are_stored_and_equal_sequences_stay_together(tmp_path: Path) -> None:
    sequences = families(8, 2)
    cv_splits = assign_splits(sequences, 3, 0, tmp_path)
    (file,) = tmp_path.iterdir()
    stamp = os.stat(file)
    twice = assign_splits([*reversed(sequences), *sequences], 3, 0, tmp_path)
    assert os.stat(file) == stamp
    assert (twice[:16][::-1] == twice[16:]).all()
    np.testing.assert_array_equal(cv_splits, assign_splits(sequences, 3, 0, tmp_path))
    assign_splits(sequences[1:], 3, 0, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_splits_of_the_real_file(shared_data: Path, tmp_path: Path) -> None:
    table = ReactivityTable.open(shared_data / "reactivity" / "train_data.parquet", tmp_path)
    sequences = table.sequences()
    start, cpu = time.perf_counter(), time.process_time()
    cv_splits = assign_splits(sequences, 5, 0, tmp_path)
    print(f"grouped in {time.perf_counter() - start:.0f} s ({time.process_time() - cpu:.0f} s of CPU time)")
    print("examples per split:", np.bincount(cv_splits))
    assert np.ptp(np.bincount(cv_splits)) <= 1
    some = np.random.default_rng(0).choice(len(sequences), 3000, replace=False)
    closest = closest_across([sequences[n] for n in some], cv_splits[some])
    print(f"closest of 3000 sequences across splits: {closest:.3f}")
    assert closest < IDENTITY
