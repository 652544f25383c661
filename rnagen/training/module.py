"""What the modules of all tasks have in common."""

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import lightning as L
import torch
from torch import Tensor

from rnagen.memory import is_out_of_memory

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ModuleT = TypeVar("ModuleT", bound="MeasuredModule")
TrainingStep = Callable[[ModuleT, Any, int], Tensor]


class MeasuredModule(L.LightningModule):
    """A module of any task: the network that it trains, and the results of its last validation."""

    skipped_steps: Tensor
    """Steps without an update, because the gradient was not finite."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("skipped_steps", torch.zeros((), dtype=torch.long))
        self.skip_oom = False
        """Whether batches are skipped for which the memory does not suffice."""
        self.out_of_memory = 0
        """Batches of this run that were skipped because the memory did not suffice."""
        self.val_means: dict[str, float] = {}
        """Means by name."""
        self.val_table: list[dict[str, Any]] = []
        """What they are means of, target by target, if the task records that."""

    @property
    def network(self) -> torch.nn.Module:
        """The network that is trained."""
        raise NotImplementedError

    def validation_picture(self) -> "Figure | None":
        """A picture of the last validation; none by default."""
        return None

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """The gradients; not finite, if the memory does not suffice for them and the run skips such batches."""
        try:
            super().backward(loss, *args, **kwargs)
            return
        except (RuntimeError, MemoryError) as error:
            self.count_out_of_memory(error)
        # Outside the handler, whose error holds what filled the memory.
        torch.cuda.empty_cache()
        first = next(p for p in self.network.parameters() if p.requires_grad)
        first.grad = torch.full_like(first, math.nan)

    def count_out_of_memory(self, error: Exception) -> None:
        """Count an error that the run survives, or raise it."""
        if not (self.skip_oom and is_out_of_memory(error)):
            raise error
        self.out_of_memory += 1

    def log_skipped(self) -> None:
        """Log how many steps were skipped, and batches for lack of memory, if there were any."""
        self.log("train/skipped_steps", self.skipped_steps.float())
        if self.out_of_memory:
            self.log("train/out_of_memory", float(self.out_of_memory), prog_bar=True)


def spared(step: TrainingStep[ModuleT]) -> TrainingStep[ModuleT]:
    """A training step whose loss is NaN if the memory does not suffice for it and the run skips such batches."""

    @functools.wraps(step)
    def wrapped(module: ModuleT, batch: Any, batch_idx: int) -> Tensor:
        try:
            return step(module, batch, batch_idx)
        except (RuntimeError, MemoryError) as error:
            module.count_out_of_memory(error)
        torch.cuda.empty_cache()
        return next(p for p in module.network.parameters() if p.requires_grad).sum() * math.nan

    return wrapped
