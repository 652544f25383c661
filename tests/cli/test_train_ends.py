"""How a training ends when something is amiss: one line, an exit code, and nothing half-written."""

import errno
import math
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
import wandb
from safetensors.torch import load_file
from torch._inductor.exc import InvalidCxxCompiler

from rnagen.api import train as train_api
from rnagen.checkpoints.structure import load_checkpoint
from rnagen.io.files import LOCK, lock_folder
from rnagen.tasks.structure.module import FlowModule
from rnagen.training.callbacks import StepLog
from rnagen.training.fit import TrainingError
from tests.helpers.training import FAST

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
SHORT = ("--epochs", "1", "--train-batches", "3", "--no-validate")


@pytest.fixture
def no_finite_loss(monkeypatch: pytest.MonkeyPatch):
    """A context in which every loss is NaN."""

    @contextmanager
    def patched() -> Iterator[None]:
        with monkeypatch.context() as patch:
            patch.setattr("rnagen.tasks.structure.module.total", lambda terms, *_: terms["flow"].mean() * math.nan)
            yield

    return patched


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    """What stderr ends with, which has a line of its own."""
    return capsys.readouterr().err.rstrip("\n").splitlines()[-1]


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_with_its_state_saved(train, tmp_path: Path, capsys, monkeypatch, sign: int) -> None:
    monkeypatch.setattr(StepLog, "on_train_batch_end", lambda self, *_: os.kill(os.getpid(), sign))
    assert train("a", *SHORT) == 130
    state = tmp_path / "a" / "last.ckpt"
    assert last_line(capsys) == f"train.py: interrupted; go on with --ckpt {state}"
    assert torch.load(state, weights_only=True)["global_step"] == 1
    assert load_checkpoint(state.with_suffix(".safetensors")).metadata["step"] == 1


def test_a_second_signal_aborts(train, tmp_path: Path, capsys, monkeypatch) -> None:
    def twice(self, *_) -> None:
        # To this thread: the system may give a signal of a process to any thread, and two at once count as one.
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    # A shell lets the processes that it puts into the background ignore this signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr(StepLog, "on_train_batch_end", twice)
    try:
        assert train("a", *SHORT) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert last_line(capsys) == "train.py: interrupted"
    assert not (tmp_path / "a" / "last.ckpt").exists()


def test_a_run_without_a_finite_loss_has_failed(train, tmp_path: Path, capsys, no_finite_loss) -> None:
    with no_finite_loss():
        assert train("a", *SHORT) == 1
    line = last_line(capsys)
    assert line.startswith(f"train.py: {tmp_path / 'a'}: all 3 steps were skipped, because their loss or gradient")
    assert all(value.isfinite().all() for value in load_file(tmp_path / "a" / "last.safetensors").values())


def test_steps_that_were_skipped_before_do_not_count(train, tmp_path: Path, capsys, no_finite_loss) -> None:
    """A resumed run is measured by its own steps."""
    state = ("--ckpt", tmp_path / "a" / "last.ckpt")
    with no_finite_loss():
        assert train("a", *SHORT) == 1
    assert train("a", *SHORT, *state, "--epochs", "2") == 0
    with no_finite_loss():
        assert train("a", *SHORT, *state, "--epochs", "3") == 1
    assert "all 3 steps were skipped" in last_line(capsys)


def test_the_function_raises_what_the_command_prints(data: Path, tmp_path: Path, monkeypatch, no_finite_loss) -> None:
    monkeypatch.setattr("rnagen.data.dataset.check_dates", lambda *_: None)
    options = {"embed_dim": 32, "pair_dim": 8, "trunk_layers": 1, "num_layers": 1, "mha_heads": 4, "crop": 24}
    options |= {"epochs": 1, "train_batches": 1, "copies": 2, "validate": False, "accelerator": "cpu"}
    places = {"data": data / "data", "splits": data, "run_dir": tmp_path}
    assert train_api(**options, **places, run_name="good") == tmp_path / "good"
    with no_finite_loss(), pytest.raises(TrainingError, match="all 1 steps were skipped"):
        train_api(**options, **places, run_name="bad")


def test_a_training_that_diverges_is_one_line(train, capsys) -> None:
    assert train("a", "--epochs", "1", "--train-batches", "3", "--lr", "1e30") == 1
    line = last_line(capsys)
    assert line.startswith("train.py: validation: ")
    assert line.endswith("the training has diverged (try a lower --lr)")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--accelerator", "gpu"), "accelerator: 'gpu' with devices 1 cannot be used: this machine has 0"),
        (("--accumulate-grad", "4"), "accumulate_grad: 4 cannot be used: 1 epochs of 3 batches are less than one step"),
        (("--max-time", "00:00:00:-5"), "max_time: '00:00:00:-5' cannot be used"),
        (("--max-time", "9" * 5000 + ":0:0:0"), "max_time: '9999"),
    ],
)
def test_what_cannot_be_run_is_one_line(train, capsys, flags: tuple[str, ...], words: str) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    assert train("a", *SHORT, *flags) == 2
    line = last_line(capsys)
    assert words in line
    assert len(line) <= 500


