"""`rnagen submit`: several sources -> a checked submission table, or the check of one."""

import sys
from collections.abc import Sequence

from rnagen.cli.options import guarded, parse
from rnagen.config.submission import SubmitConfig
from rnagen.progress import silenced

PROG = "rnagen submit"
MOST_NOTES = 20
"""Lines of notes on the terminal; submission.json has all."""


def main(arguments: Sequence[str]) -> int:
    """Parse, then build or check a submission."""
    return guarded(lambda: run(parse(SubmitConfig(), arguments, PROG)), PROG)


def run(config: SubmitConfig) -> int:
    """Build or check a submission, and print what became of it. 0: no problem; 1: problems, and nothing was written.

    Raises:
        InputError: a source or table cannot be read.
        ConfigError: an option cannot be used.
    """
    # Here and not above: --help answers at once.
    import torch

    from rnagen.submission.run import submit

    # Many small products: threads that share their cores with another program wait for each other.
    torch.set_num_threads(1)
    with silenced(config.quiet):
        found = submit(config)
    for note in found.notes[:MOST_NOTES]:
        print(f"{PROG}: {note}", file=sys.stderr)
    if len(found.notes) > MOST_NOTES:
        print(f"{PROG}: … and {len(found.notes) - MOST_NOTES} more notes", file=sys.stderr)
    print("\n".join(found.lines()), file=sys.stdout if found.good else sys.stderr)
    return 0 if found.good else 1
