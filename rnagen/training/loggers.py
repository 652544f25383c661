"""Where the numbers of a run go: a table always; TensorBoard and Weights & Biases where asked for."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lightning.fabric.utilities import rank_zero_only
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger

from rnagen.config.files import to_plain
from rnagen.config.shared import RunOptions, TaskConfig
from rnagen.errors import ConfigError
from rnagen.io.files import write_text
from rnagen.messages import one_line

WANDB_ID = "wandb_id.txt"
"""The id of the run at Weights & Biases, in its folder: a resumed run goes on under it."""
PICTURE = "val/structures"
"""Name of the pictures of validations."""


def check_loggers(run: RunOptions) -> None:
    """Refuse loggers that are not installed.

    Raises:
        ConfigError: names the first of them.
    """
    wanted = {"tensorboard": run.tensorboard, "wandb": run.wandb}
    for name, is_wanted in wanted.items():
        if is_wanted and find_spec(name) is None:
            raise ConfigError(f"{name}: it is not installed (pip install {name})")


def make_loggers(config: TaskConfig, folder: Path) -> list[Logger]:
    """The loggers of a run.

    Raises:
        ConfigError: Weights & Biases cannot be reached.
    """
    # Whoever watches a run sees each line at once.
    loggers: list[Logger] = [CSVLogger(folder, name="log", flush_logs_every_n_steps=1)]
    if config.run.tensorboard:
        loggers.append(TensorBoardLogger(folder, name="tensorboard"))
    if config.run.wandb:
        loggers.append(wandb_logger(config, folder))
    return loggers


def log_picture(logger: Logger, file: Path, step: int) -> None:
    """Log a picture (.png) of a validation; a table takes none."""
    if isinstance(logger, WandbLogger):
        logger.log_image(PICTURE, [str(file)], step)
    elif isinstance(logger, TensorBoardLogger):
        from matplotlib.image import imread

        logger.experiment.add_image(PICTURE, imread(file), step, dataformats="HWC")


def wandb_logger(config: TaskConfig, folder: Path) -> Logger:
    """A logger of Weights & Biases that has logged in; it goes on with the run whose id is in the folder.

    Raises:
        ConfigError: it cannot: there is no key or no network.
    """
    from wandb.errors import Error

    run, file = config.run, folder / WANDB_ID
    logger = WandbLogger(
        project=run.wandb_project,
        entity=run.wandb_entity,
        group=run.wandb_group,
        tags=list(run.wandb_tags),
        name=run.run_name,
        id=file.read_text().strip() if file.exists() else None,
        resume="allow",
        save_dir=folder,
        config=to_plain(config),
    )
    try:
        assert logger.experiment is not None
    except Error as error:
        reason = one_line(error, 200)
        raise ConfigError(f"wandb: {reason} (log in with `wandb login`, or set WANDB_MODE=offline)") from error
    _keep_id(logger.experiment, file)
    return logger


@rank_zero_only
def _keep_id(record: Any, file: Path) -> None:
    if not file.exists():
        write_text(file, f"{record.id}\n")