def test_a_state_of_another_shape_is_refused_before_anything_is_written(train, tmp_path: Path, capsys) -> None:
    assert train("a", *SHORT) == 0
    folder = tmp_path / "a"
    options = folder / "config.yaml"
    options.write_text(options.read_text().replace("embed_dim: 32", "embed_dim: 64"))
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert train("a", *SHORT, "--epochs", "2", "--ckpt", folder / "last.ckpt", "--embed-dim", "64") == 2
    assert "last.ckpt: " in (line := last_line(capsys))
    assert line.endswith("is the state of a model of another task or shape than this configuration")
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def test_two_runs_do_not_share_a_folder(train, tmp_path: Path, capsys) -> None:
    with lock_folder(tmp_path / "a"):
        assert train("a", *SHORT) == 2
        assert last_line(capsys) == f"train.py: {tmp_path / 'a'}: another rnagen process is writing to this folder"
        assert [path.name for path in (tmp_path / "a").iterdir()] == [LOCK]
    assert not (tmp_path / "a").exists(), "nothing was written"
    assert train("a", *SHORT) == 0


def test_what_a_killed_run_had_begun_to_write_is_removed(train, tmp_path: Path) -> None:
    left = [tmp_path / "a" / name for name in (".last.ckpt.abcd_123.tmp", ".last.json.x1y2z3__.tmp")]
    left[0].parent.mkdir()
    for path in (*left, tmp_path / "a" / "notes.tmp"):
        path.touch()
    assert train("a", *SHORT) == 0
    assert not any(path.exists() for path in left)
    assert (tmp_path / "a" / "notes.tmp").exists(), "a file of the user"


@pytest.mark.slow
def test_a_killed_run_is_resumed(dated: Path, tmp_path: Path) -> None:
    """Neither the lock nor what was being written stands in the way."""
    state = tmp_path / "run" / "last.ckpt"
    with subprocess.Popen(
        command(dated, tmp_path, "--epochs", "10000", "--train-batches", "1"), env=ENVIRONMENT
    ) as run:
        while not state.exists() and run.poll() is None:
            time.sleep(0.1)
        run.kill()
    step = torch.load(state, weights_only=True)["global_step"]
    flags = ("--train-batches", "1", "--epochs", str(step + 2), "--ckpt", str(state))
    assert start(dated, tmp_path, *flags).returncode == 0
    assert load_checkpoint(state.with_suffix(".safetensors")).metadata["step"] == step + 2
    assert not list(state.parent.glob("*.tmp"))


@pytest.mark.slow
def test_a_full_disk_is_one_line(dated: Path, tmp_path: Path) -> None:
    """A limit on the size of files, which the weights are within and the training state is not."""
    done = start(dated, tmp_path, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000)))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    line = done.stderr.rstrip("\n").splitlines()[-1]
    assert line == (
        f"train.py: [Errno {errno.EFBIG}] File too large: '{tmp_path / 'run'}' "
        "(is the folder writable, and the disk not full?)"
    )
    assert not [path.name for path in (tmp_path / "run").iterdir() if "ckpt" in path.name or "tmp" in path.name]


def test_a_file_in_the_place_of_the_folder_is_one_line(train, tmp_path: Path, capsys) -> None:
    (tmp_path / "a").touch()
    assert train("a", *SHORT) == 2
    assert last_line(capsys).startswith("train.py: [Errno 17] File exists")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (InvalidCxxCompiler(), "No working C++ compiler found"),
        (RuntimeError("Failed to find C compiler. Please specify"), "Failed to find C compiler"),
    ],
    ids=["CPU", "GPU"],
)
def test_a_compiler_that_fails_is_one_line(train, capsys, monkeypatch, error: Exception, words: str) -> None:
    def training_step(*_) -> None:
        raise error

    monkeypatch.setattr(FlowModule, "training_step", training_step)
    assert train("a", *SHORT) == 2
    line = last_line(capsys)
    assert line.startswith(f"train.py: compile: PyTorch cannot compile the networks: {words}")
    assert line.endswith("or train without --compile")


@pytest.mark.slow
def test_a_machine_without_a_compiler(dated: Path, tmp_path: Path) -> None:
    places = {"PATH": str(tmp_path), "CC": "", "CXX": "", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache")}
    done = start(dated, tmp_path, "--compile", **places)
    assert done.returncode == 2
    assert (
        done.stderr.rstrip("\n").splitlines()[-1].startswith("train.py: compile: PyTorch cannot compile the networks")
    )


def test_wandb_without_a_key_is_one_line(train, tmp_path: Path, capsys, monkeypatch) -> None:
    for name in ("WANDB_API_KEY", "WANDB_MODE", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert train("a", *SHORT, "--wandb") == 2
    line = last_line(capsys)
    assert line.startswith("train.py: wandb: No API key configured")
    assert line.endswith("(log in with `wandb login`, or set WANDB_MODE=offline)")


def test_wandb_without_a_network_is_one_line(train, capsys, monkeypatch) -> None:
    def init(**_) -> None:
        raise wandb.errors.CommError("no\nnetwork")

    monkeypatch.setattr(wandb, "init", init)
    assert train("a", *SHORT, "--wandb") == 2
    line = last_line(capsys)
    assert line == "train.py: wandb: no network (log in with `wandb login`, or set WANDB_MODE=offline)"


def command(data: Path, runs: Path, *flags: str) -> list[str]:
    places = ["--data", data / "data", "--splits", data, "--run-dir", runs]
    return [sys.executable, str(ROOT / "train.py"), *FAST, *SHORT, *map(str, places), *flags]


def start(
    data: Path, runs: Path, *flags: str, preexec_fn=None, **environment: str
) -> "subprocess.CompletedProcess[str]":
    env = {**ENVIRONMENT, **environment}
    line = command(data, runs, *flags)
    return subprocess.run(line, capture_output=True, check=False, text=True, env=env, preexec_fn=preexec_fn)
