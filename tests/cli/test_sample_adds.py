"""sample.py into a folder that has RNAs: others and more conformers are added, other options and other RNAs refused."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import rnagen
from rnagen.cli.report import main as report
from rnagen.cli.sample import main
from rnagen.evaluation.likelihood import with_all_atoms
from rnagen.io.labels import read_labels
from rnagen.sampling.stored import read_coordinates
from tests.helpers.outputs import contents

ROOT = Path(__file__).parents[2]
ONE, TWO = "GGGAAACCC", "GGGCUUCGGCCC"
KILLED = """
import os, signal, sys
from rnagen.cli.sample import main
replace, calls = os.replace, []
def killed(*given):
    calls.append(given)
    if len(calls) == int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)
    replace(*given)
os.replace = killed
sys.exit(main(sys.argv[2:]))
"""


@pytest.fixture
def run(ckpt: Path, tmp_path: Path):
    """Run sample.py with the tiny checkpoint into tmp_path/OUT; returns the exit code."""

    def call(*flags: str, out: str = "out", n: int = 2) -> int:
        return main(
            [
                "--ckpt",
                str(ckpt),
                "--steps",
                "3",
                "--atoms",
                "beads",
                "--n",
                str(n),
                "--out",
                str(tmp_path / out),
                *flags,
            ]
        )

    return call


def table(folder: Path) -> dict[str, int]:
    """RNAs of the submission in their order, and their conformers."""
    return {one.name: one.num_models for one in read_labels(folder / "submission.csv")}


def test_another_rna_is_added_at_the_end(run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("--sequence", ONE, "--name", "z") == 0
    before = contents(out / "z")
    assert run("--sequence", TWO, "--name", "b") == 0
    assert contents(out / "z") == before
    assert table(out) == {"z": 2, "b": 2}
    whole = contents(out)
    assert run("--sequence", ONE, "--name", "z") == 0
    assert contents(out) == whole
    fasta = tmp_path / "both.fasta"
    fasta.write_text(f">z\n{ONE}\n>b\n{TWO}\n")
    assert run("--fasta", str(fasta), out="once") == 0
    assert contents(tmp_path / "once") == whole


def test_names_that_collide_with_those_there_get_folders_of_their_own(run, tmp_path: Path) -> None:
    for name in ("a/b", "a_b", "A_B"):
        assert run("--sequence", ONE, "--name", name) == 0
    listed = json.loads((tmp_path / "out" / "run.json").read_text())["targets"]
    assert {one["name"]: one["folder"] for one in listed} == {"a/b": "a_b", "a_b": "a_b-2", "A_B": "A_B-3"}
    assert run("--sequence", ONE, "--name", "a_b") == 0
    assert list(table(tmp_path / "out")) == ["a/b", "a_b", "A_B"]


def samples(folder: Path) -> dict[int, np.ndarray]:
    """Coordinates of the conformers of an RNA as they were sampled, by their numbers."""
    conformers = json.loads((folder / "summary.json").read_text())["conformers"]
    return {one["sample"]: xyz for one, xyz in zip(conformers, read_coordinates(folder / "sampled.safetensors"))}


@pytest.mark.parametrize("structure_format", ["cif", "pdb"])
def test_conformers_are_added_and_those_there_do_not_change(run, tmp_path: Path, structure_format: str) -> None:
    out, flags = tmp_path / "out", ("--sequence", ONE, "--format", structure_format)
    assert run(*flags, n=2) == 0
    before = samples(out / "rna")
    assert run(*flags, n=5) == 0
    after, added = contents(out / "rna"), samples(out / "rna")
    assert set(before) == {1, 2}
    assert set(added) == {1, 2, 3, 4, 5}
    for number, xyz in before.items():
        np.testing.assert_array_equal(added[number], xyz)
    assert table(out) == {"rna": 5}
    summary = json.loads((out / "rna" / "summary.json").read_text())
    assert len(summary["geometry"]) == 5
    assert run(*flags, n=5, out="once") == 0
    assert set(contents(tmp_path / "once")) == set(contents(out))
    once = json.loads((tmp_path / "once" / "rna" / "summary.json").read_text())
    assert [one["sample"] for one in once["conformers"]] == [one["sample"] for one in summary["conformers"]]
    assert run(*flags, n=1) == 0
    assert contents(out / "rna") == after
    assert table(out) == {"rna": 5}


def test_a_folder_that_grows_past_nine_is_named_anew(run, tmp_path: Path) -> None:
    place = tmp_path / "out" / "rna"
    assert run("--sequence", ONE, n=9) == 0
    assert sorted(path.name for path in place.glob("conformer_*")) == [f"conformer_{k}.cif" for k in range(1, 10)]
    assert run("--sequence", ONE, n=11) == 0
    assert sorted(path.name for path in place.glob("conformer_*")) == [f"conformer_{k:02}.cif" for k in range(1, 12)]
    listed = [one["file"] for one in json.loads((place / "summary.json").read_text())["conformers"]]
    assert listed == sorted(path.name for path in place.glob("conformer_*"))


def test_only_rnas_that_are_asked_for_get_more(run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("--sequence", ONE, "--name", "one") == 0
    assert run("--sequence", TWO, "--name", "two", n=4) == 0
    assert len(list((out / "one").glob("conformer_*"))) == 2
    assert table(out) == {"one": 2, "two": 2}
    assert run("--sequence", ONE, "--name", "one", n=3) == 0
    assert table(out) == {"one": 3, "two": 3}


def test_an_evaluation_reads_as_many_conformers_as_the_table_has(run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("--sequence", ONE, "--name", "one", n=3) == 0
    assert run("--sequence", TWO, "--name", "two") == 0
    listed = {one.name: one for one in read_labels(out / "submission.csv")}
    found = with_all_atoms(listed, out)
    assert {name: one.num_models for name, one in found.items()} == {"one": 2, "two": 2}


@pytest.mark.parametrize("flags", [("--candidates", "6"), ("--diversity", "1")])
def test_conformers_that_depend_on_the_others_are_sampled_anew(run, tmp_path: Path, flags: tuple[str, str]) -> None:
    assert run("--sequence", ONE, *flags, n=2) == 0
    assert run("--sequence", ONE, *flags, n=4) == 0
    assert run("--sequence", ONE, *flags, n=4, out="once") == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "once")


def test_confidence_and_b_factors_stay_when_conformers_are_added(tmp_path: Path) -> None:
    """With the shipped model, which has a confidence model."""
    options = {"steps": 2, "out": tmp_path / "out", "device": "cpu"}
    first = rnagen.sample_targets([("one", ONE)], 2, **options)["one"]
    more = rnagen.sample_targets([("one", ONE)], 4, **options)["one"]
    after = contents(tmp_path / "out" / "one")
    assert len(more) == 4
    assert more.confidence.tm.shape == (4,)
    rows = [more.numbers.index(number) for number in first.numbers]
    assert more.confidence.tm[rows] == pytest.approx(first.confidence.tm, abs=1e-4)
    np.testing.assert_array_equal(more.quality.of(rows).lddt, first.quality.lddt)
    ensemble = after["ensemble.cif"].decode().splitlines()
    single = [line.split()[14] for line in after["conformer_1.cif"].decode().splitlines() if line.startswith("ATOM")]
    assert [line.split()[14] for line in ensemble if line.startswith("ATOM")][: len(single)] == single
    assert len(set(single)) > 1


def test_another_rna_of_a_name_is_refused_by_name(run, tmp_path: Path, capsys) -> None:
    assert run("--sequence", ONE) == 0
    before = contents(tmp_path / "out")
    capsys.readouterr()
    assert run("--sequence", TWO) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert f"rna: sequence '{ONE}' there, '{TWO}' now" in line
    assert "--overwrite" in line
    assert contents(tmp_path / "out") == before


def test_overwriting_leaves_nothing_of_the_former_run(run, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    assert run("--sequence", ONE, "--name", "old") == 0
    (out / "notes.txt").write_text("mine")
    assert run("--sequence", TWO, "--tau", "0.5", "--overwrite") == 0
    assert (out / "notes.txt").read_text() == "mine"
    (out / "notes.txt").unlink()
    assert run("--sequence", TWO, "--tau", "0.5", out="other") == 0
    assert contents(out) == contents(tmp_path / "other")
    strange = tmp_path / "strange"
    strange.mkdir()
    (strange / "thesis.txt").write_text("precious")
    assert run("--sequence", ONE, "--overwrite", out="strange") == 2
    (out / "run.json").write_text(json.dumps({"identity": {"task": "reactivity"}}))
    capsys.readouterr()
    assert run("--sequence", ONE, "--overwrite") == 2
    assert "has a run of rnagen reactivity" in capsys.readouterr().err


def as_version_0_1_0(folder: Path, n: int) -> None:
    """run.json as version 0.1.0 wrote it."""
    described = json.loads((folder / "run.json").read_text())
    targets = described.pop("targets")
    records = "".join(f">{one['name']}\n{one['sequence']}\n" for one in targets)
    described["identity"] |= {
        "n": n,
        "targets": len(targets),
        "targets_sha256": hashlib.sha256(records.encode()).hexdigest(),
    }
    (folder / "run.json").write_text(json.dumps(described, indent=1) + "\n")


def test_what_was_there_is_put_back_where_a_run_was_killed_while_it_replaced_it(run, tmp_path: Path) -> None:
    """Between two renames, or before the former folder is gone."""
    out = tmp_path / "out"
    assert run("--sequence", ONE) == 0
    before = contents(out)
    (out / "rna").rename(out / ".rna.former")
    (out / ".rna.part").mkdir()
    assert run("--sequence", ONE) == 0
    assert contents(out) == before
    (out / ".rna.former").mkdir()
    (out / ".rna.former" / "conformer_1.cif").write_text("old")
    assert run("--sequence", ONE) == 0
    assert contents(out) == before
    assert [path.name for path in out.glob(".*")] == [".lock"]


def test_a_folder_without_samples_is_added_to_from_its_files(run, tmp_path: Path) -> None:
    """As version 0.1.0 left it: one checkpoint in run.json, conformers in the order of their numbers."""
    out = tmp_path / "out"
    assert run("--sequence", ONE) == 0
    (out / "rna" / "sampled.safetensors").unlink()
    summary = json.loads((out / "rna" / "summary.json").read_text())
    for name in ("conformers", "ordered_by", "spread"):
        del summary[name]
    (out / "rna" / "summary.json").write_text(json.dumps(summary))
    described = json.loads((out / "run.json").read_text())
    described["checkpoint"] = described.pop("checkpoints")[0]
    described["identity"]["checkpoint_sha256"] = described["identity"].pop("checkpoints_sha256")[0]
    described["identity"]["confidence_sha256"] = None
    (out / "run.json").write_text(json.dumps(described))
    assert report(["--quiet", str(out)]) == 0
    assert run("--sequence", ONE, n=3) == 0
    assert set(samples(out / "rna")) == {1, 2, 3}
    assert json.loads((out / "run.json").read_text())["checkpoints"][0]["cutoff"] == "2022-05-27"


def test_what_was_added_to_at_a_kill_comes_last(run, tmp_path: Path, capsys) -> None:
    fasta = tmp_path / "in.fasta"
    fasta.write_text(f">one\n{ONE}\n>two\n{TWO}\n")
    assert run("--fasta", str(fasta)) == 0
    (tmp_path / "out" / ".one.working").touch()
    capsys.readouterr()
    assert run("--fasta", str(fasta), n=3) == 0
    assert "in work when an earlier run was killed, and therefore last: one" in capsys.readouterr().out
    assert not (tmp_path / "out" / ".one.working").exists()


def test_a_folder_of_version_0_1_0_goes_on_with_its_command(run, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    assert run("--sequence", ONE) == 0
    whole = contents(out)
    as_version_0_1_0(out, 2)
    capsys.readouterr()
    assert run("--sequence", TWO, "--name", "b") == 2
    assert "was written by rnagen 0.1.0" in capsys.readouterr().err
    assert run("--sequence", ONE, "--tau", "0.9") == 2
    assert "tau: 0.05 there, 0.9 now" in capsys.readouterr().err
    assert run("--sequence", ONE) == 0
    assert contents(out) == whole
    assert run("--sequence", TWO, "--name", "b") == 0
    assert table(out) == {"rna": 2, "b": 2}


@pytest.mark.parametrize("targets", [None, 3, [{"name": "rna"}], ["rna"]])
def test_a_damaged_list_of_rnas_is_named(run, tmp_path: Path, capsys, targets) -> None:
    assert run("--sequence", ONE) == 0
    path = tmp_path / "out" / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "targets": targets}))
    capsys.readouterr()
    assert run("--sequence", ONE) == 2
    assert "run.json: targets: not a list of RNAs as rnagen writes it" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "moments"),
    [
        # The mark, four conformers, the ensemble, the samples, the summary, the old folder away, the new one
        # there, what was left of the old one away, ranking.csv, the table.
        (("--sequence", ONE), (3, 8, 9, 10, 11)),
        # run.json, the mark, four conformers, the ensemble, the samples, the summary, the folder, ranking, the table.
        (("--sequence", TWO, "--name", "b"), (1, 10)),
        # As the first.
        (("--sequence", ONE, "--diversity", "1"), (9, 10)),
        # The old folder away, run.json, and so on.
        (("--sequence", ONE, "--overwrite"), (1, 3)),
    ],
    ids=["conformers", "another", "anew", "overwrite"],
)
def test_killed_while_it_adds_and_run_again(run, ckpt: Path, tmp_path: Path, flags, moments) -> None:
    first = ("--sequence", ONE, *flags[2:]) if "--diversity" in flags else ("--sequence", ONE)
    assert run(*first, out="whole") == 0
    assert run(*flags, n=4, out="whole") == 0
    whole = contents(tmp_path / "whole")
    for moment in moments:
        out = tmp_path / f"killed{moment}"
        assert run(*first, out=out.name) == 0
        given = ["--ckpt", ckpt, "--steps", "3", "--atoms", "beads", "--n", 4, "--out", out, *flags]
        done = subprocess.run(
            [sys.executable, "-c", KILLED, *map(str, [moment, *given])],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
            check=False,
        )
        assert done.returncode == -signal.SIGKILL
        assert run(*flags, n=4, out=out.name) == 0
        assert contents(out) == whole
        assert not [path for path in out.rglob(".*") if path.name != ".lock"]
