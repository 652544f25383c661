"""sample.py killed at any moment, out of memory, on a full disk, and beside itself: the folder ends whole."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import rnagen
from rnagen.checkpoints.structure import save_checkpoint
from rnagen.cli.sample import main
from rnagen.errors import InputError
from rnagen.io.labels import read_labels
from rnagen.sampling import run as sampling_run
from rnagen.sampling.outputs import OutputFolder
from tests.helpers.outputs import contents
from tests.helpers.tiny import TINY, tiny_model

ROOT = Path(__file__).parents[2]
FASTA = ">long\nGGGAAACUUCGGUUUCCC\n>short\nGGGAAACCC\n>middle\nGGGCUUCGGCCC\n"
ORDER = ["short", "middle", "long"]
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


@pytest.fixture(scope="module")
def arguments(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("in")
    save_checkpoint(folder / "tiny.safetensors", tiny_model(), TINY, {"cutoff": "2022-05-27"})
    (folder / "in.fasta").write_text(FASTA)
    files = ["--ckpt", str(folder / "tiny.safetensors"), "--fasta", str(folder / "in.fasta")]
    return [*files, "--steps", "2", "--n", "2", "--atoms", "beads", "--device", "cpu"]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the targets, as they are sampled."""
    names: list[str] = []
    draw = sampling_run.draw_shared

    def recorded(models, target, plan, evaluated):
        names.append(target.name)
        return draw(models, target, plan, evaluated)

    monkeypatch.setattr(sampling_run, "draw_shared", recorded)
    return names


ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""As the tests themselves run: more threads add up in another order."""


def interpreter(script: str, *given: str | int | Path) -> list[str]:
    return [sys.executable, "-c", script, *map(str, given)]


@pytest.mark.slow
def test_killed_at_every_moment_and_run_again(arguments: list[str], tmp_path: Path, capsys) -> None:
    """run.json, then for each target its mark, two conformers, the ensemble, the samples, the summary and the folder;
    ranking.csv and the table."""
    assert main([*arguments, "--out", str(tmp_path / "whole")]) == 0
    whole = contents(tmp_path / "whole")
    for moment in (1, 2, 4, 8, 9, 12, 23, 24):
        out = tmp_path / f"killed{moment}"
        done = subprocess.run(
            interpreter(KILLED, moment, *arguments, "--out", out), cwd=ROOT, env=ONE_THREAD, check=False
        )
        assert done.returncode == -signal.SIGKILL
        capsys.readouterr()
        assert main([*arguments, "--out", str(out)]) == 0
        printed = capsys.readouterr().out
        assert ("in work when an earlier run was killed" in printed) == (moment in (4, 8, 12))
        assert contents(out) == whole
        assert not [path.name for path in out.glob(".*") if path.name != ".lock"]


def test_the_smallest_come_first_and_those_in_work_at_a_kill_last(arguments, tmp_path: Path, drawn, capsys) -> None:
    out = tmp_path / "out"
    assert main([*arguments, "--out", str(out)]) == 0
    assert drawn == ORDER
    assert [one.name for one in read_labels(out / "submission.csv")] == ["long", "short", "middle"]
    whole = contents(out)
    drawn.clear()
    assert main([*arguments, "--out", str(tmp_path / "other")]) == 0
    for name in ORDER:
        (tmp_path / "other" / name / "summary.json").unlink()
    for mark in (".short.working", ".middle.working"):
        (tmp_path / "other" / mark).touch()
    drawn.clear()
    capsys.readouterr()
    assert main([*arguments, "--out", str(tmp_path / "other")]) == 0
    assert drawn == ["long", "short", "middle"]
    line = "in work when an earlier run was killed, and therefore last: middle, short"
    assert line in capsys.readouterr().out.splitlines()
    assert contents(tmp_path / "other") == whole


def test_the_mark_of_a_target_that_is_there_means_nothing(arguments, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    assert main([*arguments, "--out", str(out)]) == 0
    whole = contents(out)
    (out / ".short.working").touch()
    assert main([*arguments, "--out", str(out)]) == 0
    assert "was killed" not in capsys.readouterr().out
    assert contents(out) == whole


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried …"),
    ],
)
def test_what_runs_out_of_memory_fails_alone(arguments, tmp_path: Path, monkeypatch, capsys, error) -> None:
    draw = sampling_run.draw_shared

    def too_large(models, target, plan, evaluated):
        if target.name == "middle":
            raise error
        return draw(models, target, plan, evaluated)

    monkeypatch.setattr(sampling_run, "draw_shared", too_large)
    out = tmp_path / "out"
    assert main([*arguments, "--out", str(out)]) == 1
    message = capsys.readouterr().err
    assert "middle: 12 nt were too much for the memory that is free: lower --chunk" in message
    assert [one.name for one in read_labels(out / "submission.csv")] == ["long", "short"]
    assert not list(out.glob(".*.working"))


def test_another_error_is_not_taken_for_memory(arguments, tmp_path: Path, monkeypatch, capsys) -> None:
    def broken(models, target, plan, evaluated):
        raise RuntimeError("a bug")

    monkeypatch.setattr(sampling_run, "draw_shared", broken)
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 3
    assert "internal error: RuntimeError: a bug" in capsys.readouterr().err


def test_free_memory_changes_neither_the_run_nor_what_is_there(arguments, tmp_path: Path, monkeypatch, capsys) -> None:
    out = tmp_path / "out"
    assert main([*arguments, "--out", str(out)]) == 0
    whole = contents(out)
    sizes = {9: 1, 12: 2, 18: 3}
    monkeypatch.setattr("rnagen.sampling.checks.estimated_memory", lambda length, *given: sizes[length], raising=True)
    monkeypatch.setattr("rnagen.sampling.checks.available_memory", lambda: 2)
    assert main([*arguments, "--out", str(out)]) == 0
    assert contents(out) == whole
    assert main([*arguments, "--out", str(tmp_path / "small")]) == 1
    assert "long: 18 nt need about" in capsys.readouterr().err
    monkeypatch.setattr("rnagen.sampling.checks.available_memory", lambda: 3)
    assert main([*arguments, "--out", str(tmp_path / "small")]) == 0
    assert contents(tmp_path / "small") == whole


@pytest.mark.parametrize("moment", [1, 2, 4, 8, 24])
def test_a_full_disk_is_one_line_and_nothing_is_half_written(
    arguments, tmp_path: Path, monkeypatch, capsys, moment: int
) -> None:
    replace, calls = os.replace, []

    def full(*given):
        calls.append(given)
        if len(calls) == moment:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(*given)

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        assert main([*arguments, "--out", str(out)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "No space left on device" in line
    assert not [path.name for path in out.rglob(".*") if path.name != ".lock"]
    assert all((path / "summary.json").is_file() for path in out.glob("*") if path.is_dir())
    assert main([*arguments, "--out", str(out)]) == 0
    assert main([*arguments, "--out", str(tmp_path / "whole")]) == 0
    assert contents(out) == contents(tmp_path / "whole")


@pytest.mark.slow
def test_of_two_processes_one_writes_and_one_is_refused(arguments, tmp_path: Path) -> None:
    """Both are ready at the same instant; whoever has the folder waits until the other has ended."""
    script = (
        "import sys, time; from pathlib import Path; from rnagen.cli.sample import main\n"
        "from rnagen.sampling.run import SamplingRun\n"
        "me, folder = sys.argv[1], Path(sys.argv[2]); draw = SamplingRun.draw\n"
        "def slow(self, *given):\n"
        "    while not any(folder.glob('ended*')): time.sleep(0.02)\n"
        "    return draw(self, *given)\n"
        "SamplingRun.draw = slow\n"
        "(folder / f'ready{me}').touch()\n"
        "while len(list(folder.glob('ready*'))) < 2: time.sleep(0.001)\n"
        "code = main(sys.argv[3:]); (folder / f'ended{me}').touch(); sys.exit(code)"
    )
    out = tmp_path / "out"
    both = [
        subprocess.Popen(
            interpreter(script, me, tmp_path, *arguments, "--out", out),
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=ONE_THREAD,
        )
        for me in range(2)
    ]
    started = time.monotonic()
    ended = {process.wait(timeout=120): process for process in both}
    assert set(ended) == {0, 2}, [process.stderr.read() for process in both]
    assert time.monotonic() - started < 120
    (line,) = ended[2].communicate()[1].strip().splitlines()
    assert "another rnagen process is writing" in line
    ended[0].communicate()
    assert main([*arguments, "--out", str(tmp_path / "whole")]) == 0
    assert contents(out) == contents(tmp_path / "whole")


def test_the_folder_is_free_after_an_error_and_for_the_next_call(arguments, tmp_path: Path, monkeypatch) -> None:
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(OutputFolder, "write_target", lambda *given: (_ for _ in ()).throw(KeyboardInterrupt))
        assert main([*arguments, "--out", str(out)]) == 130
    assert main([*arguments, "--out", str(out)]) == 0


def test_leftovers_of_a_kill_are_swept_and_a_strangers_files_are_not(arguments, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / ".run.json.abc.tmp").write_text("{")
    (out / ".lock").touch()
    assert main([*arguments, "--out", str(out)]) == 0
    assert not (out / ".run.json.abc.tmp").exists()
    (out / ".submission.csv.abc.tmp").touch()
    (out / ".long.part").mkdir()
    (out / ".long.part" / "conformer_1.cif").touch()
    assert main([*arguments, "--out", str(out)]) == 0
    assert [path.name for path in out.glob(".*")] == [".lock"]
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / ".mine.tmp").write_text("precious")
    capsys.readouterr()
    assert main([*arguments, "--out", str(theirs)]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert [path.name for path in theirs.iterdir()] == [".mine.tmp"]


def test_a_run_json_that_is_not_one_is_named(arguments, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "run.json").write_text(json.dumps({"identity": 3}))
    assert main([*arguments, "--out", str(out)]) == 2
    assert "identity: missing: not the description of a run" in capsys.readouterr().err


def test_what_cannot_be_folded_fails_alone(arguments, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr("rnagen.secondary.local.LONGEST", 15)
    monkeypatch.setattr("rnagen.secondary.vienna.LONGEST_WHOLE", 10)
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 1
    assert "long: 18 nt; base pairs are predicted for at most 15 nt" in capsys.readouterr().err
    assert (tmp_path / "out" / "middle").is_dir()
    monkeypatch.undo()

    def broken(sequence: str) -> None:
        raise ValueError("no fold")

    monkeypatch.setattr("rnagen.secondary.vienna.sparse_base_pairs", broken)
    with pytest.raises(InputError, match="rna: folding failed: no fold"):
        rnagen.sample("GGGAAACCC", 1, steps=2)
