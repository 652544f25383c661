"""A shipped model: `NAME.safetensors` (averaged weights) beside `NAME.json` (configuration, provenance). No pickle.

The functions without `checkpoint` in their names serve the models of every task.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from rnagen.config.encoder import EncoderConfig
from rnagen.config.files import load_config, to_plain
from rnagen.config.structure import TrainConfig
from rnagen.errors import ConfigError, InputError
from rnagen.io.files import write_text
from rnagen.model.encoders import build_encoder
from rnagen.model.model import RNAFlowModel

FORMAT = 1
TASK = "structure"
DEFAULT_CHECKPOINT = Path(__file__).parents[1] / "assets" / "small.safetensors"
"""The checkpoint that ships with the package."""

RETIRED = {"num_workers"}
"""Options that earlier versions recorded and that no longer exist; none of them says anything of the model."""

T = TypeVar("T")


@dataclass(frozen=True)
class EncoderSource:
    """The shape of a model's encoder, and where its weights come from."""

    config: EncoderConfig
    fingerprint: str
    """SHA-256 of the weights file of the reactivity model."""

    def to_plain(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {"config": to_plain(self.config), "fingerprint": self.fingerprint}


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
    encoder: EncoderSource | None = None
    """None where the model has no pretrained encoder."""


def save_checkpoint(
    path: Path,
    model: RNAFlowModel,
    config: TrainConfig,
    metadata: dict[str, Any],
    encoder: EncoderSource | None = None,
) -> None:
    """Write `path` (.safetensors) and the JSON beside it; an interrupted write leaves the old files whole.

    Raises:
        ValueError: the model has an encoder that is not described, or the other way round.
    """
    if (model.encoder is None) != (encoder is None):
        raise ValueError("a model is saved with the description of its encoder, if it has one")
    description = {"task": TASK, "config": to_plain(config), **metadata}
    if encoder is not None:
        description["encoder"] = encoder.to_plain()
    save_model(path, model, description)


def load_checkpoint(path: Path, device: torch.device | str = "cpu") -> Checkpoint:
    """Load weights and configuration.

    Raises:
        InputError: a file is missing, truncated, of another format or task, or weights and configuration do not fit;
            the message names the file and the first mismatch. A model is never partly loaded.
    """
    metadata = read_metadata(path, TASK)
    weights, fingerprint = read_weights(path, metadata)
    metadata["config"] = {name: value for name, value in metadata["config"].items() if name not in RETIRED}
    config = read_config(path, metadata, TrainConfig())
    encoder = read_encoder_source(str(path.with_suffix(".json")), metadata.get("encoder"))
    with torch.device("meta"):
        model = RNAFlowModel(config.model, None if encoder is None else build_encoder(encoder.config))
    assign_weights(model, weights, path)
    return Checkpoint(model.to(device).eval(), config, metadata, path, fingerprint, encoder)


def read_encoder_source(file: str, described: Any) -> EncoderSource | None:
    """What `EncoderSource.to_plain` wrote into a file; None where nothing is written.

    Raises:
        InputError: it is no such description, has an unknown option or an impossible value.
    """
    if described is None:
        return None
    try:
        return EncoderSource(load_config(EncoderConfig(), described["config"], file), str(described["fingerprint"]))
    except (ConfigError, TypeError, KeyError) as error:
        raise InputError(file, "encoder", str(error)) from error


def save_model(path: Path, model: nn.Module, description: dict[str, Any]) -> None:
    """Write the weights of a model of any task to `path`, its description and their SHA-256 to the JSON beside it."""
    described = {"format": FORMAT, **description}
    temporary = path.with_suffix(".tmp")
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    save_file(weights, temporary)
    described["weights_sha256"] = _sha256(temporary)
    os.replace(temporary, path)
    write_text(path.with_suffix(".json"), json.dumps(described, indent=1) + "\n")


def read_metadata(path: Path, task: str | None = None) -> dict[str, Any]:
    """The JSON that belongs to a weights file (or the file itself where it is the JSON).

    Raises:
        InputError: missing, unreadable, of another format, or of another task than the one asked for.
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
    # The first checkpoints were all of the structure model and did not say so.
    metadata.setdefault("task", TASK)
    if task is not None and metadata["task"] != task:
        raise InputError(str(path), "", f"is a checkpoint of the {metadata['task']} model, not of the {task} model")
    return metadata


def read_weights(path: Path, metadata: dict[str, Any]) -> tuple[dict[str, Tensor], str]:
    """The tensors of a weights file and its SHA-256.

    Raises:
        InputError: the file is damaged, or is not the one that its JSON describes.
    """
    try:
        weights = load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(str(path), "", f"cannot be read as safetensors (truncated?): {error}") from error
    fingerprint = _sha256(path)
    if metadata.get("weights_sha256") != fingerprint:
        raise InputError(str(path), "", f"is not the file that {path.with_suffix('.json').name} describes (SHA-256)")
    return weights, fingerprint


def read_config(path: Path, metadata: dict[str, Any], defaults: T) -> T:
    """The configuration in the description of the weights file `path`.

    Raises:
        InputError: it has an unknown option or an impossible value.
    """
    described = str(path.with_suffix(".json"))
    try:
        return load_config(defaults, metadata["config"], described)
    except ConfigError as error:
        raise InputError(described, "config", str(error)) from error


def assign_weights(model: nn.Module, weights: dict[str, Tensor], path: Path) -> None:
    """Put weights into a model that was built without memory (on the meta device).

    Raises:
        InputError: a tensor of the file `path` is missing, surplus or of another shape.
    """
    expected = model.state_dict()
    for name in sorted(expected.keys() | weights.keys()):
        if name not in weights or name not in expected:
            where = "lacks" if name not in weights else "has a surplus"
            raise InputError(str(path), name, f"the file {where} tensor, its configuration says otherwise")
        if expected[name].shape != weights[name].shape:
            shapes = f"{list(weights[name].shape)} in the file, {list(expected[name].shape)} by its configuration"
            raise InputError(str(path), name, f"shape {shapes}")
    model.load_state_dict(weights, assign=True)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
