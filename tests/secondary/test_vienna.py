"""Base-pair probabilities and minimum-free-energy structures."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnagen.secondary import vienna as basepairs
from rnagen.secondary.local import LONGEST
from rnagen.secondary.pairs import MINIMUM_PROBABILITY
from rnagen.secondary.vienna import (
    OTHER_MODELS,
    SecondaryStructureCache,
    base_pair_probabilities,
    mfe_dot_bracket,
    mfe_pairs,
    sampled_pair_tables,
    secondary_structures_of,
    sparse_base_pairs,
    with_other_models,
)
from rnagen.structure import ENERGIES

HAIRPIN = "GGGGCGAAAGCCCC"


@settings(max_examples=30, deadline=None)
@given(st.text("ACGUN", min_size=1, max_size=60))
def test_probabilities_are_symmetric_and_bounded(sequence: str) -> None:
    p = base_pair_probabilities(sequence)
    assert p.shape == (len(sequence), len(sequence))
    np.testing.assert_array_equal(p, p.T)
    assert (np.diag(p) == 0).all()
    assert (p >= 0).all()
    assert (p.sum(axis=1) <= 1 + 1e-4).all()
    unknown = np.array([base == "N" for base in sequence])
    assert (p[unknown] == 0).all()


def test_a_hairpin_is_paired() -> None:
    p = base_pair_probabilities(HAIRPIN)
    assert mfe_dot_bracket(HAIRPIN) == "(((((....)))))"
    assert mfe_pairs(HAIRPIN) == [(0, 13), (1, 12), (2, 11), (3, 10), (4, 9)]
    assert all(p[i, j] > 0.8 for i, j in mfe_pairs(HAIRPIN))


def test_two_state_ensemble_by_hand() -> None:
    # One pair is all that fits: its probability follows from the energy of the closed state alone.
    import RNA

    sequence = "GAAAC"
    energy = RNA.fold_compound(sequence).eval_structure("(...)")
    weight = math.exp(-energy / (0.0019871 * 310.15))
    p = base_pair_probabilities(sequence)[0, 4]
    expected = weight / (1 + weight)
    assert expected < MINIMUM_PROBABILITY * 100
    assert p == pytest.approx(expected, rel=0.02) or (p == 0 and expected < MINIMUM_PROBABILITY)


def test_long_sequence_does_not_overflow() -> None:
    sequence = "GGGGGCCCCCAAAA" * 40
    p = base_pair_probabilities(sequence)
    assert np.isfinite(p).all()
    assert p.sum(axis=1).max() > 0.9


@pytest.mark.parametrize("length", [0, LONGEST + 1])
def test_lengths_that_have_no_pairs(length: int) -> None:
    with pytest.raises(ValueError, match=f"{length} nt"):
        sparse_base_pairs("A" * length)


@pytest.mark.parametrize("fold", [mfe_dot_bracket, secondary_structures_of, lambda s: sampled_pair_tables(s, [0])])
def test_lengths_that_cannot_be_folded_as_a_whole(fold: Callable[[str], object]) -> None:
    with pytest.raises(ValueError, match=f"{basepairs.MAXIMUM_LENGTH + 1} nt"):
        fold("A" * (basepairs.MAXIMUM_LENGTH + 1))


@pytest.mark.slow
def test_a_longer_sequence_has_the_pairs_of_its_windows() -> None:
    rng = np.random.default_rng(0)
    stem = "GGGCGCAUCGAGCC"
    turned = stem[::-1].translate(str.maketrans("ACGU", "UGCA"))
    before, after = ("".join(rng.choice(list("ACGU"), length)) for length in (1000, basepairs.LONGEST_WHOLE - 1000))
    sequence = before + stem + "GAAA" + turned + after
    pairs = sparse_base_pairs(sequence)
    assert pairs.length == len(sequence)
    i, j = pairs.pairs.T
    assert ((i < j) & (j < len(sequence))).all()
    assert pairs.probabilities.max() <= 1
    assert pairs.probabilities.min() >= MINIMUM_PROBABILITY
    paired = sum(np.bincount(side, pairs.probabilities, len(sequence)) for side in (i, j))
    assert 0.5 < paired.max() <= 1 + 1e-5
    # The hairpin, about as it is by itself.
    found = {(a, b): p for a, b, p in zip(i.tolist(), j.tolist(), pairs.probabilities.tolist())}
    start, end = len(before), len(sequence) - len(after) - 1
    assert all(found[start + k, end - k] > 0.8 for k in range(len(stem)))


def test_local_pairs_of_a_short_sequence_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = base_pair_probabilities(HAIRPIN)
    monkeypatch.setattr(basepairs, "LONGEST_WHOLE", 10)
    np.testing.assert_allclose(base_pair_probabilities(HAIRPIN), whole, atol=1e-3)
    assert len(sparse_base_pairs("A" * 20).pairs) == 0


def test_cache_folds_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = SecondaryStructureCache(tmp_path)
    first = cache.get(HAIRPIN)
    np.testing.assert_array_equal(first.pairs.dense(), base_pair_probabilities(HAIRPIN))

    def refuse(sequence: str) -> None:
        raise AssertionError(f"{sequence} folded again")

    monkeypatch.setattr(basepairs, "secondary_structures_of", refuse)
    np.testing.assert_array_equal(cache.get(HAIRPIN).pairs.dense(), first.pairs.dense())
    monkeypatch.setattr("RNA.__version__", "0.0.0")
    with pytest.raises(AssertionError, match="folded again"):
        cache.get(HAIRPIN)


def test_damaged_cache_is_folded_again(tmp_path: Path) -> None:
    cache = SecondaryStructureCache(tmp_path)
    first = cache.get(HAIRPIN).pairs.dense()
    cache.path(HAIRPIN).write_bytes(b"PK broken")
    np.testing.assert_array_equal(cache.get(HAIRPIN).pairs.dense(), first)
    assert [p.name for p in tmp_path.iterdir()] == [cache.path(HAIRPIN).name]


def test_other_energy_models_are_other_energies_and_leave_no_trace() -> None:
    # Three-way junction: the models differ in what multiloops cost.
    sequence = "GGGGGCCACAGCAGAAGCGUUCACGUCGCAGCCCCUGUCAGCCAUUGCACUCCGGCUGCGAAUUCUGCU"
    before = sparse_base_pairs(sequence)
    found = with_other_models(before, sequence)
    assert found.pair_features.shape == (len(found.pairs), len(ENERGIES))
    assert tuple(OTHER_MODELS) == ENERGIES
    np.testing.assert_array_equal(found.dense(), before.dense())
    matrices = [found.dense(), *np.moveaxis(found.dense_features(), -1, 0)]
    for i, one in enumerate(matrices):
        assert one.sum(axis=1).max() < 1 + 1e-5
        assert all(np.abs(one - other).max() > 0.05 for other in matrices[:i])
    np.testing.assert_array_equal(sparse_base_pairs(sequence).dense(), before.dense())


def test_long_sequences_are_folded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(basepairs, "OTHERS_LENGTH", len(HAIRPIN) - 1)
    found = secondary_structures_of(HAIRPIN).pairs
    np.testing.assert_array_equal(found.pair_features, found.probabilities[:, None].repeat(len(ENERGIES), axis=1))


def test_drawn_folds_follow_the_probabilities_and_their_seed() -> None:
    sequence = "GGCAAAAGCCAAAAGGCAAAAGCC"
    sampled = sampled_pair_tables(sequence, list(range(400)))
    expected = base_pair_probabilities(sequence)
    observed = (sampled[:, :, None] == np.arange(len(sequence))).mean(0)
    assert np.abs(observed - expected).max() < 0.1
    assert np.logical_and(expected > 0.2, expected < 0.8).any()
    np.testing.assert_array_equal(sampled_pair_tables(sequence, [17, 3]), sampled[[17, 3]])
