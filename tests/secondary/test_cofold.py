"""Base pairs of several strands."""

import numpy as np
import pytest

from rnagen.caches import cached_in
from rnagen.config.structure import ModelConfig
from rnagen.features import from_sequence
from rnagen.secondary.cached import base_pairs, pairs_file
from rnagen.secondary.cofold import complexes
from rnagen.secondary.vienna import mfe_dot_bracket, mfe_pairs, sparse_base_pairs


def likely(text: str) -> list[tuple[int, int]]:
    found = sparse_base_pairs(text)
    return [(int(i), int(j)) for (i, j), p in zip(found.pairs, found.probabilities) if p > 0.5]


def test_a_duplex_pairs_across_its_strands() -> None:
    assert likely("GGGGC&GCCCC") == [(k, 9 - k) for k in range(5)]
    assert sparse_base_pairs("GGGGC&GCCCC").length == 10
    # The joined sequence has no room for a loop.
    assert (4, 5) not in likely("GGGGCGCCCC")


def test_three_strands_form_one_complex() -> None:
    found = likely("GGGCAGGC&GCCAUUC&GAAUGCCC")
    assert {(0, 22), (5, 10), (4, 18)} <= set(found)


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("GGGGAAACCCC&AAAA", (0, 10)),
        ("AAAA&GGGGAAACCCC", (4, 14)),
        ("GGGG&AAAA&CCCC", (0, 11)),
        ("AAAA&GGGGG&CCCCC", (4, 13)),
    ],
)
def test_strands_that_cannot_bind_are_left_alone(text: str, pairs: tuple[int, int]) -> None:
    found = sparse_base_pairs(text)
    assert np.isfinite(found.probabilities).all()
    assert pairs in likely(text)
    assert pairs in mfe_pairs(text)
    assert found.length == len(text) - text.count("&")


def test_nothing_binds() -> None:
    assert len(sparse_base_pairs("AAAA&NNNN").pairs) == 0
    assert mfe_dot_bracket("AAAA&NNNN") == "........"


def test_a_group_that_cannot_bind_as_a_whole_is_taken_apart() -> None:
    found = complexes("A&C&G", lambda text: text.count("&") < 2 and "C" in text)
    assert [text for text, _ in found] == ["A", "C", "G"]
    assert [places.tolist() for _, places in found] == [[0], [1], [2]]


def test_a_complex_has_a_file_of_its_own(tmp_path) -> None:
    one, two = "G" * 60 + "C" * 60, "G" * 60 + "&" + "C" * 60
    with cached_in(tmp_path):
        assert pairs_file(one, False) != pairs_file(two, False)
        first = base_pairs(two)
        assert pairs_file(two, False).is_file()
        assert not pairs_file(one, False).exists()
        again = base_pairs(two)
    assert again.length == first.length == 120
    assert np.array_equal(first.dense(), again.dense())


def test_features_have_strands_and_pairs_across_them() -> None:
    config = ModelConfig(pair_features=("turner1999",))
    features = from_sequence(config, "GGGGCGCCCC", strands=(5, 5))
    assert features.strand is not None
    assert features.strand[0].tolist() == [0] * 5 + [1] * 5
    assert features.pair_probabilities[0, 4, 5] > 0.9
    assert features.pair_features is not None
    assert features.pair_features[0, 0, 9, 0] > 0.9
    assert from_sequence(config, "GGGGCGCCCC").strand is None
