"""The mean of the weights of several structure checkpoints that come from one training."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from rnagen.checkpoints.structure import Checkpoint, load_checkpoint, save_checkpoint
from rnagen.errors import ConfigError, InputError
from rnagen.messages import quoted

RECORDED = ("weights_sha256", "step", "hours", "cutoff", "data", "command")
"""What the description of a mean records of each part."""
TRUNK = "trunk."
"""How the names of the tensors of the trunk begin."""
READS = ("references", "strands")
"""What a model of one shape may read and another not: options of `ModelConfig` that add tensors and change no other."""
ALIKE = 0.9
"""Least cosine between the matrices of two parts, all taken as one vector. Relatives have 0.99 (informed and base). The
shipped weights and the random ones that they began from, those of seed 0, have 0.53 to 0.73; of other seeds 0.01."""
INHERITED = ("data", "step", "versions")
"""What it has in common with the part that trained longest."""


def average_checkpoints(
    paths: Sequence[Path],
    out: Path,
    weights: Sequence[float] = (),
    trunk_weights: Sequence[float] = (),
    command: str = "",
    half: bool = False,
) -> tuple[float, ...]:
    """Write the mean to `out`; returns the share of each part, outside of the trunk if that has shares of its own.

    The shape of the mean is that of the first part. Another may read less, as an ancestor without references: it has
    no share in the tensors that it lacks. The date filter of the mean is the latest of its parts. Its description is
    that of the part that trained longest, with the hours of all, and with a list of the parts.

    Args:
        paths: at least two checkpoints.
        out: weights file (.safetensors) to write; its description goes beside it.
        weights: of the parts, in any unit; equal by default.
        trunk_weights: of the parts in the trunk; by default those of the rest.
        command: recorded in the description.
        half: store half precision.

    Raises:
        ConfigError: options that cannot be used.
        InputError: a checkpoint cannot be used, has an incomplete description, differs from the first in shape, path or
            encoder by more than what it reads, or comes from another training (`ALIKE`).
        OSError: `out` cannot be written.
    """
    if len(paths) < 2:
        raise ConfigError("checkpoints: an average needs at least two")
    shares = _shares("weights", weights or (1.0,) * len(paths), len(paths))
    trunk_shares = _shares("trunk_weights", trunk_weights or shares, len(paths))
    if out.suffix != ".safetensors":
        raise ConfigError(f"out: {out} does not end in .safetensors")
    parts = [load_checkpoint(path) for path in paths]
    first = parts[0]
    for part in parts[1:]:
        _refuse_other(part, first)
    for part in parts:
        _refuse_incomplete(part)
    states = [part.model.state_dict() for part in parts]
    for part, state in zip(parts[1:], states[1:]):
        _refuse_unrelated(part, likeness(state, states[0]), first)
    mean = {name: _mean(name, trunk_shares if name.startswith(TRUNK) else shares, states) for name in states[0]}
    first.model.load_state_dict({name: value.half() if half else value for name, value in mean.items()}, assign=True)
    longest = max(parts, key=lambda part: part.metadata["hours"])
    metadata = {
        **{name: longest.metadata[name] for name in INHERITED},
        "parameters": first.metadata["parameters"],
        "hours": round(sum(part.metadata["hours"] for part in parts), 3),
        "cutoff": max(part.metadata["cutoff"] for part in parts),
        "average_of": [
            {"share": share, "trunk_share": trunk, **{name: part.metadata[name] for name in RECORDED}}
            for share, trunk, part in zip(shares, trunk_shares, parts)
        ],
        "command": command,
    }
    config = replace(
        longest.config, model=first.config.model, run=replace(longest.config.run, run_name=out.stem, ckpt=None)
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(out, first.model, config, metadata, first.encoder)
    return shares


def _shares(option: str, weights: Sequence[float], parts: int) -> tuple[float, ...]:
    """Weights as shares of 1."""
    if len(weights) != parts:
        raise ConfigError(f"{option}: {len(weights)} for {parts} checkpoints")
    if not (all(0 <= weight < math.inf for weight in weights) and weights[0] > 0):
        raise ConfigError(f"{option}: {quoted(weights)} cannot be used (the first must be above 0, no other below)")
    return tuple(weight / sum(weights) for weight in weights)


def _mean(name: str, shares: tuple[float, ...], states: list[dict[str, Tensor]]) -> Tensor:
    """Of one tensor, over the parts that have it."""
    there = [(share, state[name]) for share, state in zip(shares, states) if name in state]
    total = sum(share for share, _ in there)
    return torch.stack([share / total * value for share, value in there]).sum(0)


def likeness(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """Cosine between the matrices that both have, all as one vector; biases and scales are alike in all trainings."""
    pairs = [(one[name].double(), other[name].double()) for name in one.keys() & other.keys() if one[name].ndim > 1]
    product, first, second = (
        sum(float((a * b).sum()) for a, b in chosen)
        for chosen in (pairs, [(a, a) for a, _ in pairs], [(b, b) for _, b in pairs])
    )
    return product / math.sqrt(first * second) if first * second > 0 else 0.0


def _refuse_unrelated(part: Checkpoint, cosine: float, first: Checkpoint) -> None:
    if not cosine >= ALIKE:
        reason = (
            f"is unrelated to {first.path}: the cosine between their weights is {cosine:.2f}, that of checkpoints "
            f"which were trained on from a common one about 1, at least "
            f"{ALIKE} is needed; average those of one training"
        )
        raise InputError(part.path, None, reason)


def _refuse_incomplete(part: Checkpoint) -> None:
    described = part.path.with_suffix(".json")
    for name in (*RECORDED, *INHERITED, "parameters"):
        if name not in part.metadata:
            raise InputError(described, name, "missing")
    if not isinstance(part.metadata["hours"], int | float):
        raise InputError(described, "hours", f"{quoted(part.metadata['hours'])} is not a number")


def _refuse_other(part: Checkpoint, first: Checkpoint) -> None:
    reads = {name: getattr(first.config.model, name) for name in READS if not getattr(part.config.model, name)}
    for name, one, other in (
        ("model", first.config.model, replace(part.config.model, **reads)),
        ("path and prediction", first.config.transport, part.config.transport),
        ("encoder", first.encoder, part.encoder),
    ):
        if one != other:
            raise InputError(part.path, name, f"differs from that of {first.path}")
