"""What happens around the training loop: checkpoints, metrics as JSON, log lines."""

import json
import math
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import lightning as L
import torch

from rnagen.io.files import write_text
from rnagen.training.module import MeasuredModule
from rnagen.training.resume import STATE
from rnagen.training.schedule import Schedule
from rnagen.training.state import set_place
from rnagen.version import __version__

OF_STEPS = ("train/", "grad_norm/")
"""How the names of values begin that belong to a step, not to the last validation."""
OWES_VALIDATION = "owes_validation"
METRICS = "metrics.jsonl"
LAST, BEST = "last.safetensors", "best.safetensors"


class CheckpointWriter(L.Callback):
    """Writes the training state, the last weights, the best on the validation set, and some in between.

    Args:
        folder: of the run.
        every_n_epochs: between saves of the last state.
        keep_every: epochs from one save under the number of the step to the next; None: only last and best.
        score: the mean of the validation by which the best weights are chosen.
        lower_is_better: whether it is an error.
        export: writes the weights of a module to a file, with this provenance and what the task adds to it.
    """

    def __init__(
        self,
        folder: Path,
        every_n_epochs: int,
        keep_every: int | None,
        score: str,
        lower_is_better: bool,
        export: Callable[[L.LightningModule, Path, dict[str, Any]], None],
    ) -> None:
        self.folder = folder
        self.every_n_epochs = every_n_epochs
        self.keep_every = keep_every
        self.score = score
        self.sign = -1 if lower_is_better else 1
        self.export = export
        self.best: float | None = None
        self.metrics: dict[str, float] = {}
        self.owes_validation = False
        """Whether the state is of the beginning of a validation: a run that goes on from it has to make up for that."""
        self.hours = 0.0
        self.started = time.monotonic()

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        # It takes a while, in which the process may be killed.
        self.owes_validation = trainer.state.fn == "fit"
        if trainer.state.fn == "fit" and (trainer.should_stop or self.is_due(trainer)):
            self.save_last(trainer, pl_module)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        # The state comes last: a killed run that goes on from it lacks nothing that belongs before it.
        if self.keep_every is not None and (trainer.current_epoch + 1) % self.keep_every == 0:
            self.save_weights(trainer, pl_module, self.folder / f"step_{trainer.global_step:07d}.safetensors")
        if self.is_due(trainer):
            self.save_last(trainer, pl_module)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.save_last(trainer, pl_module)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, MeasuredModule)
        self.owes_validation = False
        self.metrics = pl_module.val_means
        # A mean of nothing, or of NaN, is never the best.
        score = self.metrics.get(self.score, math.nan)
        better = math.isfinite(score) and (self.best is None or self.sign * score > self.sign * self.best)
        if trainer.state.fn == "fit" and better:
            self.best = score
            self.save_weights(trainer, pl_module, self.folder / BEST)

    def is_due(self, trainer: L.Trainer) -> bool:
        """Whether the last state is saved at the end of this epoch."""
        return (trainer.current_epoch + 1) % self.every_n_epochs == 0

    def save_last(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Save weights and state under their last names."""
        self.save_weights(trainer, pl_module, self.folder / LAST)
        trainer.save_checkpoint(self.folder / STATE, weights_only=False)

    def save_weights(self, trainer: L.Trainer, pl_module: L.LightningModule, path: Path) -> None:
        """Export the weights with their provenance."""
        if not trainer.is_global_zero:
            return
        provenance = {
            "step": trainer.global_step,
            "hours": round(self.trained_hours, 3),
            "metrics": self.metrics,
            "command": " ".join(sys.argv),
            "versions": {"rnagen": __version__, "torch": torch.__version__, "lightning": L.__version__},
        }
        self.export(pl_module, path, provenance)

    @property
    def trained_hours(self) -> float:
        """Wall time of this run and of those that it resumes."""
        return self.hours + (time.monotonic() - self.started) / 3600

    def state_dict(self) -> dict[str, Any]:
        found = {"best": self.best, "hours": self.trained_hours, "metrics": self.metrics}
        return {**found, OWES_VALIDATION: self.owes_validation}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best, self.hours, self.metrics = (state_dict[name] for name in ("best", "hours", "metrics"))
        # States of earlier versions do not know.
        self.owes_validation = state_dict.get(OWES_VALIDATION, False)


class AtStart(L.Callback):
    """What happens once a run has started, and its state, if it is resumed, has been found good.

    Args:
        begin: writes what a run begins with.
        fresh_schedule: the schedule of the rate begins anew.
        batches: in an epoch.
        steps: of the whole run. The trainer of a run that has taken all of them, and owes their validation, has more:
            with none left it would not start.
    """

    def __init__(self, begin: Callable[[], None], fresh_schedule: bool, batches: int, steps: int) -> None:
        self.begin = begin
        self.fresh_schedule = fresh_schedule
        self.batches = batches
        self.steps = steps

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        set_place(checkpoint, self.batches)

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.state.fn == "validate":
            self.begin()

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.begin()
        for config in trainer.lr_scheduler_configs:
            if self.fresh_schedule:
                assert isinstance(config.scheduler, Schedule)
                config.scheduler.restart()
        for one in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(one, CheckpointWriter) and one.owes_validation:
                self._end_epoch(trainer, pl_module, one)
        trainer.fit_loop.epoch_loop.max_steps = self.steps

    def _end_epoch(self, trainer: L.Trainer, pl_module: L.LightningModule, writer: CheckpointWriter) -> None:
        """The validation during which an earlier process was killed, and what follows it, as at the end of its
        epoch."""
        place = trainer.fit_loop.epoch_progress.current
        place.completed -= 1
        trainer.validating = True
        trainer.fit_loop.epoch_loop.val_loop.run()
        trainer.training = True
        writer.on_train_epoch_end(trainer, pl_module)
        place.completed += 1


class StepCount(L.Callback):
    """Counts the steps of this run, and how many of them were skipped."""

    def __init__(self) -> None:
        self.started = False
        self.steps = self.skipped = 0

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.started = True

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, MeasuredModule)
        self.started = True
        self.steps, self.skipped = -trainer.global_step, -int(pl_module.skipped_steps)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, MeasuredModule)
        self.steps += trainer.global_step
        self.skipped += int(pl_module.skipped_steps)

    @property
    def in_vain(self) -> bool:
        """Whether there were steps, and all of them were skipped."""
        return 0 < self.steps == self.skipped


class MetricsWriter(L.Callback):
    """Adds every validation to metrics.jsonl, target by target if there is a table; prints and logs its means."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, MeasuredModule)
        if not trainer.is_global_zero:
            return
        record: dict[str, Any] = {"step": trainer.global_step, "epoch": trainer.current_epoch, **pl_module.val_means}
        for logger in trainer.loggers:
            logger.log_metrics({**pl_module.val_means, "epoch": trainer.current_epoch}, trainer.global_step)
        if pl_module.out_of_memory:
            record["out_of_memory"] = pl_module.out_of_memory
        if pl_module.val_table:
            record["targets"] = pl_module.val_table
        # A validation alone adds to those of the training; a training that goes on from a state repeats those after it.
        before = trainer.global_step if trainer.state.fn == "fit" else math.inf
        lines = records_before(self.folder / METRICS, before)
        write_text(self.folder / METRICS, "".join(f"{line}\n" for line in [*lines, json.dumps(record)]))
        means = ", ".join(f"{name} {value:.4f}" for name, value in pl_module.val_means.items())
        print(f"step {trainer.global_step}: {means}")


def records_before(file: Path, step: int | float) -> list[str]:
    """The lines of a record of validations, without those at or after a step, and without what is not one."""
    if not file.is_file():
        return []
    found = []
    for line in file.read_text(encoding="utf-8").splitlines():
        with suppress(ValueError, KeyError, TypeError):
            if json.loads(line)["step"] < step:
                found.append(line)
    return found


class StepLog(L.Callback):
    """Every `every` steps, and after the last one, a line and a row of the log: losses, rate, speed, memory."""

    def __init__(self, every: int) -> None:
        self.every = every
        self.clock = time.monotonic()
        self.clock_step = 0
        self.paused: float | None = None
        """When the last validation began, until the next step."""

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.clock, self.clock_step = time.monotonic(), trainer.global_step

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step % self.every == 0 or trainer.global_step == trainer.max_steps:
            self.write(trainer)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.write(trainer)

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.paused = time.monotonic()

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        # The time of validations, pictures and checkpoints is not that of steps.
        self.clock += self._pause()

    def _pause(self) -> float:
        pause = 0.0 if self.paused is None else time.monotonic() - self.paused
        self.paused = None
        return pause

    def write(self, trainer: L.Trainer) -> None:
        """The line and the row of the steps since the last ones, if there are any."""
        step = trainer.global_step
        if not trainer.is_global_zero or step == self.clock_step:
            return
        self.clock += self._pause()
        now = time.monotonic()
        speed = (step - self.clock_step) / (now - self.clock)
        self.clock, self.clock_step = now, step
        values = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith(OF_STEPS)}
        memory = torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else _memory_mebibytes()
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        row = {**values, "rate": rate, "steps_per_second": speed, "memory_mb": memory, "epoch": trainer.current_epoch}
        for logger in trainer.loggers:
            logger.log_metrics(row, step)
        named = {name.removeprefix("train/"): value for name, value in values.items()}
        terms = " ".join(f"{name} {value:.4g}" for name, value in named.items() if name != "skipped_steps" or value)
        print(f"step {step}: {terms} lr {rate:.2e} {speed:.2f} steps/s {memory:.0f} MiB", flush=True)


def _memory_mebibytes() -> float:
    try:
        import psutil
    except ImportError:
        # A bare machine with a GPU, whose memory counts, does without: the most so far has to do.
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return psutil.Process().memory_info().rss / 2**20
