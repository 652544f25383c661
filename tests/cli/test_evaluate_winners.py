"""`rnagen evaluate`: which slot and source won, and one structure file against one."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rnagen.api import submit
from rnagen.cli.evaluate import main
from rnagen.io.kaggle import write_labels
from rnagen.io.write import write_structure
from rnagen.structure import BEADS
from tests.helpers.submissions import SEQUENCES, rna, run_folder, table


def evaluate(*arguments: object) -> int:
    return main([str(argument) for argument in (*arguments, "--no-baselines")])


def test_slot_and_source_of_the_best(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """R1 is what the second source has first, R2 what the first one has second."""
    sources = [run_folder(tmp_path / "one", 1), table(tmp_path / "theirs.csv", 11)]
    out = tmp_path / "merged" / "submission.csv"
    assert submit(sources, out).good
    natives = {"R2": rna("R2", 5, 1).models([1]), "R1": rna("R1", 5, 12).models([0])}
    write_labels(tmp_path / "labels.csv", list(natives.values()))
    assert evaluate(out, tmp_path / "labels.csv", "--out", tmp_path / "x.csv") == 0
    printed = capsys.readouterr().out
    assert "2 theirs" in printed
    assert "3 one" in printed
    assert "RMSD" in printed
    rows = {row["target"]: row for row in csv.DictReader((tmp_path / "x.csv").open())}
    assert [(row["best_slot"], row["best_source"]) for row in rows.values()] == [("3", "one"), ("2", "theirs")]
    assert all(float(row["rmsd"]) < 0.01 for row in rows.values())
    out.write_text(out.read_text() + "\n")
    assert evaluate(out, tmp_path / "labels.csv", "--out", tmp_path / "x.json") == 0
    assert "belongs to another table" in capsys.readouterr().err
    found = json.loads((tmp_path / "x.json").read_text())["targets"]
    assert [(one["best_slot"], one["best_source"]) for one in found] == [(3, ""), (2, "")]


def test_one_file_against_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    native = rna("R2", 1, 1, BEADS)
    rotation = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]], dtype=np.float32)
    moved = replace(native, coords=native.coords @ rotation + np.float32(7))
    write_structure(native, tmp_path / "native.pdb")
    write_structure(moved, tmp_path / "my_model.cif")
    assert evaluate(tmp_path / "my_model.cif", tmp_path / "native.pdb", "--out", tmp_path / "x.json") == 0
    printed = capsys.readouterr().out
    assert "RMSD on C1' after superposition: 0.00 Å" in printed
    # One target has no interval.
    assert "mean of 1" in printed
    assert "95 %" not in printed
    (score,) = json.loads((tmp_path / "x.json").read_text())["targets"]
    assert score["target"] == "native"
    for name in ("best1", "independent1", "lddt"):
        assert score[name] == pytest.approx(1, abs=1e-3)


def test_the_rmsd_counts_what_both_have(tmp_path: Path) -> None:
    native = rna("R2", 1, 1, BEADS)
    part = replace(
        native,
        sequence=SEQUENCES["R2"][4:],
        coords=native.coords[:, 4:],
        mask=native.mask[:, 4:],
        residue_index=native.residue_index[4:],
    )
    write_structure(native, tmp_path / "native.pdb")
    write_structure(part, tmp_path / "part.pdb")
    assert evaluate(tmp_path / "part.pdb", tmp_path / "native.pdb", "--out", tmp_path / "x.json") == 0
    (score,) = json.loads((tmp_path / "x.json").read_text())["targets"]
    assert score["rmsd"] < 0.01
    assert score["best1"] < 0.8


def test_a_file_without_rna_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_structure(rna("R2", 1, 1, BEADS), tmp_path / "native.pdb")
    (tmp_path / "empty.pdb").write_text("END\n")
    for pair in (("empty.pdb", "native.pdb"), ("native.pdb", "empty.pdb")):
        assert evaluate(*(tmp_path / name for name in pair)) == 2
        assert "empty.pdb" in capsys.readouterr().err
