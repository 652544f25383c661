"""A saved model of any task: `NAME.safetensors` (weights) beside `NAME.json` (task, configuration, provenance).

The two files cannot be replaced at once. The new description is written first, as `.NAME.json.next`, and takes its
place after the weights: a process that is killed in between leaves weights whose description is there.

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
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from rnagen.config.files import load_config
from rnagen.errors import ConfigError, InputError
from rnagen.io.files import atomic_write, hash_files, read_json, write_text
from rnagen.messages import one_line, quoted

FORMAT = 1
NEXT = ".next"
"""Suffix of the description of weights that are being written."""
RETIRED = {"num_workers", "churn", "recycling"}
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
            InputError: there is no such model, or the weights do not fit it.
        """
        try:
            with torch.device("meta"), _Unfilled():
                model = make()
        except (InputError, ConfigError):
            raise
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
            described, reason = self.path.with_suffix(".json"), one_line(error, 200)
            raise InputError(described, "config", f"no model can be made of it: {reason}") from error
        assign_weights(model, self.weights, self.path)
        return model.to(device).eval()


_FILLING = frozenset({nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_})


class _Unfilled(TorchFunctionMode):
    """Weights without memory need no initial values: torch decomposes their filling there, step by step in Python, and
    `normal_` with the modules of its compiler, whose import takes as long as that of all others."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return kwargs["tensor"] if func in _FILLING else func(*args, **(kwargs or {}))


def save_model(path: Path, model: nn.Module, task: str, config: dict[str, Any], metadata: dict[str, Any]) -> None:
    """Write the weights to `path` (.safetensors) and their description to the JSON file beside it.

    An interrupted write leaves the old model or the new one, whole.

    Args:
        path: of the weights.
        model: of any task.
        task: its name.
        config: from which the task constructs the model again, as JSON can hold it.
        metadata: provenance and whatever else the task needs.

    Raises:
        OSError: the folder cannot be written or the disk is full.
    """
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    data = save(weights)
    described = {"format": FORMAT, "task": task, "config": config, **metadata}
    described["weights_sha256"] = hashlib.sha256(data).hexdigest()
    write_text(_next(path), json.dumps(described, indent=1) + "\n")
    with atomic_write(path) as file:
        file.write(data)
    os.replace(_next(path), path.with_suffix(".json"))


def _next(path: Path) -> Path:
    """Where the description of weights stands until they are written."""
    return path.with_name(f".{path.stem}.json{NEXT}")


def read_model(path: Path, task: str) -> SavedModel:
    """Read the weights `path` and their description.

    Raises:
        InputError: a file is missing, truncated, of another format or task, or the two do not belong together.
    """
    try:
        weights = load_file(path) if path.is_file() else {}
    except (SafetensorError, OSError) as error:
        raise InputError(path, None, f"cannot be read as safetensors (truncated?): {one_line(error)}") from error
    metadata = read_metadata(path, task)
    return SavedModel(path, metadata, weights, metadata["weights_sha256"])


def read_metadata(path: Path, task: str | None = None) -> dict[str, Any]:
    """The description of a model: the JSON file, or the one that was to replace it when a process was killed.

    Args:
        path: of the weights, or of the JSON file, which is then read whether there are weights or not.
        task: that the model must be of, if any.

    Raises:
        InputError: missing, unreadable, of another format, task or weights.
    """
    if not path.is_file():
        raise InputError(path, None, "no such file")
    described = path.with_suffix(".json")
    if path == described:
        metadata = _read_description(described)
    else:
        fingerprint = hash_files([path])
        there = [file for file in (described, _next(path)) if file.is_file()]
        if not there:
            raise InputError(described, None, "no such file")
        found = [_read_description(file) for file in there]
        fitting = [metadata for metadata in found if metadata.get("weights_sha256") == fingerprint]
        if not fitting:
            raise InputError(path, None, f"differs from the file that {described.name} describes (SHA-256)")
        metadata = fitting[0]
    _check(path, metadata, task)
    return metadata


def _read_description(file: Path) -> dict[str, Any]:
    """The contents of a description, whose version is checked.

    Raises:
        InputError: it is not a description.
    """
    metadata = read_json(file)
    if metadata.get("format") != FORMAT:
        raise InputError(file, None, f"not a checkpoint description of format {FORMAT}")
    if not isinstance(metadata.get("config"), dict):
        raise InputError(file, "config", "missing")
    # The first checkpoints were all of the structure model and did not record a task.
    metadata.setdefault("task", "structure")
    return metadata


def _check(path: Path, metadata: dict[str, Any], task: str | None) -> None:
    recorded = metadata["task"]
    if not isinstance(recorded, str):
        raise InputError(path, "task", f"{quoted(recorded)} is not the name of a task")
    if task is not None and recorded != task:
        raise InputError(path, None, f"is a checkpoint of the {one_line(recorded, 60)} model, not of the {task} model")


def assign_weights(model: nn.Module, weights: dict[str, Tensor], path: Path) -> None:
    """Put weights into a model that was built without memory (on the meta device), in the precision of the model.

    They are copied: a tensor of a mapped file begins at any address, and the last bits of a matrix product depend on
    how its arguments are aligned.

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
    copies = {name: w.to(expected[name].dtype, copy=True) for name, w in weights.items()}
    model.load_state_dict(copies, assign=True)
