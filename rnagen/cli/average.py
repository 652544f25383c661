"""`rnagen average`: the mean of the weights of several checkpoints that come from one training."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from rnagen.cli.options import guarded, parse

PROG = "rnagen average"


@dataclass
class AverageOptions:
    """Average the weights of structure checkpoints that were trained on from a common one: the mean is often better
    than each, and joins what they were tuned for (Wortsman et al., "Model soups", ICML 2022)."""

    checkpoints: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Weights (.safetensors, with their .json beside them), of one shape; the others may lack references and strands
    that the first reads."""
    out: Path = Path("average.safetensors")
    """File to write; its description goes beside it."""
    weights: tuple[float, ...] = ()
    """Share of each; equal by default."""
    trunk_weights: tuple[float, ...] = ()
    """Share of each in the trunk; by default that in the rest."""
    half: bool = False
    """Store half precision: half the size."""


def command_of(options: AverageOptions) -> str:
    """The command line that gives these options."""
    weights = ["--weights", *options.weights] if options.weights else []
    trunk = ["--trunk-weights", *options.trunk_weights] if options.trunk_weights else []
    half = ["--half"] if options.half else []
    return " ".join(map(str, [PROG, *options.checkpoints, *weights, *trunk, *half, "--out", options.out]))


def main(arguments: Sequence[str]) -> int:
    """Parse, then average. 0: done; 2: an option or file cannot be used, or the mean cannot be written."""
    return guarded(lambda: run(parse(AverageOptions, arguments, PROG)), PROG)


def run(options: AverageOptions) -> int:
    """Write the mean; returns the exit code."""
    from rnagen.checkpoints.average import average_checkpoints

    command = command_of(options)
    shares = average_checkpoints(
        options.checkpoints, options.out, options.weights, options.trunk_weights, command, options.half
    )
    trunk = ", but for the trunk" if options.trunk_weights else ""
    parts = " + ".join(f"{share:.2f} {path}" for share, path in zip(shares, options.checkpoints))
    print(f"{options.out}: {parts}{trunk}")
    return 0
