"""Base pairs of sampling and reactivity: predicted once, and the same bits from the cache."""

from pathlib import Path

import numpy as np
import pytest

import rnagen
from rnagen.caches import CACHE
from rnagen.cli.main import main
from rnagen.secondary import vienna
from rnagen.secondary.cached import SHORTEST, base_pairs, pairs_file
from rnagen.secondary.vienna import sparse_base_pairs, with_other_models

SEQUENCE = "GGGGAAACUUCGGUUUCCCC" * 6


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Sequences that are folded."""
    sequences: list[str] = []
    fold = vienna.sparse_base_pairs

    def recorded(sequence, *given):
        sequences.append(sequence)
        return fold(sequence, *given)

    monkeypatch.setattr(vienna, "sparse_base_pairs", recorded)
    return sequences


@pytest.mark.parametrize("other_models", [False, True])
def test_the_second_time_they_come_from_the_cache(folded: list[str], other_models: bool) -> None:
    expected = sparse_base_pairs(SEQUENCE)
    if other_models:
        expected = with_other_models(expected, SEQUENCE)
    folded.clear()
    first = base_pairs(SEQUENCE, other_models)
    assert folded
    folded.clear()
    again = base_pairs(SEQUENCE, other_models)
    assert not folded
    for found in (first, again):
        for part in ("pairs", "probabilities", "pair_features"):
            np.testing.assert_array_equal(getattr(found, part), getattr(expected, part))
            assert getattr(found, part).dtype == getattr(expected, part).dtype


def test_short_sequences_leave_no_file(folder: Path) -> None:
    base_pairs(SEQUENCE[: SHORTEST - 1])
    assert not folder.exists()


def test_a_damaged_file_is_made_again(folded: list[str]) -> None:
    base_pairs(SEQUENCE)
    path = pairs_file(SEQUENCE, False)
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    base_pairs(SEQUENCE)
    assert len(folded) == 2
    assert path.read_bytes() == whole


def test_a_cache_that_cannot_be_written_is_done_without(folder: Path) -> None:
    folder.write_text("a file")
    assert len(base_pairs(SEQUENCE).pairs)


def test_sampling_and_reactivity_fold_once(folded: list[str]) -> None:
    first = rnagen.sample(SEQUENCE, 1, steps=1)
    rnagen.reactivity([("r", SEQUENCE)])
    assert folded == [SEQUENCE]
    np.testing.assert_array_equal(rnagen.sample(SEQUENCE, 1, steps=1).coords, first.coords)


@pytest.mark.slow
def test_the_folder_is_an_option(folded: list[str], folder: Path, tmp_path: Path) -> None:
    given = ["--sequence", SEQUENCE, "--cache", str(tmp_path / "mine")]
    assert main(["sample", *given, "--steps", "1", "--n", "1", "--out", str(tmp_path / "sampled")]) == 0
    assert main(["reactivity", *given, "--no-figures", "--out", str(tmp_path / "reactivity")]) == 0
    rnagen.sample(SEQUENCE, 1, steps=1, cache=str(tmp_path / "mine"))
    assert folded == [SEQUENCE]
    assert not folder.exists()
