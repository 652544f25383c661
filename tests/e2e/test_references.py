"""runs/references.py, on synthetic RNA and a library of three chains."""

import runpy
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rnagen.data.dataset import Dataset, write_dataset
from rnagen.data.references import ChainReferences
from rnagen.preparation.synthetic import synthetic_dataset
from rnagen.structure import BEADS
from rnagen.templates.library import Library, TemplateChain, TemplateInfo
from tests.helpers.commands import ROOT


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two training chains of one entry, and a later chain that validates."""
    synthetic_dataset(tmp_path / "data", 3, seed=4)
    whole = Dataset.open(tmp_path / "data")
    chains = whole.chains.select([0, 1, 2], BEADS)
    infos = [
        replace(info, name=f"1aaa_{row}", entry="1aaa", split=split, release_date=date)
        for row, (info, split, date) in enumerate(
            zip(chains.infos, ("train", "train", "val"), ("2020-01-01", "2020-01-01", "2023-01-01"))
        )
    ]
    write_dataset(tmp_path / "beads.safetensors", BEADS, infos, chains.chains(), whole.viennarna)
    return tmp_path / "beads.safetensors"


def copy_of(data: Path, name: str, date: str, benchmark: str = "") -> TemplateChain:
    """The first chain of the dataset as a template of another name."""
    structure = Dataset.open(data).chains.structure(0)
    nothing = np.full(len(structure.sequence), -1, np.int16)
    return TemplateChain.of(structure, TemplateInfo(name, name.split("_")[0], date, benchmark=benchmark), nothing)


def test_references_of_other_entries_before_the_cutoff(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    excluded = [
        copy_of(data, "1aaa_0", "2020-01-01"),
        copy_of(data, "2bbb_A", "2022-05-27"),
        copy_of(data, "3ccc_A", "2020-01-01", benchmark="casp15"),
        copy_of(data, "4ddd_A", ""),
    ]
    Library.of([*excluded, copy_of(data, "5eee_A", "2022-05-26")]).write(tmp_path / "library.safetensors")
    library = Library.open(tmp_path / "library.safetensors")
    monkeypatch.setattr(Library, "open", lambda: library)
    out = tmp_path / "references.safetensors"
    monkeypatch.setattr(sys, "argv", ["references.py", str(data), str(tmp_path), str(out)])
    runpy.run_path(str(ROOT / "runs" / "references.py"), run_name="__main__")
    found = ChainReferences.open(out)
    assert set(found.templates) == {"5eee_A"}
    (k,) = found.of("1aaa_0")
    assert found.facts[k].release_date == "2022-05-26"
    assert found.facts[k].identity == found.facts[k].coverage == 1
    assert found.facts[k].tm > 0.99
    coords, mask = found.reference(k)
    chain = Dataset.open(data).chains.chain(0)
    assert torch.equal(mask, torch.from_numpy(chain.mask[0]))
    shift = coords.numpy()[chain.mask[0]] - chain.coords[0][chain.mask[0]]
    assert np.ptp(shift, axis=0).max() < 0.0102
    assert not found.of("1aaa_2"), "a validation chain"
    assert "chains by references: 1: " in capsys.readouterr().out


def test_the_choice_is_the_best_and_others_spread_over_the_rest() -> None:
    choice = runpy.run_path(str(ROOT / "runs" / "references.py"))["choice"]

    class Match:
        def __init__(self, rank: int, similarity: float, can_be_copied: bool = True) -> None:
            self.rank, self.similarity, self.can_be_copied = rank, similarity, can_be_copied

    matches = [Match(0, 0.1), Match(1, 0.5, False), *(Match(k, 0.2) for k in range(2, 33))]
    ranks = [[one.rank for one in choice(matches, 4, np.random.default_rng(seed))] for seed in range(20)]
    for first, *others in ranks:
        assert first == 2
        assert [(rank - 3) // 10 for rank in others] == [0, 1, 2]
    assert len(set(map(tuple, ranks))) > 10
    assert [one.rank for one in choice(matches[:5], 4, np.random.default_rng(0))] == [2, 3, 4]
    assert not choice(matches[:2], 4, np.random.default_rng(0))
