"""sample.py with secondary structures and base-pair probabilities of files and folders."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import rnagen
from rnagen.checkpoints.structure import save_checkpoint
from rnagen.cli.sample import main
from rnagen.errors import ConfigError, InputError
from rnagen.io.read import read_structures
from rnagen.secondary.vienna import base_pair_probabilities
from rnagen.structure import BEADS
from tests.helpers.tiny import CONDITIONED, TINY, tiny_model

SEQUENCE = "GGGAAACUUCGGUUUCCC"
HELIX = "((((((......))))))"
SHORT = "(((............)))"
MATRIX = base_pair_probabilities(SEQUENCE) / 3


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that reads secondary structures and pair features, and one that reads neither."""
    path = tmp_path_factory.mktemp("models")
    for name, config in (("conditioned", CONDITIONED), ("plain", TINY)):
        config = replace(config, run=replace(config.run, run_name=name))
        save_checkpoint(path / f"{name}.safetensors", tiny_model(config), config, {"cutoff": "2022-05-27"})
    return path


@pytest.fixture
def run(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run sample.py in a folder of inputs; returns the exit code."""
    monkeypatch.chdir(tmp_path)
    Path("one.fasta").write_text(f">a\n{SEQUENCE}\n")
    Path("two.fasta").write_text(f">a\n{SEQUENCE}\n>b/c\n{SEQUENCE}\n")
    Path("helix.dbn").write_text(f">anything\n{SEQUENCE}\n{HELIX}\n")
    Path("both.dbn").write_text(f">b/c\n{SHORT}\n>a\n{HELIX}\n")
    np.save("m.npy", MATRIX)
    Path("mine").mkdir()
    Path("mine", "a.dbn").write_text(HELIX)
    np.save("mine/b_c.npy", np.triu(MATRIX))

    def call(*flags: str, out: str = "out", ckpt: str = "conditioned") -> int:
        given = [
            "--ckpt",
            str(models / f"{ckpt}.safetensors"),
            "--steps",
            "2",
            "--n",
            "2",
            "--templates",
            "none",
            "--atoms",
            "beads",
        ]
        return main([*given, "--out", out, *flags])

    return call


def coords(folder: str) -> np.ndarray:
    (structure,) = read_structures(Path(folder) / "ensemble.cif")
    return structure.select_atoms(BEADS).coords


def summary(folder: str) -> dict:
    return json.loads(Path(folder, "summary.json").read_text())


def test_a_file_is_the_text_that_stands_in_it(run, models: Path) -> None:
    assert run("--sequence", SEQUENCE, "--structure", HELIX) == 0
    assert run("--sequence", SEQUENCE, "--structure", "helix.dbn", out="file") == 0
    assert run("--sequence", SEQUENCE, out="free") == 0
    np.testing.assert_array_equal(coords("out/rna"), coords("file/rna"))
    assert np.abs(coords("out/rna") - coords("free/rna")).max() > 1e-2
    found = summary("file/rna")["secondary_structure"]
    assert found["given"] == HELIX
    assert len(found["given_present"]) == len(found["present_not_given"]) == 2
    assert "secondary_structure" not in summary("free/rna")
    ckpt = models / "conditioned.safetensors"
    for structure in ("helix.dbn", Path("helix.dbn")):
        api = rnagen.sample(SEQUENCE, 2, structure=structure, ckpt=ckpt, steps=2, atoms="beads", templates=("none",))
        np.testing.assert_allclose(api.coords, coords("file/rna"), atol=2e-3)


@pytest.mark.parametrize("ckpt", ["conditioned", "plain"])
def test_a_matrix_replaces_the_base_pairs_of_every_model(run, models: Path, ckpt: str) -> None:
    assert run("--fasta", "one.fasta", "--structure", "m.npy", ckpt=ckpt) == 0
    assert run("--fasta", "one.fasta", out="free", ckpt=ckpt) == 0
    assert np.abs(coords("out/a") - coords("free/a")).max() > 1e-2
    assert len(summary("out/a")["pair_probabilities_sha256"]) == 64
    assert "secondary_structure" not in summary("out/a")
    api = rnagen.sample(
        SEQUENCE,
        2,
        name="a",
        structure=MATRIX,
        ckpt=models / f"{ckpt}.safetensors",
        steps=2,
        atoms="beads",
        templates="none",
    )
    np.testing.assert_allclose(api.coords, coords("out/a"), atol=2e-3)


def test_the_own_probabilities_change_nothing(run) -> None:
    np.save("own.npy", 3 * MATRIX)
    assert run("--fasta", "one.fasta", "--structure", "own.npy") == 0
    assert run("--fasta", "one.fasta", out="free") == 0
    np.testing.assert_allclose(coords("out/a"), coords("free/a"), atol=2e-3)


def test_a_matrix_is_not_cached(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sequence = SEQUENCE * 6
    np.save("long.npy", np.zeros((len(sequence), len(sequence))))
    flags = ("--sequence", sequence, "--cache", "cache", "--n", "1")
    assert run(*flags, "--structure", "long.npy", ckpt="plain") == 0
    assert not list(Path("cache").rglob("*.npz"))
    assert run(*flags, out="free", ckpt="plain") == 0
    assert np.abs(coords("out/rna") - coords("free/rna")).max() > 1e-2


def test_a_folder_and_a_file_of_several_records_go_by_name(run, models: Path, capsys) -> None:
    assert run("--fasta", "two.fasta", "--structure", "mine") == 0
    assert "2 of 2 targets have a structure" in capsys.readouterr().out
    assert summary("out/a")["secondary_structure"]["given"] == HELIX
    assert "pair_probabilities_sha256" in summary("out/b_c")
    assert run("--fasta", "two.fasta", "--structure", "both.dbn", out="file") == 0
    np.testing.assert_array_equal(coords("file/a"), coords("out/a"))
    assert summary("file/b_c")["secondary_structure"]["given"] == SHORT
    ckpt = models / "conditioned.safetensors"
    options = {"ckpt": ckpt, "steps": 2, "templates": "none", "atoms": "beads"}
    result = rnagen.sample_targets({"a": SEQUENCE, "x": SEQUENCE}, 2, structure="mine", **options)
    np.testing.assert_allclose(result["a"].coords, coords("out/a"), atol=2e-3)
    assert "x" in result


def test_another_structure_is_another_run(run, capsys) -> None:
    assert run("--fasta", "one.fasta", "--structure", "m.npy") == 0
    assert run("--fasta", "one.fasta", "--structure", "m.npy") == 0
    np.save("m.npy", MATRIX / 2)
    assert run("--fasta", "one.fasta", "--structure", "m.npy") == 2
    assert "has another RNA of the same name: a: base-pair probabilities '" in capsys.readouterr().err
    assert run("--fasta", "one.fasta", "--structure", "helix.dbn") == 2
    assert "a: secondary structure none there" in capsys.readouterr().err
    assert run("--fasta", "one.fasta") == 2
    assert "now" in capsys.readouterr().err


def test_conformers_are_added_to_a_run_with_a_structure(run) -> None:
    assert run("--fasta", "one.fasta", "--structure", "helix.dbn") == 0
    first = Path("out/a/conformer_1.cif").read_bytes()
    assert run("--fasta", "one.fasta", "--structure", "mine", "--n", "3") == 0
    assert Path("out/a/conformer_1.cif").read_bytes() == first
    assert len(summary("out/a")["secondary_structure"]["given_present"]) == 3


def test_secondary_structures_are_not_sampled_from_a_matrix(run, capsys) -> None:
    assert run("--fasta", "one.fasta", "--structure", "m.npy", "--fold", "drawn") == 2
    assert "sampled by ViennaRNA, not from a matrix of base-pair probabilities" in capsys.readouterr().err
    assert run("--fasta", "two.fasta", "--structure", "mine", "--secondary-structures", "sampled") == 1
    assert "b/c" in capsys.readouterr().err
    assert summary("out/a")["secondary_structure"]["given"] == HELIX
    Path("one.fasta").write_text(f">a\n{SEQUENCE}\n{HELIX}\n")
    assert run("--fasta", "one.fasta", "--structure", "m.npy", "--fold", "drawn", out="given") == 0
    assert {"secondary_structure", "pair_probabilities_sha256"} <= summary("given/a").keys()


def test_a_model_that_reads_no_secondary_structure_refuses_a_file_of_one(run, capsys) -> None:
    assert run("--fasta", "two.fasta", "--structure", "mine", ckpt="plain") == 1
    assert "a: this model cannot be conditioned on a secondary structure" in capsys.readouterr().err
    assert not Path("out/a").exists()
    assert Path("out/b_c").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("two.fasta", "helix.dbn"), "helix.dbn has one structure, and there are 2 RNAs: give a folder"),
        (("two.fasta", "m.npy"), "m.npy has one structure, and there are 2 RNAs"),
        (("two.fasta", HELIX), "structure: belongs to --sequence, which is missing"),
        (("one.fasta", "nowhere.dbn"), "nowhere.dbn: no such file or folder, and not dot-bracket notation"),
        (("one.fasta", "empty"), "empty: no file in this folder"),
        (("one.fasta", "others.dbn"), "others.dbn: has 2 records, and the name of none is that of an RNA"),
        (("one.fasta", "foreign"), "foreign: 1 file, as x.dbn, and the name of none is that of an RNA, as a: rename"),
        (("one.fasta", "short.dbn"), "short.dbn: a: secondary structure of 3 symbols for 18 residues"),
        (("one.fasta", "small.npy"), "small.npy: is 4 × 4, but the sequence has 18 residues"),
        (("one.fasta", "nan.npy"), "nan.npy: row 1, column 1: not a finite number"),
        (("one.fasta", "doubled"), "a.dbn and a.npy both have its name: remove one"),
        (("one.fasta", "unreadable"), "a.dbn: empty file"),
        (("one.fasta", "unnamed"), "a.dbn: a: no record of this name among 2"),
    ],
)
def test_a_fault_is_named_and_nothing_is_written(run, capsys, flags: tuple[str, str], words: str) -> None:
    for folder in ("empty", "doubled", "unreadable", "unnamed", "foreign"):
        Path(folder).mkdir()
    Path("foreign/x.dbn").write_text(HELIX)
    Path("others.dbn").write_text(f">x\n{HELIX}\n>y\n{HELIX}\n")
    Path("short.dbn").write_text("(.)\n")
    np.save("small.npy", np.zeros((4, 4)))
    np.save("nan.npy", np.full((18, 18), np.nan))
    Path("doubled/a.dbn").write_text(HELIX)
    np.save("doubled/a.npy", MATRIX)
    Path("unreadable/a.dbn").write_text("")
    Path("unnamed/a.dbn").write_text(Path("others.dbn").read_text())
    fasta, structure = flags
    assert run("--fasta", fasta, "--structure", structure) == 2
    assert words in capsys.readouterr().err
    assert not Path("out").exists()


def test_python_names_what_it_cannot_use(run, models: Path) -> None:
    ckpt = models / "plain.safetensors"
    with pytest.raises(InputError, match="structure: is 2 × 2, but the sequence has 18 residues"):
        rnagen.sample(SEQUENCE, structure=np.zeros((2, 2)), ckpt=ckpt)
    with pytest.raises(ConfigError, match="structure: belongs to --sequence"):
        rnagen.sample_targets({"a": SEQUENCE}, structure=HELIX, ckpt=ckpt)
    with pytest.raises(InputError, match="no such file or folder"):
        rnagen.sample(SEQUENCE, structure="nowhere/x.npy", ckpt=ckpt)


def test_sums_above_one_are_a_warning(run, capsys) -> None:
    values = np.zeros((18, 18))
    values[3, 10:13] = 0.5
    np.save("large.npy", values)
    assert run("--fasta", "one.fasta", "--structure", "large.npy") == 0
    assert "warning: a: the base-pair probabilities of residue 4 add up to 1.50" in capsys.readouterr().err


def test_pairs_that_stand_in_no_helix_are_named(run, capsys) -> None:
    assert run("--sequence", SEQUENCE, "--structure", "(...(.....)......)") == 0
    warned = "warning: rna: pairs of its secondary structure that are neither Watson-Crick nor GU: A5-G11\n"
    assert warned in capsys.readouterr().err
    assert run("--sequence", SEQUENCE, "--structure", HELIX, out="helix") == 0
    assert "Watson-Crick" not in capsys.readouterr().err
