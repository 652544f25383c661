"""Learning rates as functions of the step: a run that is resumed with another end has the rates of that end."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.optim.lr_scheduler import LRScheduler

Curve = Callable[[int, int], float]
"""A value of the step, from 0, and of the number of steps of the schedule."""
FIRST_RATE, LAST_RATE = 1 / 25, 1 / 25e4
"""Shares of the peak rate at which one cycle begins and ends (as in PyTorch's `OneCycleLR`)."""
MOMENTUM, LEAST_MOMENTUM = 0.95, 0.85
"""First beta of AdamW at the ends of the cycle, and at its peak."""


class Schedule(LRScheduler):
    """Sets the rates, and perhaps the first beta, of each step.

    Args:
        optimizer: its rates are the peaks.
        end: step at which the run ends.
        rate: share of the peak rate.
        momentum: first beta; None leaves it as it is.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, end: int, rate: Curve, momentum: Curve | None = None) -> None:
        self.start, self.end = 0, end
        self.rate, self.momentum = rate, momentum
        super().__init__(optimizer)

    def get_lr(self) -> list[float | torch.Tensor]:
        """The rates of the present step; the beta is set in passing, as the library does."""
        step, steps = self.last_epoch - self.start, self.end - self.start
        if self.momentum is not None:
            for group in self.optimizer.param_groups:
                group["betas"] = (self.momentum(step, steps), group["betas"][1])
        factor = self.rate(step, steps)
        return [peak * factor for peak in self.base_lrs]

    def restart(self) -> None:
        """Begin the schedule anew at the present step; it spans what is left of the run."""
        self.start = self.last_epoch
        self._apply()

    def state_dict(self) -> dict[str, Any]:
        """The present step, and that at which the schedule began."""
        return {"last_epoch": self.last_epoch, "_step_count": self._step_count, "start": self.start}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on at a step, with the rates of this run's options and end. States of earlier versions have no start."""
        self.last_epoch, self._step_count = state_dict["last_epoch"], state_dict["_step_count"]
        self.start = state_dict.get("start", 0)
        self._apply()

    def _apply(self) -> None:
        self._last_lr = self.get_lr()
        for group, rate in zip(self.optimizer.param_groups, self._last_lr):
            group["lr"] = rate


def one_cycle(warmup: float) -> tuple[Curve, Curve]:
    """Rate and momentum of PyTorch's `OneCycleLR`: up along a cosine in a share of the steps, and down in the rest."""

    def place(step: int, steps: int) -> tuple[float, bool]:
        last = max(2, steps) - 1
        peak = warmup * max(2, steps) - 1
        if step <= peak:
            return step / peak if peak else 1.0, True
        return min(1.0, (step - peak) / (last - peak)), False

    def rate(step: int, steps: int) -> float:
        share, rising = place(step, steps)
        return between(FIRST_RATE, 1.0, share) if rising else between(1.0, LAST_RATE, share)

    def momentum(step: int, steps: int) -> float:
        share, rising = place(step, steps)
        first, last = (MOMENTUM, LEAST_MOMENTUM) if rising else (LEAST_MOMENTUM, MOMENTUM)
        return between(first, last, share)

    return rate, momentum


def between(first: float, last: float, share: float) -> float:
    """A value on the half wave of a cosine from the first to the last."""
    return last + (first - last) / 2 * (1 + math.cos(math.pi * share))
