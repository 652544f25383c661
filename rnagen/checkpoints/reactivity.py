"""Reactivity checkpoints: a reactivity model and the experiments whose values it predicts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rnagen.checkpoints.files import read_model, save_model
from rnagen.config.encoder import EncoderConfig
from rnagen.config.files import to_plain
from rnagen.errors import InputError
from rnagen.messages import quoted
from rnagen.model.reactivity import ReactivityModel

TASK = "reactivity"
DEFAULT_CHECKPOINT = Path(__file__).parents[1] / "assets" / "reactivity.safetensors"
"""The reactivity checkpoint that ships with the package."""


@dataclass(frozen=True)
class ReactivityCheckpoint:
    """A loaded reactivity model (which knows its configuration and experiments) and where it comes from."""

    model: ReactivityModel
    metadata: dict[str, Any]
    """What was saved with it, such as `data`, `step`, `metrics`, `training`."""
    path: Path
    fingerprint: str
    """SHA-256 of the weights file."""


def save_reactivity_checkpoint(path: Path, model: ReactivityModel, metadata: dict[str, Any]) -> None:
    """Write `path` (.safetensors) and the JSON beside it; an interrupted write leaves the old files whole.

    `config` in the JSON is the shape of the model alone; the options of its training are the caller's metadata.
    """
    save_model(path, model, TASK, to_plain(model.config), {"experiments": list(model.experiments), **metadata})


def load_reactivity_checkpoint(path: Path, device: torch.device | str = "cpu") -> ReactivityCheckpoint:
    """Load weights, configuration and experiments.

    Raises:
        InputError: a file is missing, truncated, of another format or task, or weights and description do not fit;
            the message names the file and the first mismatch. A model is never partly loaded.
    """
    saved = read_model(path, TASK)
    experiments = saved.metadata.get("experiments")
    names = isinstance(experiments, list) and all(isinstance(name, str) for name in experiments)
    if not names or not experiments or len(set(experiments)) < len(experiments):
        reason = f"{quoted(experiments)} is not a list of distinct names"
        raise InputError(path.with_suffix(".json"), "experiments", reason)
    config = saved.config(EncoderConfig())
    model = saved.build(lambda: ReactivityModel(config, tuple(experiments)), device)
    return ReactivityCheckpoint(model, saved.metadata, path, saved.fingerprint)
