"""sample.py conditioned on more than a sequence: a secondary structure, an alignment; and models that read neither."""

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
from rnagen.structure import BEADS, PAIR_FEATURES
from tests.helpers.tiny import TINY, tiny_model

SEQUENCE = "GGGAAACUUCGGUUUCCC"
HELIX = "((((((......))))))"
CONDITIONED = replace(TINY, model=replace(TINY.model, secondary_structure=True, pair_features=PAIR_FEATURES))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that reads secondary structures and one that does not, inputs and alignments."""
    path = tmp_path_factory.mktemp("conditioned")
    save_checkpoint(path / "conditioned.safetensors", tiny_model(CONDITIONED), CONDITIONED, {"cutoff": "2022-05-27"})
    save_checkpoint(path / "plain.safetensors", tiny_model(), TINY, {"cutoff": "2022-05-27"})
    (path / "in.fasta").write_text(f">a\n{SEQUENCE}\n>b\n{SEQUENCE}\n{HELIX}\n")
    (path / "msa").mkdir()
    rows = [SEQUENCE, "GCGAAACUUCGGUUUCGC", "GGCAAACUUCGGUUUGCC", "GGGAUACUUCGGUAUCCC"]
    (path / "msa" / "A.a3m").write_text("".join(f">r{i}\n{row}\n" for i, row in enumerate(rows)))
    return path


@pytest.fixture
def run(folder: Path, tmp_path: Path):
    """Run sample.py into tmp_path/OUT; returns the exit code."""

    def call(*flags: str | Path, out: str = "out", ckpt: str = "conditioned") -> int:
        given = [
            "--ckpt",
            folder / f"{ckpt}.safetensors",
            "--steps",
            "3",
            "--n",
            "2",
            "--out",
            tmp_path / out,
            "--atoms",
            "beads",
        ]
        return main([str(f) for f in (*given, *flags)])

    return call


def coords(folder: Path) -> np.ndarray:
    (structure,) = read_structures(folder / "ensemble.cif")
    return structure.select_atoms(BEADS).coords


def test_a_structure_in_the_file_is_that_of_the_flag(run, folder: Path, tmp_path: Path) -> None:
    assert run("--fasta", folder / "in.fasta") == 0
    assert run("--sequence", SEQUENCE, "--structure", HELIX, "--name", "b", out="flag") == 0
    assert run("--sequence", SEQUENCE, "--name", "b", out="free") == 0
    conditioned = coords(tmp_path / "out" / "b")
    np.testing.assert_array_equal(conditioned, coords(tmp_path / "flag" / "b"))
    assert np.abs(conditioned - coords(tmp_path / "free" / "b")).max() > 1e-2
    by_api = rnagen.sample(
        SEQUENCE, 2, structure=HELIX, name="b", ckpt=folder / "conditioned.safetensors", steps=3, atoms="beads"
    )
    np.testing.assert_allclose(by_api.coords, conditioned, atol=2e-3)


def test_a_structure_without_its_sequence_is_refused(run, capsys) -> None:
    assert run("--structure", HELIX) == 2
    assert "structure: belongs to --sequence" in capsys.readouterr().err


def test_a_model_that_reads_no_secondary_structure(run, folder: Path, tmp_path: Path, capsys) -> None:
    """In a file it is left out with a warning; where it is asked for, it is refused."""
    assert run("--fasta", folder / "in.fasta", ckpt="plain") == 0
    assert "warning: b: its secondary structure is not used" in capsys.readouterr().err
    assert run("--sequence", SEQUENCE, "--name", "b", ckpt="plain", out="alone") == 0
    np.testing.assert_array_equal(coords(tmp_path / "out" / "b"), coords(tmp_path / "alone" / "b"))
    assert run("--sequence", SEQUENCE, "--structure", HELIX, ckpt="plain", out="refused") == 2
    assert "this model cannot be conditioned on a secondary structure" in capsys.readouterr().err
    assert not (tmp_path / "refused").exists()
    with pytest.raises(InputError, match="cannot be conditioned"):
        rnagen.sample(SEQUENCE, structure=HELIX, ckpt=folder / "plain.safetensors")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (
            ("--sequence", SEQUENCE, "--structure", f"(({HELIX[2:-1]}."),
            "rna: secondary structure: position 1: a bracket",
        ),
        (("--sequence", SEQUENCE, "--structure", "(.)"), "3 symbols for 18 residues"),
        (("--alignments", "nowhere"), "no such folder of alignments"),
    ],
)
def test_an_unusable_condition_is_named_and_nothing_is_written(run, tmp_path: Path, capsys, flags, words: str) -> None:
    assert run(*flags) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_secondary_structures_are_sampled_under_the_old_option_too(run, folder: Path, tmp_path: Path, capsys) -> None:
    assert run("--sequence", SEQUENCE, "--fold", "drawn") == 0
    summary = json.loads((tmp_path / "out" / "rna" / "summary.json").read_text())
    assert summary["options"]["secondary_structures"] == "sampled"
    assert "the option fold is now called secondary_structures" in capsys.readouterr().err
    assert run("--sequence", SEQUENCE, "--fold", "drawn", ckpt="plain", out="other") == 2
    assert "without --secondary-structure" in capsys.readouterr().err


def test_an_alignment_is_found_by_name_and_acts(run, folder: Path, tmp_path: Path, capsys) -> None:
    alone = ("--fasta", folder / "in.fasta", "--templates", "none")
    assert run(*alone, "--alignments", folder / "msa") == 0
    assert "1 of 2 targets have an alignment" in capsys.readouterr().out
    assert run(*alone, out="without") == 0
    with_it, without = (coords(tmp_path / out / "a") for out in ("out", "without"))
    assert np.abs(with_it - without).max() > 1e-2
    np.testing.assert_array_equal(coords(tmp_path / "out" / "b"), coords(tmp_path / "without" / "b"))
    by_api = rnagen.sample(
        SEQUENCE,
        2,
        alignments=folder / "msa",
        name="a",
        ckpt=folder / "conditioned.safetensors",
        steps=3,
        atoms="beads",
        templates="none",
    )
    np.testing.assert_allclose(by_api.coords, with_it, atol=2e-3)


def test_another_alignment_is_another_run(run, folder: Path, tmp_path: Path, capsys) -> None:
    assert run("--fasta", folder / "in.fasta") == 0
    assert run("--fasta", folder / "in.fasta", "--alignments", folder / "msa") == 2
    assert "has another RNA of the same name: a: alignment none there" in capsys.readouterr().err


def test_an_alignment_of_another_sequence_is_named(run, folder: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "msa").mkdir()
    (tmp_path / "msa" / "a.fasta").write_text(">q\nGGGG\n")
    assert run("--fasta", folder / "in.fasta", "--alignments", tmp_path / "msa") == 1
    assert "a.fasta: a: the query has 4 residues, but the sequence has 18" in capsys.readouterr().err
    (tmp_path / "msa" / "A.sto").write_text("")
    assert run("--fasta", folder / "in.fasta", "--alignments", tmp_path / "msa", out="two") == 2
    assert "has the same name as" in capsys.readouterr().err


def test_a_model_that_reads_no_alignments_says_so(run, folder: Path, capsys) -> None:
    assert run("--fasta", folder / "in.fasta", "--alignments", folder / "msa", ckpt="plain") == 2
    assert "cannot read them" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="cannot read them"):
        rnagen.sample(SEQUENCE, alignments=folder / "msa", ckpt=folder / "plain.safetensors")
