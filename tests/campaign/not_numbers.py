"""Trials with NaN: in the coordinates of a dataset, and in the losses of a training."""

import shutil
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from safetensors.torch import load_file

from rnagen.data.dataset import FILE
from rnagen.tasks.structure.module import FlowModule
from tests.campaign.commands import Command
from tests.campaign.faults import Fault
from tests.campaign.trials import run


def nan_in_data(train: Command, data: Path, folder: Path, share: float) -> list[str]:
    """A dataset of which a share of all real numbers is NaN: it is refused, or trains to weights that are finite."""
    out, whole = folder / "out", folder / "whole"
    folder.mkdir(parents=True)
    shutil.copytree(data, whole)
    try:
        _spoil(data / FILE, share)
        ended = run(train.begin(out), out, Fault("none"))
    finally:
        shutil.copy(whole / FILE, data / FILE)
    return _finite(ended.code, ended.errors, out)


def nan_in_training(train: Command, folder: Path, steps: set[int]) -> list[str]:
    """Losses of some steps, counted from 0, are NaN: they are skipped and counted; if all are, the training has
    failed."""
    out = folder / "out"
    folder.mkdir(parents=True)

    def spoil() -> None:
        whole, seen = FlowModule.training_step, [0]

        def spoiled(self: FlowModule, *given: object) -> object:
            found = whole(self, *given)
            seen[0] += 1
            return found * float("nan") if seen[0] - 1 in steps else found

        FlowModule.training_step = spoiled

    ended = run(train.begin(out), out, Fault("none"), spoil)
    return _finite(ended.code, ended.errors, out)


def _spoil(file: Path, share: float) -> None:
    with safe_open(file, "numpy") as stored:
        metadata = stored.metadata()
        tensors = {name: stored.get_tensor(name).copy() for name in stored.keys()}  # noqa: SIM118 not a mapping
    rng = np.random.default_rng(0)
    for values in tensors.values():
        if values.dtype.kind == "f":
            values[rng.random(values.shape) < share] = np.nan
    save_file(tensors, file, metadata)


def _finite(code: int, errors: str, out: Path) -> list[str]:
    wrong = [] if code in (0, 1, 2) else [f"exit code {code}: {errors.strip()[-300:]}"]
    wrong += [f"not a message for users: {errors.strip()[-300:]}"] if "Traceback" in errors else []
    for file in sorted(out.glob("*.safetensors")):
        bad = [name for name, tensor in load_file(file).items() if not torch.isfinite(tensor.float()).all()]
        wrong += [f"{file.name}: {bad[0]} is not finite"] if bad else []
    return wrong
