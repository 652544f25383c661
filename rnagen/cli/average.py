"""`rnagen average`: the mean of the weights of several checkpoints that come from one training."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro

from rnagen.cli.options import guarded
from rnagen.errors import ConfigError, InputError

PROG = "rnagen average"


@dataclass
class AverageOptions:
    """Average the weights of structure checkpoints that were trained on from a common one: the mean is often better
    than each, and joins what they were tuned for (Wortsman et al., "Model soups", ICML 2022)."""

    checkpoints: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Weights (.safetensors, with their .json beside them), of one shape."""
    out: Path = Path("average.safetensors")
    """File to write; its description goes beside it."""
    weights: tuple[float, ...] = ()
    """Share of each; equal by default."""


def command_of(options: AverageOptions) -> str:
    """The command line that gives these options."""
    weights = ["--weights", *options.weights] if options.weights else []
    return " ".join(map(str, [PROG, *options.checkpoints, *weights, "--out", options.out]))


def main(arguments: Sequence[str]) -> int:
    """Parse, then average."""
    return guarded(lambda: run(tyro.cli(AverageOptions, args=list(arguments), prog=PROG)), PROG)


def run(options: AverageOptions) -> int:
    """Write the mean; the exit code: 0 done, 2 it could not be written.

    The date gate of the mean is the latest of its parts. Its description is that of the part that trained longest, with
    the hours of all, and with a list of the parts.

    Raises:
        ConfigError: options that cannot be used.
        InputError: a checkpoint cannot be used, or is of another shape, path or encoder than the first.
    """
    if len(options.checkpoints) < 2:
        raise ConfigError("checkpoints: an average takes at least two")
    if options.weights and len(options.weights) != len(options.checkpoints):
        raise ConfigError(f"weights: {len(options.weights)} for {len(options.checkpoints)} checkpoints")
    if any(weight <= 0 for weight in options.weights):
        raise ConfigError(f"weights: {options.weights!r} cannot be used: each must be above 0")
    if options.out.suffix != ".safetensors":
        raise ConfigError(f"out: {options.out} is no name of weights (.safetensors)")
    from rnagen.checkpoints.structure import load_checkpoint, save_checkpoint

    parts = [load_checkpoint(path) for path in options.checkpoints]
    first = parts[0]
    for part in parts[1:]:
        for name, one, other in (
            ("model", first.config.model, part.config.model),
            ("path and prediction", first.config.transport, part.config.transport),
            ("encoder", first.encoder, part.encoder),
        ):
            if one != other:
                raise InputError(part.path, name, f"is another than that of {first.path}")
    shares = options.weights or (1.0,) * len(parts)
    shares = tuple(share / sum(shares) for share in shares)
    mean = first.model
    states = [part.model.state_dict() for part in parts]
    mean.load_state_dict(
        {name: sum(share * state[name] for share, state in zip(shares, states)) for name in states[0]}, assign=True
    )
    described = ("weights_sha256", "step", "hours", "cutoff", "data", "command")
    longest = max(parts, key=lambda part: part.metadata["hours"])
    metadata = {
        **{name: longest.metadata[name] for name in ("data", "parameters", "step", "versions")},
        "hours": round(sum(part.metadata["hours"] for part in parts), 3),
        "cutoff": max(part.metadata["cutoff"] for part in parts),
        "average_of": [
            {"share": share, **{name: part.metadata[name] for name in described}} for share, part in zip(shares, parts)
        ],
        "command": command_of(options),
    }
    config = replace(longest.config, run=replace(longest.config.run, run_name=options.out.stem, ckpt=None))
    try:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        save_checkpoint(options.out, mean, config, metadata, first.encoder)
    except OSError as error:
        print(f"{PROG}: {error}", file=sys.stderr)
        return 2
    print(f"{options.out}: " + " + ".join(f"{share:.2f} {path}" for share, path in zip(shares, options.checkpoints)))
    return 0
