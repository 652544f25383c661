"""One training run of any task from its options."""

import logging
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import lightning as L
import torch
import yaml
from lightning.fabric.utilities import rank_zero_only

from rnagen.config.shared import RunOptions, TaskConfig
from rnagen.errors import ConfigError
from rnagen.io.files import lock_folder, write_text
from rnagen.io.temporary import remove_leftovers
from rnagen.memory import keep_freed_memory
from rnagen.messages import one_line, quoted
from rnagen.progress import silenced
from rnagen.sampling.conformers import SamplingError
from rnagen.training.callbacks import OWES_VALIDATION, AtStart, CheckpointWriter, MetricsWriter, StepCount
from rnagen.training.ending import EarlyEnd
from rnagen.training.loggers import check_loggers
from rnagen.training.pictures import PictureWriter
from rnagen.training.processes import check_processes, is_first
from rnagen.training.resume import CONFIG, STATE, record_of, refuse_changes, refuse_missing_data, same, start_from
from rnagen.training.state import WRITER, check_state, read_state, restoring
from rnagen.training.stream import ResumableData
from rnagen.training.task import Task
from rnagen.training.trainer import check_accelerator, make_trainer, warn_of_precision

MOST_TIME = 10_000
"""Days, hours, minutes or seconds of a time."""
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
"""Seconds of a unit of time."""
_SHORT_TIME = re.compile(r"(\d{1,5}(?:\.\d{1,3})?)([smhd])")


class TrainingError(RuntimeError):
    """A training has ended without a result."""


@dataclass(frozen=True)
class TrainedRun:
    """What is left of a run."""

    folder: Path
    end: Literal["finished", "interrupted", "time is up"]
    """Why it ended; its state is saved. A signal or the end of its time that came with the last step did not end it."""
    left_out: str = ""
    """How many chains of the data did not train, by reason; empty for none."""


def fit(task: Task[Any, Any, Any]) -> TrainedRun:
    """Train, or validate only, by the options of the task.

    `max_time` is the time of this call, reading the data included: a run that stops there goes on when the same command
    is given again, or, once it trains, from its state.

    Raises:
        InputError: data, checkpoint or another file cannot be used.
        ConfigError: options that do not go together, or need what this machine lacks.
        TrainingError: no step could be taken, for lack of time too, or the training has diverged.
        OSError: the folder of the run cannot be written.
    """
    with silenced(task.config.run.quiet):
        return _fit(task)


def _fit(task: Task[Any, Any, Any]) -> TrainedRun:
    config, started = task.config, time.monotonic()
    run = config.run
    deadline = None if run.max_time is None else started + seconds_of(run.max_time)
    folder = run.run_dir / run.run_name
    check_processes(run)
    check_accelerator(run)
    warn_of_precision(config)
    check_loggers(run)
    state, weights = start_from(run.ckpt)
    if state is not None:
        read_state(state)
        refuse_changes(config, state)
    elif run.fresh_schedule:
        print("warning: fresh_schedule: no effect on a run that is not resumed", file=sys.stderr)
    _refuse_overwriting(folder, state, run)
    refuse_missing_data(config, state)
    task.begin(state, weights)
    logging.getLogger("rnagen").setLevel(logging.INFO)

    L.seed_everything(run.seed, verbose=False)
    torch.set_float32_matmul_precision("high")
    keep_freed_memory()
    data = task.data(folder, deadline)
    data.prepare_data()
    data.setup("fit")
    if run.validate_only and not data.validates:
        raise ConfigError("validate_only: there is nothing to validate on")
    steps = _steps(config, data)
    done = 0 if state is None else read_state(state)["global_step"]
    owes = state is not None and read_state(state)["callbacks"][WRITER].get(OWES_VALIDATION, False)
    if done >= steps and not run.validate_only and not (owes and done == steps):
        so_far = f"{run.epochs} are {steps} steps, and {done} are done: no step is left"
        print(f"warning: epochs: {so_far} (needs more --epochs)", file=sys.stderr)
        # A run that was killed when it saved its end for the last time.
        if folder.is_dir():
            remove_leftovers(folder)
        return TrainedRun(folder, "finished", data.left_out)
    if deadline is not None and time.monotonic() >= deadline and not run.validate_only:
        over = f"max_time: {run.max_time} was over when the data were read"
        raise TrainingError(f"{over}: no step was taken (allow more)")
    # The first of several processes holds the folder for all.
    with lock_folder(folder) if is_first() else nullcontext():
        _refuse_overwriting(folder, state, run)
        return _train(task, data, folder, state, steps, deadline)


def _steps(config: TaskConfig, data: ResumableData) -> int:
    run, accumulated = config.run, config.optim.accumulate_grad
    steps = run.epochs * data.batches_per_epoch // accumulated
    if not steps and not run.validate_only:
        reason = f"{run.epochs} epochs of {data.batches_per_epoch} batches are less than one step"
        raise ConfigError(f"accumulate_grad: {accumulated} cannot be used: {reason}")
    return steps


