"""How a run ends before its last step: by a signal, or because its time is up."""

import math
import signal
import sys
import time
from typing import Any

import lightning as L


class EarlyEnd(L.Callback):
    """The first Ctrl-C (or SIGTERM of a cluster), or the end of its time, ends a run after the step in progress.

    Then no validation comes before the state is saved: a cluster kills a process that does not end soon. One that is
    due after this very step takes place, but `CheckpointWriter` saves before it. The state knows nothing of the time:
    a resumed run has its own.

    Args:
        deadline: `time.monotonic()` at which the time is up; None: never.
    """

    def __init__(self, deadline: float | None) -> None:
        self.deadline = math.inf if deadline is None else deadline
        self.signalled = False
        """Whether a signal has come."""
        self.previous: dict[int, Any] = {}

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        def stop(number: int, frame: Any) -> None:
            print("stopping after this step (once more to abort)", file=sys.stderr)
            self.signalled = True
            self.restore()

        for number in (signal.SIGINT, signal.SIGTERM):
            self.previous[number] = signal.signal(number, stop)

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        # The gradients of a step that is not complete would be lost.
        if trainer.is_last_batch or (batch_idx + 1) % trainer.accumulate_grad_batches == 0:
            self.end_if_wanted(trainer)
        if trainer.should_stop and not trainer.is_last_batch:
            # Lightning would validate whatever the epoch.
            trainer.limit_val_batches = 0

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.state.fn == "fit":
            self.end_if_wanted(trainer)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.restore()

    def end_if_wanted(self, trainer: L.Trainer) -> None:
        """End the run if one of its processes is to end; they decide together."""
        wanted = self.signalled or time.monotonic() >= self.deadline
        trainer.should_stop = trainer.strategy.reduce_boolean_decision(wanted, all=False)

    def restore(self) -> None:
        """Give the signals back."""
        for number, handler in self.previous.items():
            signal.signal(number, handler)
        self.previous = {}
