"""sample.py from the command line: outputs, resuming, and every bad input of the table."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import gemmi
import numpy as np
import pytest

from rnagen.checkpoints.structure import load_checkpoint, save_checkpoint
from rnagen.cli.sample import main
from rnagen.io.labels import read_labels
from rnagen.io.read import read_structures
from rnagen.io.write import write_structure
from rnagen.preparation.synthetic import synthetic_rna
from tests.helpers.outputs import contents
from tests.helpers.tiny import TINY, tiny_model

ROOT = Path(__file__).parents[2]
FASTA = ">one\nGGGAAACCC\n>two\nGGGCUUCGGCCC\n>three\nACGUACGUAC\n"


@pytest.fixture
def run(ckpt: Path, tmp_path: Path):
    """Run sample.py with the tiny checkpoint into tmp_path/out; returns the exit code."""

    def call(*flags: str | Path, out: str = "out", n: int = 2) -> int:
        given = [] if "--ckpt" in flags else ["--ckpt", ckpt]
        return main([str(f) for f in (*given, "--steps", "3", "--n", n, "--out", tmp_path / out, *flags)])

    return call


@pytest.fixture
def fasta(tmp_path: Path) -> Path:
    path = tmp_path / "in.fasta"
    path.write_text(FASTA)
    return path


@pytest.mark.parametrize("structure_format", ["cif", "pdb"])
def test_every_documented_file_is_there(run, fasta: Path, tmp_path: Path, structure_format: str) -> None:
    assert run("--fasta", fasta, "--format", structure_format) == 0
    out = tmp_path / "out"
    names = {"conformer_1", "conformer_2", "ensemble"}
    for target, length in (("one", 9), ("two", 12), ("three", 10)):
        files = {p.name for p in (out / target).iterdir()}
        assert files == {f"{name}.{structure_format}" for name in names} | {"summary.json", "sampled.safetensors"}
        (ensemble,) = read_structures(out / target / f"ensemble.{structure_format}")
        assert ensemble.coords.shape[:2] == (2, length)
        summary = json.loads((out / target / "summary.json").read_text())
        assert (summary["seed"], summary["length"], summary["evaluations"]) == (0, length, 3)
        assert len(gemmi.read_structure(str(out / target / f"conformer_1.{structure_format}"))) == 1
    table = read_labels(out / "submission.csv")
    assert [t.name for t in table] == ["one", "two", "three"]
    (first,) = read_structures(out / "one" / f"ensemble.{structure_format}")
    np.testing.assert_allclose(table[0].coords, first.select_atoms(("C1'",)).coords, atol=2e-3)
    header = (out / "submission.csv").read_text().splitlines()[0]
    assert header == "ID,resname,resid,x_1,y_1,z_1,x_2,y_2,z_2"
    described = json.loads((out / "run.json").read_text())
    assert [one["cutoff"] for one in described["checkpoints"]] == ["2022-05-27"]


@pytest.mark.slow
def test_the_order_and_number_of_targets_change_no_byte(run, tmp_path: Path) -> None:
    (tmp_path / "a.fasta").write_text(FASTA)
    (tmp_path / "b.fasta").write_text(">three\nACGUACGUAC\n>one\nGGGAAACCC\n")
    assert run("--fasta", tmp_path / "a.fasta", out="a") == 0
    assert run("--fasta", tmp_path / "b.fasta", out="b") == 0
    for target in ("one", "three"):
        assert contents(tmp_path / "a" / target) == contents(tmp_path / "b" / target)


def test_an_interrupted_run_ends_like_an_uninterrupted_one(run, fasta, tmp_path: Path, monkeypatch, capsys) -> None:
    assert run("--fasta", fasta, out="whole") == 0
    from rnagen.sampling.outputs import OutputFolder

    write = OutputFolder.write_target
    calls = []

    def killed(self, structure, *rest):
        calls.append(structure.name)
        if len(calls) == 2:
            # Killed in the middle of the second target: its folder is half written under another name.
            (self.folder / ".three.part").mkdir()
            (self.folder / ".three.part" / "conformer_1.cif").write_text("half")
            raise KeyboardInterrupt
        return write(self, structure, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(OutputFolder, "write_target", killed)
        assert run("--fasta", fasta, out="parts") == 130
    assert "1 of 3 RNAs finished\n" in capsys.readouterr().err
    assert (tmp_path / "parts" / "one" / "summary.json").is_file()
    assert not (tmp_path / "parts" / "two").exists()
    assert not list((tmp_path / "parts").glob(".*.working"))
    stamp = (tmp_path / "parts" / "one" / "ensemble.cif").stat().st_mtime_ns
    assert run("--fasta", fasta, out="parts") == 0
    assert (tmp_path / "parts" / "one" / "ensemble.cif").stat().st_mtime_ns == stamp
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


def test_an_interrupted_run_names_the_records_that_cannot_be_used(run, tmp_path: Path, monkeypatch, capsys) -> None:
    from rnagen.sampling.outputs import OutputFolder

    def interrupted(self, *parts):
        raise KeyboardInterrupt

    (tmp_path / "in.fasta").write_text(">good\nGGGAAACCC\n>bad\nGGG1AACCC\n")
    monkeypatch.setattr(OutputFolder, "write_target", interrupted)
    assert run("--fasta", tmp_path / "in.fasta") == 130
    printed = capsys.readouterr().err
    assert "0 of 1 RNA finished\n1 record failed:\n" in printed
    assert "in.fasta: bad: " in printed


def test_an_rna_that_ends_before_the_fixed_part_is_refused_before_any_is_sampled(run, tmp_path: Path, capsys) -> None:
    rna = synthetic_rna(8, 20)
    write_structure(rna, tmp_path / "part.cif")
    (tmp_path / "two.fasta").write_text(f">long\n{rna.sequence}\n>short\nGGGAAACCC\n")
    assert run("--fasta", tmp_path / "two.fasta", "--fix", "1-20", tmp_path / "part.cif", "--templates", "none") == 1
    printed = capsys.readouterr()
    assert "part.cif: short: --fix: there are no residues up to 20, the RNA has 9" in printed.err
    assert (tmp_path / "out" / "long" / "summary.json").is_file()
    assert not (tmp_path / "out" / "short").exists()


def test_a_folder_of_another_run_is_refused_with_the_difference(run, fasta, tmp_path: Path, capsys) -> None:
    assert run("--fasta", fasta) == 0
    before = contents(tmp_path / "out")
    capsys.readouterr()
    assert run("--fasta", fasta, "--tau", "0.7", "--seed", "3") == 2
    message = capsys.readouterr().err
    assert "tau: 0.05 there, 0.7 now" in message
    assert "seed: 0 there, 3 now" in message
    assert run("--sequence", "GGGAAACCA", "--name", "one") == 2
    assert "one: sequence 'GGGAAACCC' there, 'GGGAAACCA' now" in capsys.readouterr().err
    assert contents(tmp_path / "out") == before


def test_a_folder_with_other_things_is_refused(run, fasta, tmp_path: Path, capsys) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("precious")
    assert run("--fasta", fasta) == 2
    assert "is not empty" in capsys.readouterr().err
    assert (tmp_path / "out" / "thesis.txt").read_text() == "precious"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("\n \n", "empty"),
        (">one\n", "one"),
        (">one\nGGJJCC\n", "J"),
        (">\nGGGAAA\n", "has no name"),
    ],
)
def test_bad_files_are_named_and_nothing_is_written(run, tmp_path: Path, capsys, text: str, words: str) -> None:
    path = tmp_path / "bad.fasta"
    path.write_text(text)
    assert run("--fasta", path) == 2
    message = capsys.readouterr().err
    assert words in message
    assert "bad.fasta" in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--sequence", ""), "empty"),
        (("--sequence", "GGG%CCC"), "4"),
        (("--fasta", "absent.fasta"), "absent.fasta"),
        (("--ckpt", "absent.safetensors"), "absent.safetensors"),
        (("--device", "cuda:7"), "device"),
        (("--config", "absent.yaml"), "absent.yaml"),
        (("--sequence", "GGG", "--name", " "), "has no name"),
    ],
)
def test_bad_flags_are_named_and_nothing_is_written(run, tmp_path: Path, capsys, flags, words: str) -> None:
    assert run(*flags) == 2
    message = capsys.readouterr().err
    assert words in message
    assert "Traceback" not in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("flags", [("--n", "0"), ("--steps", "0"), ("--format", "xyz"), ("--nope",)])
def test_impossible_options_exit_with_2(flags) -> None:
    assert main(list(flags)) == 2


def test_one_bad_record_among_good_ones(run, tmp_path: Path, capsys) -> None:
    path = tmp_path / "mixed.fasta"
    path.write_text(">good\nGGGAAACCC\n>bad\nGGG!CCC\n>good\nAAA\n>fine\nACGU\n")
    assert run("--fasta", path) == 1
    message = capsys.readouterr().err
    assert "2 records failed" in message
    assert "bad" in message
    assert [t.name for t in read_labels(tmp_path / "out" / "submission.csv")] == ["good", "fine"]


def test_modified_residues_are_read_with_a_warning(run, tmp_path: Path, capsys) -> None:
    assert run("--sequence", "ggrTTacc") == 0
    message = capsys.readouterr().err
    assert "warning" in message
    assert "R" in message
    (structure,) = read_structures(tmp_path / "out" / "rna" / "ensemble.cif")
    assert structure.sequence == "GGNUUACC"


def test_too_long_is_refused_before_work_with_the_estimate(run, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("rnagen.sampling.checks.available_memory", lambda: 10 * 2**20)
    assert run("--sequence", "ACGU" * 250) == 2
    message = capsys.readouterr().err
    assert "1000 nt need about" in message
    assert "--chunk" in message
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_kaggle_table_and_fasta_give_the_same(run, tmp_path: Path, fasta: Path) -> None:
    table = tmp_path / "test_sequences.csv"
    table.write_text(
        "target_id,sequence,temporal_cutoff,description,all_sequences\n"
        'one,GGGAAACCC,2030-01-01,"two\nlines",\n'
        "two,GGGCUUCGGCCC,2030-01-01,,\nthree,ACGUACGUAC,2030-01-01,,\n"
    )
    assert run("--csv", table, out="csv") == 0
    assert run("--fasta", fasta, out="fasta") == 0
    written = [contents(tmp_path / out) for out in ("csv", "fasta")]
    # The table has dates, later than those of all templates.
    for one in written:
        del one["run.json"]
    assert written[0] == written[1]


def test_flags_win_over_the_config_file(run, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("seed: 5\ntau: 0.9\n")
    assert run("--sequence", "GGGAAACCC", "--config", tmp_path / "mine.yaml", "--tau", "0.3") == 0
    identity = json.loads((tmp_path / "out" / "run.json").read_text())["identity"]
    assert (identity["seed"], identity["tau"]) == (5, 0.3)


def test_python_api_gives_the_same_conformers(run, tmp_path: Path, ckpt: Path) -> None:
    import rnagen

    assert run("--sequence", "GGGAAACCC", "--seed", "4") == 0
    sampled = rnagen.sample("gggaaaccc", 2, ckpt=str(ckpt), seed=4, steps=3)
    (written,) = read_structures(tmp_path / "out" / "rna" / "ensemble.cif")
    np.testing.assert_allclose(sampled.coords, written.select_atoms(sampled.structure.atoms).coords, atol=1e-3)


def test_help_imports_neither_torch_nor_lightning() -> None:
    """What keeps `sample.py --help` under a second; the time itself is in benchmarks/."""
    script = (
        "import sys; from rnagen.cli.main import main\n"
        "try: main(['sample', '--help'])\n"
        "except SystemExit as e: assert e.code == 0\n"
        "heavy = {'torch', 'lightning', 'pandas', 'scipy', 'wandb', 'RNA'} & set(sys.modules); assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert "--sequence" in done.stdout


def test_front_door_runs_as_typed(tmp_path: Path) -> None:
    """`python sample.py --n 5` with the shipped checkpoint and the shipped examples."""
    started = time.time()
    command = [sys.executable, str(ROOT / "sample.py"), "--n", "5"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert "out/<name>/conformer_*.cif" in done.stdout
    table = read_labels(tmp_path / "out" / "submission.csv")
    assert [t.num_models for t in table] == [5, 5, 5]
    assert (tmp_path / "out" / "submission.csv").stat().st_mtime >= started - 2


@pytest.mark.slow
def test_guided_and_repelled_conformers(run, fasta: Path, tmp_path: Path, capsys) -> None:
    """A model trained with masked conditions guides itself; any model can be guided by a worse one."""
    masked = replace(TINY, dataset=replace(TINY.dataset, condition_dropout=0.1))
    ckpt = tmp_path / "masked.safetensors"
    save_checkpoint(ckpt, tiny_model(masked), masked, {"cutoff": "2022-05-27"})
    assert run("--fasta", fasta, "--ckpt", ckpt, "--cfg-scale", "2", out="cfg") == 0
    assert "euler-maruyama: 6 evaluations of the model per conformer" in capsys.readouterr().out
    assert json.loads((tmp_path / "cfg" / "one" / "summary.json").read_text())["evaluations"] == 6
    guided = ("--guide-ckpt", ckpt, "--cfg-scale", "2", "--diversity", "1")
    assert run("--fasta", fasta, *guided, out="guided") == 0
    identity = json.loads((tmp_path / "guided" / "run.json").read_text())["identity"]
    assert identity["guide_sha256"] == load_checkpoint(ckpt).fingerprint
    # A folder belongs to its guide too.
    assert run("--fasta", fasta, "--diversity", "1", out="guided") == 2


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--cfg-scale", "2"), "without --condition-dropout"),
        (("--sampling-method", "ddim"), "ddim is for the path Sqrt"),
        (("--tau", "-1"), "the temperature tau must be at least 0, not -1.0"),
        (("--guide-ckpt", "absent.safetensors"), "absent.safetensors"),
    ],
)
def test_options_that_do_not_go_together_write_nothing(run, fasta: Path, tmp_path: Path, capsys, flags, words) -> None:
    assert run("--fasta", fasta, *flags) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags",
    [
        ("--sampling-method", "heun", "--time-grid", "logarithmic"),
        ("--sampling-method", "rk4"),
        ("--sampling-method", "sde-heun", "--diffusion-form", "sbdm", "--last-step", "mean"),
    ],
)
def test_samplers_are_options(run, fasta: Path, flags: tuple[str, ...]) -> None:
    assert run("--fasta", fasta, *flags) == 0
