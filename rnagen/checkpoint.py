"""A shipped model: `NAME.safetensors` (averaged weights) beside `NAME.json` (configuration, provenance). No pickle."""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from rnagen.config import TrainConfig
from rnagen.io.errors import InputError
from rnagen.io.files import write_text
from rnagen.model.model import RNAFlowModel
from rnagen.overlay import ConfigError, overlay, to_plain

FORMAT = 1
DEFAULT_CHECKPOINT = Path(__file__).parent / "assets" / "small.safetensors"
"""The checkpoint that ships with the package."""


@dataclass(frozen=True)
class Checkpoint:
    """A loaded model and where it comes from."""

    model: RNAFlowModel
    config: TrainConfig
    metadata: dict[str, Any]
    """`cutoff` (ISO date), `data` (fingerprint of the training set), `step`, `metrics`, `command`, `versions`."""
    path: Path
    fingerprint: str
    """SHA-256 of the weights file."""


def save_checkpoint(path: Path, model: RNAFlowModel, config: TrainConfig, metadata: dict[str, Any]) -> None:
    """Write `path` (.safetensors) and the JSON beside it; an interrupted write leaves the old files whole."""
    described = {"format": FORMAT, "config": to_plain(config), **metadata}
    temporary = path.with_suffix(".tmp")
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    save_file(weights, temporary)
    described["weights_sha256"] = _sha256(temporary)
    os.replace(temporary, path)
    write_text(path.with_suffix(".json"), json.dumps(described, indent=1) + "\n")


def load_checkpoint(path: Path, device: torch.device | str = "cpu") -> Checkpoint:
    """Load weights and configuration.

    Raises:
        InputError: a file is missing, truncated, of another format, or weights and configuration do not fit; the
            message names the file and the first mismatch. A model is never partly loaded.
    """
    metadata = read_metadata(path)
    try:
        weights = load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(str(path), "", f"cannot be read as safetensors (truncated?): {error}") from error
    fingerprint = _sha256(path)
    if metadata.get("weights_sha256") != fingerprint:
        raise InputError(str(path), "", f"is not the file that {path.with_suffix('.json').name} describes (SHA-256)")
    try:
        config = overlay(TrainConfig(), metadata["config"], str(path.with_suffix(".json")))
    except ConfigError as error:
        raise InputError(str(path.with_suffix(".json")), "config", str(error)) from error
    with torch.device("meta"):
        model = RNAFlowModel(config.model)
    expected = model.state_dict()
    for name in sorted(expected.keys() | weights.keys()):
        if name not in weights or name not in expected:
            where = "lacks" if name not in weights else "has a surplus"
            raise InputError(str(path), name, f"the file {where} tensor, its configuration says otherwise")
        if expected[name].shape != weights[name].shape:
            shapes = f"{list(weights[name].shape)} in the file, {list(expected[name].shape)} by its configuration"
            raise InputError(str(path), name, f"shape {shapes}")
    model.load_state_dict(weights, assign=True)
    return Checkpoint(model.to(device).eval(), config, metadata, path, fingerprint)


def read_metadata(path: Path) -> dict[str, Any]:
    """The JSON that belongs to a weights file (or the file itself where it is the JSON).

    Raises:
        InputError: missing, unreadable or of another format.
    """
    described = path.with_suffix(".json")
    for file in (path, described):
        if not file.is_file():
            raise InputError(str(file), "", "no such file")
    try:
        metadata = json.loads(described.read_text())
    except ValueError as error:
        raise InputError(str(described), "", f"is no JSON: {error}") from error
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise InputError(str(described), "", f"is no checkpoint description of format {FORMAT}")
    if not isinstance(metadata.get("config"), dict):
        raise InputError(str(described), "config", "missing")
    return metadata


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
