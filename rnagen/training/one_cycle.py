"""Training by AdamW under a one-cycle schedule; non-finite steps are skipped. For the tasks besides structure."""

from typing import Any

import torch

from rnagen.config.shared import OneCycleConfig
from rnagen.training.module import MeasuredModule
from rnagen.training.optim import clipped_step, decay_groups
from rnagen.training.schedule import Schedule, one_cycle


class OneCycleModule(MeasuredModule):
    """Optimizer and schedule of a module; all its parameters train.

    Args:
        options: of the optimizer.
        steps: optimizer steps of the whole run, over which the rate makes its one cycle.
    """

    def __init__(self, options: OneCycleConfig, steps: int) -> None:
        super().__init__()
        self.options = options
        self.steps = steps
        self.stepped = True

    def optimizer_step(self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None) -> None:
        norm, taken = clipped_step(optimizer, optimizer_closure, self.parameters(), self.options.grad_clip)
        self.stepped = bool(taken)
        self.skipped_steps += not self.stepped
        self.log("train/grad_norm", norm)
        self.log_skipped()

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        # The cycle has as many steps as the run: a step that was skipped has not used one up.
        if self.stepped:
            scheduler.step()

    def configure_optimizers(self) -> Any:
        options = self.options
        groups = decay_groups(self.parameters(), options.weight_decay)
        optimizer = torch.optim.AdamW(groups, lr=options.lr, fused=True)
        schedule = Schedule(optimizer, self.steps, *one_cycle(options.warmup))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
