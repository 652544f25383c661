"""A saved model of any task: `NAME.safetensors` (weights) beside `NAME.json` (task, configuration, provenance).

Nothing is unpickled, and a model is never partly loaded. What each task adds is in the module of its name.
"""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from rnagen.config.files import load_config
from rnagen.errors import ConfigError, InputError
from rnagen.io.files import write_text

FORMAT = 1
RETIRED = {"num_workers", "churn"}
"""Options that earlier versions recorded and that no longer exist; none of them describes the model."""

T = TypeVar("T")
ModelT = TypeVar("ModelT", bound=nn.Module)


@dataclass(frozen=True)
class SavedModel:
    """The two files of a model, read and verified."""

    path: Path
    metadata: dict[str, Any]
    """The contents of the JSON file."""
    weights: dict[str, Tensor]
    fingerprint: str
    """SHA-256 of the weights file."""

    def config(self, defaults: T) -> T:
        """The recorded configuration, in place of the defaults.

        Raises:
            InputError: it has an unknown option or an impossible value.
        """
        described = str(self.path.with_suffix(".json"))
        values = {name: value for name, value in self.metadata["config"].items() if name not in RETIRED}
        try:
            return load_config(defaults, values, described)
        except ConfigError as error:
            raise InputError(described, "config", str(error)) from error

    def build(self, make: Callable[[], ModelT], device: torch.device | str) -> ModelT:
        """The model that `make` constructs, with the saved weights, ready for inference on `device`.

        Raises:
            InputError: the weights do not fit it.
        """
        with torch.device("meta"):
            model = make()
        assign_weights(model, self.weights, self.path)
        return model.to(device).eval()


def save_model(path: Path, model: nn.Module, task: str, config: dict[str, Any], metadata: dict[str, Any]) -> None:
    """Write the weights to `path` (.safetensors) and their description to the JSON file beside it.

    An interrupted write leaves the old files whole.

    Args:
        path: of the weights.
        model: of any task.
        task: its name.
        config: from which the task constructs the model again, as JSON can hold it.
        metadata: provenance and whatever else the task needs.
    """
    temporary = path.with_suffix(".tmp")
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    save_file(weights, temporary)
    described = {"format": FORMAT, "task": task, "config": config, **metadata, "weights_sha256": _sha256(temporary)}
    os.replace(temporary, path)
    write_text(path.with_suffix(".json"), json.dumps(described, indent=1) + "\n")


def read_model(path: Path, task: str) -> SavedModel:
    """Read the weights `path` and their description.

    Raises:
        InputError: a file is missing, truncated, of another format or task, or the two do not belong together.
    """
    metadata = read_metadata(path, task)
    try:
        weights = load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(path, None, f"cannot be read as safetensors (truncated?): {error}") from error
    fingerprint = _sha256(path)
    if metadata.get("weights_sha256") != fingerprint:
        raise InputError(path, None, f"differs from the file that {path.with_suffix('.json').name} describes (SHA-256)")
    return SavedModel(path, metadata, weights, fingerprint)


def read_metadata(path: Path, task: str | None = None) -> dict[str, Any]:
    """The JSON beside a weights file (or the file itself, if it is the JSON).

    Raises:
        InputError: missing, unreadable, of another format, or of a task other than `task`.
    """
    described = path.with_suffix(".json")
    for file in (path, described):
        if not file.is_file():
            raise InputError(file, None, "no such file")
    try:
        metadata = json.loads(described.read_text())
    except ValueError as error:
        raise InputError(described, None, f"cannot be parsed as JSON: {error}") from error
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise InputError(described, None, f"not a checkpoint description of format {FORMAT}")
    if not isinstance(metadata.get("config"), dict):
        raise InputError(described, "config", "missing")
    # The first checkpoints were all of the structure model and did not record a task.
    metadata.setdefault("task", "structure")
    if task is not None and metadata["task"] != task:
        raise InputError(path, None, f"is a checkpoint of the {metadata['task']} model, not of the {task} model")
    return metadata


def assign_weights(model: nn.Module, weights: dict[str, Tensor], path: Path) -> None:
    """Put weights into a model that was built without memory (on the meta device), in the precision of the model.

    Raises:
        InputError: a tensor of the file `path` is missing, surplus, or of another shape or kind.
    """
    expected = model.state_dict()
    for name in sorted(expected.keys() | weights.keys()):
        if name not in weights or name not in expected:
            where = "lacks this tensor" if name not in weights else "has a surplus tensor"
            raise InputError(path, name, f"the file {where}: weights and configuration do not fit")
        if expected[name].shape != weights[name].shape:
            shapes = f"{list(weights[name].shape)} in the file, {list(expected[name].shape)} by its configuration"
            raise InputError(path, name, f"shape {shapes}")
        if expected[name].is_floating_point() != weights[name].is_floating_point():
            kinds = f"{weights[name].dtype} in the file, {expected[name].dtype} by its configuration"
            raise InputError(path, name, f"type {kinds}")
    model.load_state_dict({name: w.to(expected[name].dtype) for name, w in weights.items()}, assign=True)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
