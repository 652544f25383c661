"""One training run of any task from its options."""

import logging
import time
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import torch
import yaml

from rnagen.config.files import to_plain
from rnagen.errors import ConfigError
from rnagen.training.callbacks import STATE, CheckpointWriter, MetricsWriter
from rnagen.training.task import Task
from rnagen.training.trainer import make_trainer


def fit(task: Task[Any, Any, Any]) -> Path:
    """Train, or validate only, by the options of the task; returns the folder of the run.

    `max_time` covers reading the data too: a run that stops there goes on when the same command is given again, or,
    once it trains, from its state.

    Raises:
        InputError: data, checkpoint or another file cannot be used.
        ConfigError: options that do not go together.
    """
    config, started = task.config, time.monotonic()
    run = config.run
    deadline = None if run.max_time is None else started + seconds_of(run.max_time)
    folder = run.run_dir / run.run_name
    state, weights = start_from(run.ckpt)
    if state is None and (folder / STATE).exists() and not run.validate_only:
        raise ConfigError(f"{folder} holds a run: resume it with --ckpt {folder / STATE} or choose another --run-name")
    task.begin(state, weights)
    logging.getLogger("rnagen").setLevel(logging.INFO)

    L.seed_everything(run.seed, verbose=False)
    torch.set_float32_matmul_precision("high")
    data = task.data(folder, deadline)
    data.prepare_data()
    data.setup("fit")
    if run.validate_only and not data.validates:
        raise ConfigError("validate_only: there is nothing to validate on")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(to_plain(config), sort_keys=False, allow_unicode=True))

    steps = run.epochs * data.batches_per_epoch // config.optim.accumulate_grad
    # Reading the data does not change the initial weights.
    torch.manual_seed(run.seed)
    module = task.module(data, steps)
    parameters = sum(parameter.numel() for parameter in module.network.parameters())
    print(f"{parameters:,} parameters; {data.contents}; {steps} steps")
    export = partial(task.export, data)
    writer = CheckpointWriter(folder, run.ckpt_freq, run.keep_freq, task.score, task.lower_is_better, export)
    rest = None if deadline is None else timedelta(seconds=max(0.0, deadline - time.monotonic()))
    trainer = make_trainer(config, folder, steps, data.validates, rest, [MetricsWriter(folder), writer])
    act = trainer.validate if run.validate_only else trainer.fit
    # The state is this program's own file; it is loaded without unpickling code.
    act(module, datamodule=data, ckpt_path=None if state is None else str(state), weights_only=True)
    if run.validate_only:
        task.after_validation(data, module, folder)
    return folder


def start_from(ckpt: Path | None) -> tuple[Path | None, Path | None]:
    """(training state to resume, weights to start from), at most one of them.

    Raises:
        ConfigError: the file is missing or neither a state (.ckpt) nor weights (.safetensors).
    """
    if ckpt is None:
        return None, None
    if not ckpt.is_file():
        raise ConfigError(f"ckpt: {ckpt}: no such file")
    if ckpt.suffix == ".ckpt":
        return ckpt, None
    if ckpt.suffix == ".safetensors":
        return None, ckpt
    raise ConfigError(f"ckpt: {ckpt} is neither a training state (.ckpt) nor weights (.safetensors)")


def seconds_of(max_time: str) -> float:
    """Seconds of a time written as DD:HH:MM:SS.

    Raises:
        ConfigError: it is not written so.
    """
    try:
        days, hours, minutes, seconds = map(int, max_time.split(":"))
    except ValueError:
        raise ConfigError(f"max_time: {max_time!r} cannot be used (expected DD:HH:MM:SS)") from None
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
