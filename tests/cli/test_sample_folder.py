"""sample.py into a folder with more in it than the run: what is the user's stays; what came to nothing binds nobody."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from rnagen.cli.sample import main
from rnagen.io.folders import folder_names, may_hold
from rnagen.io.write import write_structure
from rnagen.preparation.synthetic import synthetic_rna
from tests.helpers.outputs import contents

RNA = synthetic_rna(3, 40)
Run = Callable[..., int]


@pytest.fixture
def run(ckpt: Path, tmp_path: Path) -> Run:
    """Run sample.py with the tiny checkpoint into tmp_path/OUT; returns the exit code."""

    def call(*flags: str | Path, name: str = "h", out: str = "out") -> int:
        given = ["--ckpt", ckpt, "--steps", "2", "--n", "1", "--atoms", "beads", "--templates", "none", "--no-report"]
        return main([*map(str, [*given, "--sequence", RNA.sequence, "--name", name, "--out", tmp_path / out, *flags])])

    return call


def theirs(folder: Path) -> dict[str, bytes]:
    """Make what a user may keep beside a run."""
    for name, summary in (("analysis", "{}"), ("notes", "no JSON"), ("list", "[]")):
        (folder / name).mkdir()
        (folder / name / "summary.json").write_text(summary)
    (folder / "copy").mkdir()
    (folder / "copy" / "summary.json").write_bytes((folder / "h" / "summary.json").read_bytes())
    for name in ("thesis.txt", ".film.part", ".film.former", ".film.working"):
        (folder / name).write_text("precious")
    return kept(folder)


def kept(folder: Path) -> dict[str, bytes]:
    """What the user keeps there, summaries too."""
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if is_theirs(name)}


def is_theirs(name: str) -> bool:
    return name.split("/")[0] in {"analysis", "notes", "list", "copy", "thesis.txt"} or name.startswith(".film")


@pytest.mark.parametrize("former", [False, True], ids=["now", "0.1.0"])
def test_overwriting_leaves_what_is_not_of_the_run(run: Run, tmp_path: Path, former: bool) -> None:
    out = tmp_path / "out"
    assert run() == 0
    before = theirs(out)
    (out / ".h.former").mkdir()
    (out / ".h.former" / "summary.json").write_bytes((out / "h" / "summary.json").read_bytes())
    if former:
        described = json.loads((out / "run.json").read_text())
        del described["targets"]
        (out / "run.json").write_text(json.dumps(described))
    assert run("--overwrite", "--tau", "0.5", name="b") == 0
    assert not (out / "h").exists()
    assert kept(out) == before
    assert len(before) == 8
    assert run("--tau", "0.5", name="b", out="other") == 0
    assert {name: data for name, data in contents(out).items() if not is_theirs(name)} == contents(tmp_path / "other")


@pytest.mark.parametrize("flags", [(), ("--overwrite",), ("--overwrite", "--tau", "0.5")])
def test_an_rna_does_not_take_the_place_of_what_is_not_of_the_run(run: Run, tmp_path: Path, capsys, flags) -> None:
    assert run() == 0
    before = theirs(tmp_path / "out"), contents(tmp_path / "out")
    for name in ("analysis", "thesis.txt"):
        capsys.readouterr()
        assert run(*flags, name=name) == 2
        assert f"{name} is in the place of {name}, and not of this run: move it" in capsys.readouterr().err
        assert (kept(tmp_path / "out"), contents(tmp_path / "out")) == before


def test_a_run_without_a_finished_rna_does_not_bind_its_options(run: Run, tmp_path: Path, capsys) -> None:
    """A fixed part of other bases, and a draft that does not fit, are found when the RNA is sampled."""
    write_structure(RNA, tmp_path / "right.cif")
    write_structure(synthetic_rna(8, 90), tmp_path / "wrong.cif")
    assert run("--fix", "5-20", tmp_path / "wrong.cif") == 1
    assert run("--draft", tmp_path / "wrong.cif", name="other") == 1
    assert run("--fix", "5-20", tmp_path / "right.cif") == 0
    assert run("--fix", "5-20", tmp_path / "right.cif", out="new") == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "new")
    capsys.readouterr()
    assert run("--fix", "5-21", tmp_path / "right.cif") == 2
    assert "has a run with other options (fix: '5-20' there, '5-21' now)" in capsys.readouterr().err


def test_what_a_kill_left_under_another_name_is_finished(run: Run, tmp_path: Path, capsys) -> None:
    assert run() == 0
    before = contents(tmp_path / "out")
    (tmp_path / "out" / "h").rename(tmp_path / "out" / ".h.former")
    assert run("--tau", "0.5") == 2
    assert "tau: 0.05 there, 0.5 now" in capsys.readouterr().err
    assert contents(tmp_path / "out") == before


def test_a_run_of_another_command_is_refused_before_an_rna_is_finished(run: Run, tmp_path: Path, capsys) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "run.json").write_text(json.dumps({"identity": {"task": "reactivity"}}))
    assert run() == 2
    assert "has a run of rnagen reactivity" in capsys.readouterr().err


def test_marks_of_other_rnas_go(run: Run, tmp_path: Path) -> None:
    assert run() == 0
    for name, text in (("k", ""), ("h", ""), ("mine", "precious")):
        (tmp_path / "out" / f".{name}.working").write_text(text)
    assert run(name="b") == 0
    assert [path.name for path in sorted((tmp_path / "out").glob(".*"))] == [".lock", ".mine.working"]


def test_a_folder_is_told_from_another() -> None:
    names = ["a/b", "a_b", "A_b", "run.json", "x" * 300, "X" * 300, "con", "plain"]
    for name, folder in folder_names(names, ["run.json"]).items():
        assert may_hold(folder, name)
    for folder in ("copy", "plain copy", "plain-", "plain-2-old", "_plain_"):
        assert not may_hold(folder, "plain")
