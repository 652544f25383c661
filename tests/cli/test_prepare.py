"""rnagen prepare --beads: training from the file is training from the dataset, past the same date filter."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import rnagen
from rnagen.checkpoints.structure import load_checkpoint
from rnagen.cli.main import main
from rnagen.data.dataset import FILE, Dataset
from rnagen.errors import ConfigError
from rnagen.io.kaggle import write_labels
from rnagen.io.write import write_structure
from rnagen.preparation import sample_set
from rnagen.preparation.splits import read_split, write_beads, write_splits
from rnagen.preparation.synthetic import synthetic_dataset
from tests.helpers.chains import chain, rewrite
from tests.helpers.tiny import TINY_FLAGS

FAST = [*TINY_FLAGS, "--lr-warmup", "2", "--no-validate", "--epochs", "1", "--train-batches", "4"]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dated synthetic dataset, its splits, and the file of its beads with a synthetic set of six chains."""
    folder = tmp_path_factory.mktemp("places")
    synthetic_dataset(folder / "data", 12, seed=1)
    rewrite(folder / "data", release_date=["2020-01-01"] * 9 + ["2023-01-01"] * 3)
    dataset = Dataset.open(folder / "data")
    write_splits(dataset.chains, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rnagen.preparation.synthetic.TRAINING", 6)
        patch.setattr("rnagen.preparation.synthetic.VALIDATION", 1)
        assert write_beads(dataset, folder / "beads.safetensors") == {"train": 9, "val": 3, "synthetic": 6}
    return folder


@pytest.fixture
def train(places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Train into tmp_path/NAME; returns the exit code."""
    monkeypatch.setattr("rnagen.preparation.synthetic.TRAINING", 6)
    monkeypatch.setattr("rnagen.preparation.synthetic.VALIDATION", 1)
    folder = ("--data", str(places / "data"), "--splits", str(places))
    data = {"folder": folder, "beads": ("--data", str(places / "beads.safetensors"))}

    def call(name: str, source: str, *flags: str) -> int:
        return main(["train", *FAST, "--run-dir", str(tmp_path), "--run-name", name, *data[source], *flags])

    return call


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "last.ckpt", weights_only=True)["state_dict"]


def assert_same(first: Path, second: Path) -> None:
    assert weights(first).keys() == weights(second).keys()
    assert all(torch.equal(value, weights(second)[name]) for name, value in weights(first).items())


@pytest.mark.slow
@pytest.mark.parametrize("flags", [(), ("--synthetic-steps", "2")])
def test_training_from_the_file_is_training_from_the_dataset(train, tmp_path: Path, flags: tuple[str, ...]) -> None:
    for source in ("folder", "beads"):
        assert train(source, source, *flags) == 0
    assert_same(tmp_path / "folder", tmp_path / "beads")
    folder, beads = (load_checkpoint(tmp_path / name / "last.safetensors").metadata for name in ("folder", "beads"))
    assert folder["data"]["chains"] == beads["data"]["chains"] == 9
    assert folder["data"]["fingerprint"] == beads["data"]["fingerprint"]


@pytest.mark.slow
def test_a_resumed_run_continues_the_same_warm_up(train, tmp_path: Path) -> None:
    warm = ("--synthetic-steps", "2")
    assert train("whole", "beads", *warm) == 0
    assert train("parts", "beads", *warm, "--train-batches", "1") == 0
    state = ("--ckpt", str(tmp_path / "parts" / "last.ckpt"))
    assert train("parts", "beads", *warm, "--train-batches", "1", "--epochs", "4", *state) == 0
    assert_same(tmp_path / "whole", tmp_path / "parts")


def test_the_date_filter_holds_again_in_training(train, capsys: pytest.CaptureFixture[str]) -> None:
    assert train("earlier", "beads", "--cutoff", "2020-01-01") == 2
    assert "released 2020-01-01, but the cutoff is 2020-01-01" in capsys.readouterr().err
    assert train("atoms", "beads", "--atoms", "C1'", "O3'") == 2
    assert 'does not hold the atom "O3\'"' in capsys.readouterr().err


def test_the_command_writes_dataset_splits_and_beads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rnagen.preparation.synthetic.TRAINING", 2)
    write_structure(chain(1, 24, "1aaa"), tmp_path / "1aaa.cif")
    out, beads = tmp_path / "data", tmp_path / "beads.safetensors"
    arguments = [str(tmp_path / "1aaa.cif"), "--out", str(out), "--splits", str(tmp_path / "s"), "--beads", str(beads)]
    assert main(["prepare", *arguments, "--assume-date", "2001-01-01"]) == 0
    printed = capsys.readouterr().out
    assert "1 chains (1 with all atoms, 0 with C1' only) of 1 files" in printed
    assert "beads.safetensors: train 1, val 0, synthetic 2" in printed
    whole, small = Dataset.open(out), Dataset.open(beads)
    assert (out / FILE).is_file()
    assert whole.fingerprint == small.fingerprint
    assert [info.split for info in small.chains.infos] == ["train", "synthetic", "synthetic"]


def test_rnas_with_several_conformers_can_be_held_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    one = chain(1, 24, "1aaa")
    coords = one.coords.copy()
    coords[:, 12:, :, 0] += 40
    for structure in (one, replace(chain(1, 24, "2bbb"), coords=coords), chain(2, 30, "3ccc")):
        write_structure(structure, tmp_path / "in" / f"{structure.name}.cif")
    arguments = ["prepare", str(tmp_path / "in"), "--out", str(tmp_path / "data"), "--assume-date", "2001-01-01"]
    assert main([*arguments, "--hold-out-ensembles"]) == 2
    assert "give one of them" in capsys.readouterr().err
    assert main([*arguments, "--splits", str(tmp_path), "--hold-out-ensembles"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert f"{tmp_path}: train 1, val 0, casp15 0, ensemble 1" in printed
    assert printed[-1] == "neither train nor validate: 2 held out for the comparison of ensembles"
    assert read_split(tmp_path / "ensemble.csv").keys() == {"1aaa_A"}
    assert (tmp_path / "ensemble.csv").read_text().endswith(",no\n")


@pytest.mark.slow
def test_chains_that_are_left_out_are_counted_by_reason(train, places: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "in").mkdir()
    for name, length in (("1aaa", 24), ("2bbb", 30), ("3ccc", 16)):
        write_structure(chain(length, length, name), tmp_path / "in" / f"{name}.cif")
    (tmp_path / "in" / "index.csv").write_text("pdb_id,chain,release_date\n3ccc,A,2001-01-01\n")
    out = ["--out", str(tmp_path / "data"), "--splits", str(tmp_path)]
    assert main(["prepare", str(tmp_path / "in"), *out]) == 0
    assert capsys.readouterr().out.splitlines()[-3:] == [
        f"{tmp_path}: train 1, val 0, casp15 0, ensemble 0",
        "in the training set, but not trained on by default: 1 shorter than 20 residues",
        "neither train nor validate: 2 without a date (--assume-date dates those without)",
    ]
    assert train("short", "folder", "--min-length", "22") == 0
    printed = capsys.readouterr().out
    short = int((Dataset.open(places / "data").chains.lengths[:9] < 22).sum())
    assert f"{9 - short} chains of " in printed
    assert (f"(left out: {short} shorter than 22 residues)" in printed) == bool(short)


def test_data_that_cannot_teach_the_atoms_is_refused(train, places: Path, tmp_path: Path, capsys) -> None:
    labels = tmp_path / "labels"
    labels.mkdir()
    write_labels(labels / "a_labels.csv", [replace(chain(k, 24 + k, f"{k}aaa"), name=f"{k}aaa_A") for k in range(3)])
    dates = ["--assume-date", "2001-01-01"]
    out = ["--out", str(tmp_path / "data"), "--splits", str(tmp_path)]
    assert main(["prepare", str(labels), *out, *dates]) == 0
    capsys.readouterr()
    given = ["train", *FAST, "--run-dir", str(tmp_path), "--data", str(tmp_path / "data"), "--splits", str(tmp_path)]
    assert main(given) == 2
    error = capsys.readouterr().err
    assert "data: 0 of 3 training chains (0 %) have all of the atoms P, C4', C1', N" in error
    assert 'train with --atoms "C1\'"' in error
    assert error.count("\n") == 1
    assert main([*given, "--atoms", "C1'"]) == 0


def test_missing_data_is_replaced_only_where_none_was_asked_for(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sample_set, "TRAINING", 8)
    monkeypatch.setattr(sample_set, "VALIDATION", 2)
    for name in ("absent", "data"):
        assert main(["train", *FAST, "--data", name]) == 2
        assert capsys.readouterr().err == f"train.py: data: {name}: no such file or folder\n"
    with pytest.raises(ConfigError, match=r"^data: absent: no such file or folder$"):
        rnagen.train(data="absent")
    assert not (tmp_path / "runs").exists()
    assert main(["train", *FAST]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("no --data, and no folder data: training on a small sample of public chains, to try")
    assert printed.count("no --data") == 1
    assert main(["train", "--ckpt", "runs/run/last.ckpt", "--epochs", "2"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("no folder data: going on with the sample of public chains\n")
