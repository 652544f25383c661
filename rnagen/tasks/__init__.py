"""The tasks that can be trained.

A further task is a folder here with a class `NameTask` in its `task.py`, a configuration in `rnagen.config`, and an
entry in the table below.
"""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnagen.config.confidence import ConfidenceConfig
from rnagen.config.reactivity import ReactivityConfig
from rnagen.config.structure import TrainConfig
from rnagen.errors import ConfigError
from rnagen.messages import quoted
from rnagen.training.resume import recorded_options, refuse_another_task, resumed_options, shaped_as, start_from

if TYPE_CHECKING:
    from rnagen.training.task import Task

TASKS = {"structure": TrainConfig, "reactivity": ReactivityConfig, "confidence": ConfidenceConfig}
"""The options of each task, by its name."""


Options = TrainConfig | ReactivityConfig | ConfidenceConfig


def default_options(task: object, ckpt: Path | None) -> Options:
    """What the options of a command or call replace: the defaults of the task, with the shape of the
    model that the run starts from; or, if a run is resumed, its own options.

    Args:
        task: as given, of whatever type; None: that of the run, else structure.
        ckpt: training state or weights; `fit` refuses a file that does not exist.

    Raises:
        ConfigError: the task does not exist or is not that of the run, or the file or its run cannot be used.
    """
    state, weights = start_from(ckpt if ckpt is not None and ckpt.exists() else None)
    recorded = {} if state is None else recorded_options(state)
    chosen = recorded.get("task", "structure") if task is None else task
    if not isinstance(chosen, str) or chosen not in TASKS:
        raise ConfigError(f"task: {quoted(chosen)} does not exist; choose one of {', '.join(TASKS)}")
    defaults = TASKS[chosen]()
    if weights is not None:
        return shaped_as(defaults, weights)
    if state is None:
        return defaults
    refuse_another_task(chosen, recorded)
    return resumed_options(defaults, state)


def make_task(config: Options) -> "Task[Any, Any, Any]":
    """The task that these options are for; torch and lightning are imported only here."""
    module = importlib.import_module(f"rnagen.tasks.{config.task}.task")
    return getattr(module, f"{config.task.capitalize()}Task")(config)
