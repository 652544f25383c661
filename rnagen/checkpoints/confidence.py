"""Confidence checkpoints: a confidence head and the structure model that it belongs to.

A head belongs to one structure model, identified by the fingerprint of its weights. If it lies beside those weights,
`NAME.safetensors`, under the name `NAME.confidence.safetensors`, every sampling with that model uses it.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from rnagen.checkpoints.files import read_model, save_model
from rnagen.checkpoints.structure import Checkpoint
from rnagen.config.confidence import HeadConfig
from rnagen.config.files import to_plain
from rnagen.errors import InputError
from rnagen.messages import quoted
from rnagen.model.confidence import ConfidenceHead

TASK = "confidence"
SUFFIX = ".confidence.safetensors"


@dataclass(frozen=True)
class StructureModelId:
    """The structure model whose conformers a head scores."""

    fingerprint: str
    """SHA-256 of its weights file."""
    embed_dim: int
    pair_dim: int
    """Widths of its trunk's output."""

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> "StructureModelId":
        """The model of a structure checkpoint."""
        shape = checkpoint.config.model
        return cls(checkpoint.fingerprint, shape.embed_dim, shape.pair_dim)


@dataclass(frozen=True)
class ConfidenceCheckpoint:
    """A loaded confidence head and where it comes from."""

    head: ConfidenceHead
    structure_model: StructureModelId
    metadata: dict[str, Any]
    """What was saved with it, such as `cutoff`, `data`, `step`, `metrics`, `training`."""
    path: Path
    fingerprint: str
    """SHA-256 of the weights file."""


def save_confidence_checkpoint(
    path: Path, head: ConfidenceHead, structure_model: StructureModelId, metadata: dict[str, Any]
) -> None:
    """Write `path` (.safetensors) and the JSON beside it; an interrupted write leaves the old files whole."""
    save_model(path, head, TASK, to_plain(head.config), {"structure_model": asdict(structure_model), **metadata})


def load_confidence_checkpoint(path: Path, device: torch.device | str = "cpu") -> ConfidenceCheckpoint:
    """Load a head, whichever structure model it belongs to.

    Raises:
        InputError: a file is missing, truncated, of another format or task, or weights and description do not fit; the
            message names the file and the first mismatch.
    """
    saved = read_model(path, TASK)
    try:
        described = saved.metadata["structure_model"]
        structure_model = StructureModelId(
            str(described["fingerprint"]), int(described["embed_dim"]), int(described["pair_dim"])
        )
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        reason = f"does not identify a structure model: {quoted(error)}"
        raise InputError(path.with_suffix(".json"), "structure_model", reason) from error
    config = saved.config(HeadConfig())
    head = saved.build(lambda: ConfidenceHead(config, structure_model.embed_dim, structure_model.pair_dim), device)
    return ConfidenceCheckpoint(head, structure_model, saved.metadata, path, saved.fingerprint)


def confidence_path(structure: Path) -> Path:
    """Path at which the confidence head of the structure weights `structure` is looked for."""
    return structure.with_suffix(SUFFIX)


def find_confidence(checkpoint: Checkpoint, device: torch.device | str = "cpu") -> ConfidenceCheckpoint | None:
    """The head beside the weights of a structure model; None if there is none.

    Raises:
        InputError: it cannot be used, or belongs to another structure model.
    """
    path = confidence_path(checkpoint.path)
    if not path.is_file():
        return None
    found = load_confidence_checkpoint(path, device)
    if found.structure_model != StructureModelId.of(checkpoint):
        reason = f"belongs to another structure model than {checkpoint.path.name}: remove it, or train a new one"
        raise InputError(path, None, reason)
    return found
