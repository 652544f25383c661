"""sample.py with workers: the files of one process, whatever happens to a worker; none outlives the command."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from distributed import LocalCluster

from rnagen.checkpoints.structure import save_checkpoint
from rnagen.io.write import write_structure
from rnagen.preparation.synthetic import synthetic_rna
from tests.helpers.outputs import contents
from tests.helpers.tiny import TINY, tiny_model

pytestmark = pytest.mark.long
ROOT = Path(__file__).parents[2]
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
NUMBER = 16
PATIENCE = 300
"""Seconds for what takes some on an idle machine."""


@pytest.fixture(scope="module")
def arguments(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Of a run over many RNAs of one sequence, which a structure serves as template, and one that it does not fit."""
    folder = tmp_path_factory.mktemp("in")
    save_checkpoint(folder / "tiny.safetensors", tiny_model(), TINY, {"cutoff": "2022-05-27"})
    known, other = synthetic_rna(3, 40), synthetic_rna(5, 30)
    write_structure(known, folder / "known.cif")
    records = [f">rna_{k}\n{known.sequence}\n" for k in range(NUMBER)]
    (folder / "in.fasta").write_text(f">other\n{other.sequence}\n{''.join(records)}>bad\nGGJJ\n")
    files = ["--ckpt", folder / "tiny.safetensors", "--fasta", folder / "in.fasta", "--templates", folder / "known.cif"]
    return [str(word) for word in [*files, "--steps", "20", "--n", "3", "--device", "cpu", "--out"]]


@pytest.fixture(scope="module")
def whole(arguments: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], str]:
    """What one process writes, and what it says of the records that failed."""
    out = tmp_path_factory.mktemp("whole") / "out"
    process = started([*arguments, str(out)])
    _, errors = process.communicate()
    assert process.returncode == 1, errors
    assert "other" in failed(errors)
    return contents(out), failed(errors)


def started(arguments: list[str]) -> "subprocess.Popen[str]":
    """sample.py in a process group of its own, as a terminal would start it."""
    command = [sys.executable, str(ROOT / "sample.py"), *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=ONE_THREAD, start_new_session=True, **pipes)


def failed(errors: str) -> str:
    return errors[errors.index("records failed:") :]


def until(happens: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def workers_of(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    children = psutil.Process(process.pid).children(recursive=True)
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def written(out: Path) -> int:
    return len(list(out.glob("*/summary.json")))


def test_two_workers_one_of_them_killed_and_no_workers_write_the_same(arguments, whole, tmp_path: Path) -> None:
    process = started([*arguments, str(tmp_path / "out"), "--cluster", "local:2"])
    until(lambda: written(tmp_path / "out"))
    workers = workers_of(process)
    assert len(workers) == 2
    workers[0].kill()
    assert written(tmp_path / "out") < NUMBER
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1, errors
    assert contents(tmp_path / "out") == whole[0]
    assert failed(errors) == whole[1]
    assert "Traceback" not in errors
    assert not any(worker.is_running() for worker in workers)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_no_worker_outlives_the_command_and_the_next_one_goes_on(
    number: int, code: int, arguments, whole, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = started([*arguments, str(out), "--cluster", "local:2"])
    until(lambda: written(out))
    workers = workers_of(process)
    # Ctrl-C goes to all processes of a terminal.
    (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == code, errors
    assert "Traceback" not in errors
    assert 0 < written(out) < NUMBER
    until(lambda: not any(worker.is_running() for worker in workers))
    assert bool(list(out.glob(".*.working"))) == (number == signal.SIGKILL)
    process = started([*arguments, str(out)])
    assert process.wait(PATIENCE) == 1
    assert contents(out) == whole[0]


def test_the_workers_of_a_scheduler_write_the_same(arguments, whole, tmp_path: Path) -> None:
    settings = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": None, "memory_limit": 0}
    with LocalCluster(**settings, local_directory=tmp_path / "dask") as cluster:
        process = started([*arguments, str(tmp_path / "out"), "--cluster", cluster.scheduler_address])
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1, errors
    assert contents(tmp_path / "out") == whole[0]
    assert failed(errors) == whole[1]
