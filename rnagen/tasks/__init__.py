"""The tasks that can be trained.

A further task is a folder here with a class `NameTask` in its `task.py`, a configuration in `rnagen.config`, and an
entry in the table below.
"""

import importlib
from typing import TYPE_CHECKING, Any

from rnagen.config.confidence import ConfidenceConfig
from rnagen.config.reactivity import ReactivityConfig
from rnagen.config.structure import TrainConfig

if TYPE_CHECKING:
    from rnagen.training.task import Task

TASKS = {"structure": TrainConfig, "reactivity": ReactivityConfig, "confidence": ConfidenceConfig}
"""The options of each task, by its name."""


def make_task(config: TrainConfig | ReactivityConfig | ConfidenceConfig) -> "Task[Any, Any, Any]":
    """The task that these options are for; torch and lightning are imported only here."""
    module = importlib.import_module(f"rnagen.tasks.{config.task}.task")
    return getattr(module, f"{config.task.capitalize()}Task")(config)
