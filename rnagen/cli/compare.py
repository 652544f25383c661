"""`rnagen compare`: runs of training side by side."""

import sys
from collections.abc import Sequence

from rnagen.cli.options import guarded, parse, typed
from rnagen.config.compare import TABLE, CompareConfig

PROG = "rnagen compare"


def main(arguments: Sequence[str]) -> int:
    """Parse, then compare. 0: done; 1: some runs are left out; 2: nothing can be compared."""
    return guarded(lambda: run(parse(CompareConfig, arguments, PROG)), PROG)


def run(config: CompareConfig) -> int:
    """Print the comparison; returns the exit code.

    Raises:
        ConfigError: no run can be read.
    """
    from rnagen.report.compare import compare

    found = compare(config)
    for failure in found.failures:
        print(f"{typed(PROG)}: left out: {failure}", file=sys.stderr)
    print(found)
    if config.out is not None:
        print(f"\n{'tables' if config.out.suffix == TABLE else 'learning curves'}: {config.out}")
    return 1 if found.failures else 0
