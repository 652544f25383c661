"""What the training engine asks of a task: `rnagen.training.fit` does the rest."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from torch import nn

from rnagen.config.shared import TaskConfig
from rnagen.training.module import MeasuredModule
from rnagen.training.stream import ResumableData

ConfigT = TypeVar("ConfigT", bound=TaskConfig)
DataT = TypeVar("DataT", bound=ResumableData)
ModuleT = TypeVar("ModuleT", bound=MeasuredModule)


class Task(ABC, Generic[ConfigT, DataT, ModuleT]):
    """One task with its options: what it reads, what it trains and what it saves.

    `fit` calls the methods in the order in which they stand here. Each raises `ConfigError` for options that do not go
    together and `InputError` for a file that cannot be used.
    """

    score: str
    """The mean of the validation by which the best weights are chosen."""
    lower_is_better: ClassVar[bool]
    """Whether the score is an error."""

    def __init__(self, config: ConfigT) -> None:
        self.config = config

    @abstractmethod
    def begin(self, state: Path | None, weights: Path | None) -> None:
        """Check the options and read the models that the run needs, before anything is written.

        Args:
            state: training state that is resumed.
            weights: checkpoint that the run starts from; at most one of the two is given.
        """

    @abstractmethod
    def data(self, folder: Path, deadline: float | None) -> DataT:
        """The training and validation data, not read yet.

        Args:
            folder: of the run.
            deadline: `time.monotonic()` at which the time of the run is over.
        """

    @abstractmethod
    def module(self, data: DataT, steps: int) -> ModuleT:
        """What is trained, with the weights that it starts from.

        Args:
            data: after its setup.
            steps: optimizer steps of the whole run.
        """

    @abstractmethod
    def export(self, data: DataT, module: ModuleT, path: Path, provenance: dict[str, Any]) -> None:
        """Write the weights and their description to `path` (.safetensors) and the JSON file beside it."""

    @abstractmethod
    def network(self, weights: Path | None = None) -> nn.Module:
        """The network of a checkpoint, or an untrained one of this configuration; for a summary."""

    def after_validation(self, data: DataT, module: ModuleT, folder: Path) -> None:
        """Write what `validate_only` leaves besides the metrics; nothing by default."""
