"""A confidence head on disk: the files of a structure checkpoint, for the task `confidence`.

It belongs to one structure model, by the fingerprint of its weights. Beside those, `NAME.safetensors`, it is found as
`NAME.confidence.safetensors`, and then every sampling with that model uses it.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from rnagen.checkpoints.files import Checkpoint, assign_weights, read_config, read_metadata, read_weights, save_model
from rnagen.config.confidence import HeadConfig
from rnagen.config.files import to_plain
from rnagen.errors import InputError
from rnagen.model.confidence import ConfidenceHead

TASK = "confidence"
SUFFIX = ".confidence.safetensors"


@dataclass(frozen=True)
class StructureModelId:
    """The structure model whose conformers a head judges."""

    fingerprint: str
    """SHA-256 of its weights file."""
    embed_dim: int
    pair_dim: int
    """Widths of what its trunk gives."""

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
    """What was saved with it, as `cutoff`, `data`, `step`, `metrics`, `training`."""
    path: Path
    fingerprint: str
    """SHA-256 of the weights file."""


def save_confidence_checkpoint(
    path: Path, head: ConfidenceHead, structure_model: StructureModelId, metadata: dict[str, Any]
) -> None:
    """Write `path` (.safetensors) and the JSON beside it; an interrupted write leaves the old files whole."""
    save_model(
        path,
        head,
        {"task": TASK, "structure_model": asdict(structure_model), "config": to_plain(head.config), **metadata},
    )


def load_confidence_checkpoint(path: Path, device: torch.device | str = "cpu") -> ConfidenceCheckpoint:
    """Load a head of whatever structure model.

    Raises:
        InputError: a file is missing, truncated, of another format or task, or weights and description do not fit; the
            message names the file and the first mismatch.
    """
    metadata = read_metadata(path, TASK)
    try:
        described = metadata["structure_model"]
        structure_model = StructureModelId(
            str(described["fingerprint"]), int(described["embed_dim"]), int(described["pair_dim"])
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            str(path.with_suffix(".json")), "structure_model", f"does not say which model: {error!r}"
        ) from error
    weights, fingerprint = read_weights(path, metadata)
    config = read_config(path, metadata, HeadConfig())
    with torch.device("meta"):
        head = ConfidenceHead(config, structure_model.embed_dim, structure_model.pair_dim)
    assign_weights(head, weights, path)
    return ConfidenceCheckpoint(head.to(device).eval(), structure_model, metadata, path, fingerprint)


def confidence_path(structure: Path) -> Path:
    """Where the confidence head of the structure weights `structure` lies, if there is one."""
    return structure.with_suffix(SUFFIX)


def find_confidence(checkpoint: Checkpoint, device: torch.device | str = "cpu") -> ConfidenceCheckpoint | None:
    """The head beside the weights of a structure model; None where there is none.

    Raises:
        InputError: it cannot be used, or belongs to another structure model.
    """
    path = confidence_path(checkpoint.path)
    if not path.is_file():
        return None
    found = load_confidence_checkpoint(path, device)
    if found.structure_model != StructureModelId.of(checkpoint):
        reason = f"belongs to another structure model than {checkpoint.path.name}: remove it, or train one for this"
        raise InputError(str(path), "", reason)
    return found