def _refuse_overwriting(folder: Path, state: Path | None, run: RunOptions) -> None:
    its_own = state is not None and same(state.parent, folder)
    if (folder / STATE).exists() and not its_own and not run.validate_only:
        raise ConfigError(f"{folder} holds a run: resume it with --ckpt {folder / STATE} or choose another --run-name")


@rank_zero_only
def _begin_folder(folder: Path, config: TaskConfig, start: Path | None) -> None:
    """Write the options, except of a validation of the run that is there, and remove what a killed process had begun to
    write."""
    remove_leftovers(folder)
    if config.run.validate_only and (folder / STATE).exists():
        return
    write_text(folder / CONFIG, yaml.safe_dump(record_of(config, start), sort_keys=False, allow_unicode=True))


def _train(
    task: Task[Any, Any, Any], data: ResumableData, folder: Path, state: Path | None, steps: int, deadline: float | None
) -> TrainedRun:
    config, run = task.config, task.config.run
    # Reading the data does not change the initial weights.
    torch.manual_seed(run.seed)
    module = task.module(data, steps)
    module.skip_oom = run.skip_oom
    if state is not None:
        check_state(state, module)
    parameters = sum(parameter.numel() for parameter in module.network.parameters())
    if is_first():
        print(f"{parameters:,} parameters; {data.contents}; {steps} steps")
    export = partial(task.export, data)
    writer = CheckpointWriter(folder, run.ckpt_freq, run.keep_freq, task.score, task.lower_is_better, export)
    early, count = EarlyEnd(deadline), StepCount()
    begin = partial(_begin_folder, folder, config, state or run.ckpt)
    start = AtStart(begin, run.fresh_schedule, data.batches_per_epoch, steps)
    # The last one sees what came while the others worked.
    callbacks = [count, start, MetricsWriter(folder), writer, PictureWriter(folder), early]
    # One more than there are: of a finished run that owes its validation none is left, and it would not start.
    trainer = make_trainer(config, folder, steps + (state is not None), data.validates, callbacks)
    with clear_errors(folder), restoring(state, lambda: count.started):
        act = trainer.validate if run.validate_only else trainer.fit
        # The state is this program's own file; it is loaded without unpickling code.
        act(module, datamodule=data, ckpt_path=None if state is None else str(state), weights_only=True)
    if run.validate_only:
        task.after_validation(data, module, folder)
    if count.in_vain and not early.signalled:
        raise TrainingError(
            f"{folder}: all {count.steps} steps were skipped, because their loss or gradient was not finite: the "
            "weights are those of the start (try a lower --lr, and check the data)"
        )
    if run.validate_only or trainer.global_step >= steps:
        return TrainedRun(folder, "finished", data.left_out)
    return TrainedRun(folder, "interrupted" if early.signalled else "time is up", data.left_out)


@contextmanager
def clear_errors(folder: Path) -> Iterator[None]:
    """Give errors of torch and Lightning that the user can mend, or has caused, their plain names.

    Raises:
        ConfigError: the networks cannot be compiled here.
        TrainingError: the validation cannot sample with the weights.
        OSError: the disk is full; names the folder.
        KeyboardInterrupt: the user has aborted the run, for which Lightning has an exit of its own.
    """
    try:
        yield
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(folder)) from error
    except SamplingError as error:
        raise TrainingError(f"validation: {error}: the training has diverged (try a lower --lr)") from error
    except RuntimeError as error:
        # On a GPU the compiler is first missed by Triton, whose error has no type of its own.
        own = type(error).__module__.startswith(("torch._dynamo", "torch._inductor"))
        if not own and "Failed to find C compiler" not in str(error):
            raise
        reason = one_line(str(error).partition("\n")[0], 200)
        remedy = "this needs a C++ compiler (gcc and g++, or those that CC and CXX name); or train without --compile"
        raise ConfigError(f"compile: PyTorch cannot compile the networks: {reason}: {remedy}") from error


def seconds_of(max_time: str) -> float:
    """Seconds of a time written as 90s, 30m, 1.5h, 1d or DD:HH:MM:SS.

    Raises:
        ConfigError: it is not written so.
    """
    if short := _SHORT_TIME.fullmatch(max_time.strip()):
        return float(short[1]) * UNITS[short[2]]
    try:
        days, hours, minutes, seconds = map(int, max_time.split(":"))
        if not all(0 <= part < MOST_TIME for part in (days, hours, minutes, seconds)):
            raise ValueError
    except ValueError:
        raise ConfigError(
            f"max_time: {quoted(max_time)} cannot be used (expected 90s, 30m, 1h, 1d or DD:HH:MM:SS)"
        ) from None
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
