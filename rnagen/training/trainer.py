"""The Lightning trainer, the same for every task."""

from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger, Logger, WandbLogger

from rnagen.config.files import to_plain
from rnagen.config.shared import Precision, RunOptions
from rnagen.errors import ConfigError
from rnagen.training.callbacks import StepLog, StopOnSignal


def make_trainer(
    run: RunOptions,
    folder: Path,
    config: Any,
    precision: Precision,
    accumulate: int,
    steps: int,
    validates: bool,
    callbacks: list[L.Callback],
) -> L.Trainer:
    """A trainer that logs to `folder` and saves nothing by itself: the callbacks do.

    Args:
        run: devices, length and frequencies.
        folder: of the run.
        config: all options, for Weights & Biases.
        precision: arithmetic of the networks.
        accumulate: batches per optimizer step.
        steps: optimizer steps of the whole run. Counted so, and not in epochs: a run that stops in the middle of an
            epoch and is resumed ends where it would have ended.
        validates: whether there is anything to validate on.
        callbacks: beside the log lines and the handling of signals.
    """
    loggers: list[Logger] = [CSVLogger(folder, name="log")]
    if run.wandb:
        loggers.append(WandbLogger(project="rnagen", name=run.run_name, save_dir=folder, config=to_plain(config)))
    return L.Trainer(
        accelerator=run.accelerator,
        devices=run.devices,
        strategy="ddp" if run.devices > 1 else "auto",
        precision="bf16-mixed" if precision == "bf16" else "32-true",
        max_epochs=-1,
        max_steps=steps,
        max_time=run.max_time,
        accumulate_grad_batches=accumulate,
        limit_val_batches=run.val_batches if validates else 0,
        check_val_every_n_epoch=run.val_epoch_freq,
        num_sanity_val_steps=0,
        log_every_n_steps=run.print_freq,
        use_distributed_sampler=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        logger=loggers,
        # A bar that shows a loss waits for it.
        callbacks=[TQDMProgressBar(run.print_freq), StepLog(run.print_freq), StopOnSignal(), *callbacks],
    )


def start(
    trainer: L.Trainer,
    module: L.LightningModule,
    data: L.LightningDataModule,
    resume: Path | None,
    validate_only: bool,
) -> None:
    """Train, or only validate, from a training state if there is one."""
    act = trainer.validate if validate_only else trainer.fit
    # The state is this program's own file; it is loaded without unpickling code.
    act(module, datamodule=data, ckpt_path=None if resume is None else str(resume), weights_only=True)


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
