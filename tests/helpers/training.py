"""Short trainings, and what they leave."""

from pathlib import Path

import lightning as L
import torch
from torch.utils.data import DataLoader

from rnagen.data.batches import Batch
from rnagen.tasks.structure.module import FlowModule
from tests.helpers.tiny import TINY_FLAGS

FAST = [*TINY_FLAGS, "--print-freq", "1", "--val-repeat", "2", "--val-batches", "1", "--lr-warmup", "2"]


def fit(module: FlowModule, batches: list[Batch]) -> None:
    trainer = L.Trainer(
        accelerator="cpu",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, DataLoader(batches, batch_size=None))


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "last.ckpt", weights_only=True)["state_dict"]


def assert_same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor], **tolerance: float) -> None:
    assert first.keys() == second.keys()
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, **(tolerance or {"rtol": 0, "atol": 0}), msg=name)
