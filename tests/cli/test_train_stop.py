"""A training that is stopped, by a signal or by --max-time, saves first, and goes on as if it had not been stopped."""

import os
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from rnagen.cli.train import main
from rnagen.config.files import load_yaml
from rnagen.tasks.structure.module import FlowModule
from rnagen.training import ending
from rnagen.training.callbacks import StepLog
from tests.helpers.training import assert_same, weights

FLAGS = ("--epochs", "2", "--train-batches", "3")


@pytest.fixture
def time_of(monkeypatch: pytest.MonkeyPatch):
    """Let the time of a run be up after so many steps, and the run have a limit."""

    def limit(steps: int) -> tuple[str, ...]:
        clock = iter([0.0] * (steps - 1))
        monkeypatch.setattr(ending, "time", SimpleNamespace(monotonic=lambda: next(clock, 1e18)))
        return "--max-time", "1h"

    return limit


def step_of(folder: Path) -> int:
    return torch.load(folder / "last.ckpt", weights_only=True)["global_step"]


def kill_at(step: int):
    """What sends a signal after so many steps."""

    def send(self, trainer, *_) -> None:
        if trainer.global_step == step:
            os.kill(os.getpid(), signal.SIGTERM)

    return send


@pytest.mark.slow
def test_the_time_is_that_of_one_command(train, tmp_path: Path, capsys, time_of) -> None:
    assert train("whole", *FLAGS) == 0
    capsys.readouterr()
    folder = tmp_path / "parts"
    assert train("parts", *FLAGS, *time_of(1)) == 0
    found = capsys.readouterr()
    assert found.err.splitlines()[-1] == f"train.py: time is up; go on with --ckpt {folder / 'last.ckpt'}"
    assert "finished" not in found.out
    assert step_of(folder) == 1
    assert not (folder / "metrics.jsonl").exists()
    # The recipe for a cluster: the same command again, with the state.
    assert train("parts", *FLAGS, *time_of(1), "--ckpt", folder / "last.ckpt") == 0
    assert step_of(folder) == 2
    # Without a limit there is none.
    time_of(1)
    assert main(["--ckpt", str(folder / "last.ckpt")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"finished: {folder}"
    assert load_yaml(folder / "config.yaml")["max_time"] is None
    assert_same(weights(tmp_path / "whole"), weights(folder))
    assert (folder / "metrics.jsonl").read_text() == (tmp_path / "whole" / "metrics.jsonl").read_text()


def test_a_time_that_is_up_with_the_last_step_ends_nothing(train, tmp_path: Path, capsys, time_of) -> None:
    assert train("a", *FLAGS, "--no-validate", *time_of(6)) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"finished: {tmp_path / 'a'}"


def test_a_time_that_is_over_before_the_first_step(train, tmp_path: Path, capsys) -> None:
    assert train("a", *FLAGS, "--max-time", "0s") == 1
    found = capsys.readouterr()
    words = "train.py: max_time: 0s was over when the data were read: no step was taken (allow more)"
    assert found.err.splitlines()[-1] == words
    assert "finished" not in found.out
    assert not (tmp_path / "a").exists()


def test_a_signal_saves_without_a_validation(train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def validated(*_) -> None:
        raise AssertionError

    with monkeypatch.context() as patch:
        patch.setattr(StepLog, "on_train_batch_end", kill_at(2))
        patch.setattr(FlowModule, "validation_step", validated)
        assert train("a", *FLAGS) == 130
    assert step_of(tmp_path / "a") == 2


@pytest.mark.parametrize("signals", [True, False], ids=["signal", "no signal"])
def test_the_state_is_saved_before_a_validation(train, tmp_path: Path, monkeypatch, signals: bool) -> None:
    """A signal with the last step of an epoch, after which a validation is due, in which the process is killed."""

    def killed(*_) -> None:
        raise KeyboardInterrupt

    # Without a signal, what `ckpt_freq` promises is there.
    flags = (*FLAGS, "--ckpt-freq", "5" if signals else "1")
    assert train("whole", *flags) == 0
    with monkeypatch.context() as patch:
        patch.setattr(FlowModule, "validation_step", killed)
        if signals:
            patch.setattr(StepLog, "on_train_batch_end", kill_at(3))
        assert train("parts", *flags) == 130
    assert step_of(tmp_path / "parts") == 3
    assert train("parts", *flags, "--ckpt", tmp_path / "parts" / "last.ckpt") == 0
    assert_same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))


def test_a_signal_in_a_validation_ends_the_run_after_it(train, tmp_path: Path, monkeypatch) -> None:
    step = FlowModule.validation_step

    def signalled(self, *arguments):
        os.kill(os.getpid(), signal.SIGINT)
        return step(self, *arguments)

    assert train("whole", *FLAGS) == 0
    with monkeypatch.context() as patch:
        patch.setattr(FlowModule, "validation_step", signalled)
        assert train("parts", *FLAGS) == 130
    assert step_of(tmp_path / "parts") == 3
    assert train("parts", *FLAGS, "--ckpt", tmp_path / "parts" / "last.ckpt") == 0
    for name in ("metrics.jsonl", "best.safetensors"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()


def test_a_step_is_completed_before_the_end(train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two batches, whose gradients a state does not hold."""
    flags = ("--epochs", "1", "--train-batches", "6", "--accumulate-grad", "2", "--no-validate")
    assert train("whole", *flags) == 0

    def send(self, trainer, module, outputs, batch, batch_idx) -> None:
        if batch_idx == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(StepLog, "on_train_batch_end", send)
        assert train("parts", *flags) == 130
    assert step_of(tmp_path / "parts") == 2
    assert train("parts", *flags, "--ckpt", tmp_path / "parts" / "last.ckpt") == 0
    assert_same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))
