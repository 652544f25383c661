"""The Lightning trainer, the same for every task."""

import sys
from pathlib import Path

import lightning as L
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import TQDMProgressBar

from rnagen.config.shared import RunOptions, TaskConfig
from rnagen.devices import multiplies_bfloat16
from rnagen.errors import ConfigError
from rnagen.messages import one_line
from rnagen.progress import is_quiet
from rnagen.training.callbacks import StepLog
from rnagen.training.loggers import make_loggers
from rnagen.training.processes import processes_of
from rnagen.training.state import StateFile


def device_of(accelerator: str) -> str:
    """The device, cuda or cpu, on which a process prepares data for this accelerator."""
    return "cuda" if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available() else "cpu"


def check_accelerator(run: RunOptions) -> None:
    """Refuse an accelerator that this machine lacks, before data are read.

    Raises:
        ConfigError: names it, and how many there are.
    """
    cuda, mps = torch.cuda.device_count(), int(torch.backends.mps.is_available())
    found, devices = {"gpu": cuda or mps, "cuda": cuda, "mps": mps}.get(run.accelerator), processes_of(run).devices
    if found is not None and found < devices:
        what = f"accelerator: {run.accelerator!r} with devices {devices} cannot be used"
        raise ConfigError(f"{what}: this machine has {found} (expected auto or cpu, or fewer devices)")


def warn_of_precision(config: TaskConfig) -> None:
    """Say so if bf16 would be slow where this run computes."""
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    on_cpu = config.run.accelerator == "cpu" or (config.run.accelerator == "auto" and not (cuda or mps))
    if config.optim.precision == "bf16" and on_cpu and not multiplies_bfloat16("cpu"):
        slow = "this processor has no instructions for bf16, which takes many times as long as 32"
        print(f"warning: precision: {slow} (needs --precision 32)", file=sys.stderr)


def make_trainer(
    config: TaskConfig,
    folder: Path,
    steps: int,
    validates: bool,
    callbacks: list[L.Callback],
) -> L.Trainer:
    """A trainer that logs to `folder` and saves nothing by itself: the callbacks do.

    Args:
        config: all options.
        folder: of the run.
        steps: optimizer steps of the whole run. Counted so, and not in epochs: a run that stops in the middle of an
            epoch and is resumed ends where it would have ended.
        validates: whether there is anything to validate on.
        callbacks: besides the log lines.

    Raises:
        ConfigError: the machine lacks the accelerator, or a logger cannot be used.
    """
    run, optim, processes = config.run, config.optim, processes_of(config.run)
    loggers = make_loggers(config, folder)
    # In a file, a bar is noise: the log lines are there.
    shows_bar = not is_quiet() and sys.stderr.isatty()
    try:
        return L.Trainer(
            accelerator=run.accelerator,
            devices=processes.devices,
            num_nodes=processes.nodes,
            strategy="ddp" if processes.number > 1 else "auto",
            precision="bf16-mixed" if optim.precision == "bf16" else "32-true",
            max_epochs=-1,
            max_steps=steps,
            accumulate_grad_batches=optim.accumulate_grad,
            limit_val_batches=run.val_batches if validates and (run.validate or run.validate_only) else 0,
            check_val_every_n_epoch=run.val_epoch_freq,
            num_sanity_val_steps=0,
            # The step log passes the numbers on.
            log_every_n_steps=0,
            use_distributed_sampler=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=shows_bar,
            logger=loggers,
            plugins=[StateFile()],
            # A bar that shows a loss waits for it.
            callbacks=[*([ProgressBar(run.print_freq)] if shows_bar else []), StepLog(run.print_freq), *callbacks],
        )
    except MisconfigurationException as error:
        what = f"accelerator {run.accelerator}, devices {processes.devices}"
        raise ConfigError(f"{what}: {one_line(error, 200)}") from error


class ProgressBar(TQDMProgressBar):
    """A progress bar that ends its line when the training fails: the error has a line of its own."""

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        for bar in (self._val_progress_bar, self._train_progress_bar):
            if bar is not None:
                bar.close()
