"""The Lightning trainer, the same for every task."""

from datetime import timedelta
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger, Logger, WandbLogger

from rnagen.config.files import to_plain
from rnagen.config.shared import TaskConfig
from rnagen.training.callbacks import StepLog, StopOnSignal


def device_of(accelerator: str) -> str:
    """The device, cuda or cpu, on which a process prepares data for this accelerator."""
    return "cuda" if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available() else "cpu"


def make_trainer(
    config: TaskConfig,
    folder: Path,
    steps: int,
    validates: bool,
    max_time: timedelta | None,
    callbacks: list[L.Callback],
) -> L.Trainer:
    """A trainer that logs to `folder` and saves nothing by itself: the callbacks do.

    Args:
        config: all options.
        folder: of the run.
        steps: optimizer steps of the whole run. Counted so, and not in epochs: a run that stops in the middle of an
            epoch and is resumed ends where it would have ended.
        validates: whether there is anything to validate on.
        max_time: after which training stops.
        callbacks: besides the log lines and the handling of signals.
    """
    run, optim = config.run, config.optim
    loggers: list[Logger] = [CSVLogger(folder, name="log")]
    if run.wandb:
        loggers.append(WandbLogger(project="rnagen", name=run.run_name, save_dir=folder, config=to_plain(config)))
    return L.Trainer(
        accelerator=run.accelerator,
        devices=run.devices,
        strategy="ddp" if run.devices > 1 else "auto",
        precision="bf16-mixed" if optim.precision == "bf16" else "32-true",
        max_epochs=-1,
        max_steps=steps,
        max_time=max_time,
        accumulate_grad_batches=optim.accumulate_grad,
        limit_val_batches=run.val_batches if validates and (run.validate or run.validate_only) else 0,
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
