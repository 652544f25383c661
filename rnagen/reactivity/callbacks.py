"""What happens around the training of a reactivity model: metrics as JSON, weights with their provenance."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import lightning as L
import torch

from rnagen import __version__
from rnagen.overlay import to_plain
from rnagen.reactivity.checkpoint import save_reactivity_checkpoint
from rnagen.reactivity.data import ReactivityDataModule
from rnagen.reactivity.module import ReactivityModule
from rnagen.training.callbacks import BEST, LAST, STATE


class ReactivityWriter(L.Callback):
    """Appends every validation to metrics.jsonl; writes the training state, the last weights, and the best by the mean
    absolute error on the held-out profiles."""

    def __init__(self, folder: Path, data: ReactivityDataModule, every_n_epochs: int) -> None:
        self.folder = folder
        self.data = data
        self.every_n_epochs = every_n_epochs
        self.best = float("inf")
        self.metrics: dict[str, float] = {}
        self.hours = 0.0
        self.started = time.monotonic()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if (trainer.current_epoch + 1) % self.every_n_epochs == 0:
            self.save_last(trainer, pl_module)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.save_last(trainer, pl_module)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, ReactivityModule)
        self.metrics = pl_module.val_means
        if trainer.is_global_zero:
            record = {"step": trainer.global_step, "epoch": trainer.current_epoch, **self.metrics}
            with (self.folder / "metrics.jsonl").open("a") as file:
                file.write(json.dumps(record) + "\n")
            print(f"step {trainer.global_step}: " + ", ".join(f"{k} {v:.4f}" for k, v in self.metrics.items()))
        if trainer.state.fn == "fit" and self.metrics["val/mae"] < self.best:
            self.best = self.metrics["val/mae"]
            self.save_weights(trainer, pl_module, self.folder / BEST)

    def save_last(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Save state and weights under their last names; a half-written state never replaces a whole one."""
        temporary = self.folder / (STATE + ".tmp")
        trainer.save_checkpoint(temporary, weights_only=False)
        if trainer.is_global_zero:
            os.replace(temporary, self.folder / STATE)
        self.save_weights(trainer, pl_module, self.folder / LAST)

    def save_weights(self, trainer: L.Trainer, pl_module: L.LightningModule, path: Path) -> None:
        """Export the weights with what they were trained on."""
        assert isinstance(pl_module, ReactivityModule)
        if not trainer.is_global_zero:
            return
        metadata = {
            "data": {
                "source": str(self.data.config.dataset.data),
                "fingerprint": self.data.table.fingerprint,
                "examples": len(self.data.train),
                "profiles": int(self.data.train.used.sum()),
            },
            "training": to_plain(pl_module.config),
            "step": trainer.global_step,
            "hours": round(self.trained_hours, 3),
            "metrics": self.metrics,
            "command": " ".join(sys.argv),
            "versions": {"rnagen": __version__, "torch": torch.__version__, "lightning": L.__version__},
        }
        save_reactivity_checkpoint(path, pl_module.model, metadata)

    @property
    def trained_hours(self) -> float:
        """Wall time of this run and of those it resumes."""
        return self.hours + (time.monotonic() - self.started) / 3600

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "hours": self.trained_hours, "metrics": self.metrics}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best, self.hours, self.metrics = (state_dict[name] for name in ("best", "hours", "metrics"))
