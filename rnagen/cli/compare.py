"""`rnagen compare`: runs of training side by side."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from rnagen.cli.options import guarded, parse, typed
from rnagen.errors import ConfigError

PROG = "rnagen compare"
FORMATS = (".svg", ".png")


@dataclass(frozen=True)
class CompareOptions:
    """Compare runs: the options in which they differ, the metrics of their last validations, and the paired gain of
    each setting over the first, with a 95 % bootstrap interval over seeds and targets. Runs that differ in the seed
    alone are repetitions of one setting."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of runs, such as runs/*; the first one is what the others are compared with."""
    out: Path | None = None
    """Also draw the learning curves into this file (.svg or .png)."""

    def __post_init__(self) -> None:
        if self.out is not None and self.out.suffix not in FORMATS:
            raise ConfigError(f"out: {self.out} cannot be used (expected a name that ends with .svg or .png)")


def main(arguments: Sequence[str]) -> int:
    """Parse, then compare. 0: done; 1: some runs are left out; 2: nothing can be compared."""
    return guarded(lambda: run(parse(CompareOptions, arguments, PROG)), PROG)


def run(options: CompareOptions) -> int:
    """Print the comparison; returns the exit code.

    Raises:
        ConfigError: no run can be read.
    """
    from rnagen.report.compare import comparison
    from rnagen.report.runs import read_runs

    runs, errors = read_runs(options.runs)
    for error in errors:
        print(f"{typed(PROG)}: left out: {error}", file=sys.stderr)
    if not runs:
        raise ConfigError("runs: none can be compared (name folders of runs, as runs/*)")
    print("\n".join(comparison(runs)))
    if options.out is not None:
        from rnagen.report.curves import draw_curves

        draw_curves(runs, options.out)
        print(f"\nlearning curves: {options.out}")
    return 1 if errors else 0
