"""sample.py and `sample_targets` with any name: the folder is one that every system can hold, the name stays."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import rnagen
from rnagen.checkpoints.structure import save_checkpoint
from rnagen.cli.sample import main
from rnagen.evaluation.likelihood import with_all_atoms
from rnagen.io.folders import safe_name
from rnagen.io.labels import read_labels
from rnagen.io.read import read_structures
from tests.helpers.outputs import contents
from tests.helpers.tiny import TINY, tiny_model

NAMES = {
    "a/b": "a_b-2",
    "a_b": "a_b",
    "A_b": "A_b-3",
    "../../etc": "___.._etc",
    "NA": "NA",
    "con": "_con",
    "run.json": "_run.json",
    "summary.json": "_summary.json",
    "two words": "two_words",
    "x" * 300: safe_name("x" * 300),
    "plain": "plain",
}
RNAS = [(name, "GGGAAACCC"[: 5 + k % 4] + "ACGU") for k, name in enumerate(NAMES)]


@pytest.fixture(scope="module")
def ckpt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ckpt") / "tiny.safetensors"
    save_checkpoint(path, tiny_model(), TINY, {"cutoff": "2022-05-27"})
    return path


def write_table(path: Path) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("target_id", "sequence"), *RNAS])
    return path


def sample(ckpt: Path, table: Path, out: Path, *flags: str) -> int:
    given = [
        "--csv",
        str(table),
        "--ckpt",
        str(ckpt),
        "--steps",
        "2",
        "--n",
        "2",
        "--atoms",
        "beads",
        "--out",
        str(out),
    ]
    return main([*given, *flags])


@pytest.mark.parametrize("structure_format", ["cif", "pdb"])
def test_every_name_has_its_folder(ckpt: Path, tmp_path: Path, structure_format: str, capsys) -> None:
    table, out = write_table(tmp_path / "rnas.csv"), tmp_path / "out"
    assert sample(ckpt, table, out, "--format", structure_format) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"rnas.csv", "out"}
    assert {path.name for path in out.iterdir() if path.is_dir()} == set(NAMES.values())
    for name, sequence in RNAS:
        assert json.loads((out / NAMES[name] / "summary.json").read_text())["name"] == name
        (written,) = read_structures(out / NAMES[name] / f"ensemble.{structure_format}")
        assert written.sequence == sequence
    assert [one.name for one in read_labels(out / "submission.csv")] == list(NAMES)
    before = contents(out)
    assert sample(ckpt, table, out, "--format", structure_format) == 0
    assert f"{len(NAMES)} of {len(NAMES)} targets are there already" in capsys.readouterr().out
    assert contents(out) == before


@pytest.mark.slow
def test_the_api_has_the_same_folders_and_the_seed_is_that_of_the_name(ckpt: Path, tmp_path: Path) -> None:
    assert sample(ckpt, write_table(tmp_path / "rnas.csv"), tmp_path / "cli") == 0
    first = rnagen.sample_targets(RNAS, 2, steps=2, atoms="beads", ckpt=ckpt, out=tmp_path / "api")
    assert contents(tmp_path / "api") == contents(tmp_path / "cli")
    again = rnagen.sample_targets(RNAS, 2, steps=2, atoms="beads", ckpt=ckpt, out=tmp_path / "api")
    assert list(first.ensembles) == list(again.ensembles) == list(NAMES)
    for name, sequence in RNAS:
        alone = rnagen.sample(sequence, 2, name=name, steps=2, atoms="beads", ckpt=ckpt)
        np.testing.assert_array_equal(alone.coords, first[name].coords)
        np.testing.assert_allclose(alone.coords, again[name].coords, atol=1e-3)


def test_an_evaluation_finds_the_folders_of_a_part_of_the_run(ckpt: Path, tmp_path: Path) -> None:
    """By the names in the summaries: the table does not tell which names of the run collided."""
    out = tmp_path / "out"
    rnagen.sample_targets(RNAS, 2, steps=2, atoms="beads", ckpt=ckpt, out=out)
    table = {one.name: one for one in read_labels(out / "submission.csv")}
    found = with_all_atoms({name: table[name] for name in ("A_b", "a/b")}, out)
    for name, structure in found.items():
        (written,) = read_structures(out / NAMES[name] / "ensemble.cif")
        np.testing.assert_array_equal(structure.coords, written.coords)


def test_a_record_without_a_name_is_an_error_of_that_record(ckpt: Path, tmp_path: Path, capsys) -> None:
    result = rnagen.sample_targets([("", "GGGAAACCC"), ("fine", "GGGAAACCC")], 1, steps=2, atoms="beads", ckpt=ckpt)
    assert list(result.ensembles) == ["fine"]
    assert "no name" in str(result.failures[0])
