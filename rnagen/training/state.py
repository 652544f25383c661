"""The training state of a run: written whole or not at all, and read only if it is one that a run can go on from."""

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch import Tensor

from rnagen.errors import ConfigError, InputError
from rnagen.io.files import atomic_write
from rnagen.messages import one_line

PARTS = {
    "state_dict": dict,
    "loops": dict,
    "callbacks": dict,
    "optimizer_states": list,
    "lr_schedulers": list,
    "global_step": int,
    "epoch": int,
}
"""What Lightning needs of a state."""
WRITER = "CheckpointWriter"
"""The entry that only rnagen has."""


class StateFile(TorchCheckpointIO):
    """How Lightning writes a state: a half-written one never replaces a whole one."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write the file.

        Raises:
            OSError: the folder cannot be written or the disk is full.
        """
        # In memory first: torch would hide the error of the file behind others of its own.
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        with atomic_write(Path(path)) as file:
            file.write(buffer.getbuffer())


def read_state(path: Path) -> dict[str, Any]:
    """A training state; its tensors stay in the file until they are used.

    Raises:
        InputError: it is truncated or something else. Nothing of it is executed.
    """
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:
        # Whatever the bytes of another program's file lead the reader to.
        reason = f"cannot be read as a training state (truncated, or of another program?): {one_line(error, 150)}"
        raise InputError(path, None, reason) from error
    whole = isinstance(saved, dict) and all(isinstance(saved.get(part), kind) for part, kind in PARTS.items())
    if not whole or not isinstance(saved["callbacks"].get(WRITER), dict):
        raise InputError(path, None, "is not a training state of rnagen")
    return saved


def check_state(path: Path, module: torch.nn.Module) -> None:
    """Refuse a state whose tensors are not those of the module that goes on from it.

    Raises:
        InputError: names the first tensor that differs.
    """
    found, expected = shapes(read_state(path)["state_dict"]), shapes(module.state_dict())
    for name in (*expected, *found):
        if found.get(name) != expected.get(name):
            reason = "is the state of a model of another task or shape than this configuration"
            raise InputError(path, one_line(name, 100), reason)


def shapes(tensors: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Shape by name; what is not a tensor is left out."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items() if isinstance(tensor, Tensor)}


def set_place(state: dict[str, Any], batches: int) -> None:
    """Write the place of a run into its state as whole epochs and batches of the one begun.

    Lightning's own count is off where a run has stopped in the middle of an epoch, or has ended and is to go on: the
    next epoch would be too short, and its batches would accumulate differently.

    Args:
        state: as read by Lightning; changed.
        batches: in an epoch.
    """
    loop = state["loops"]["fit_loop"]
    batch, epoch = loop["epoch_loop.batch_progress"], loop["epoch_progress"]
    done = batch["total"]["processed"]
    whole, rest = divmod(done, batches)
    batch.update(is_last_batch=False, total=dict.fromkeys(batch["total"], done))
    batch["current"] = dict.fromkeys(batch["current"], rest)
    begun = whole + (rest > 0)
    place = {"ready": begun, "started": begun, "processed": whole, "completed": whole}
    epoch.update(total=place, current=dict(place))


@contextmanager
def restoring(path: Path | None, started: Callable[[], bool]) -> Iterator[None]:
    """Blame the state, if there is one, for errors before the run has started.

    Raises:
        InputError: the run cannot go on from the state.
    """
    try:
        yield
    except (InputError, ConfigError):
        raise
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        if path is None or started():
            raise
        raise InputError(path, None, f"a run cannot go on from it: {one_line(error, 200)}") from error
