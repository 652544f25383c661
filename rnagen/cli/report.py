"""`rnagen report`: a run of sampling -> a page to look at, and figures."""

import sys
from collections.abc import Sequence

from rnagen.caches import cached_in
from rnagen.cli.options import guarded, parse
from rnagen.config.report import ReportConfig
from rnagen.progress import silenced

PROG = "rnagen report"


def main(arguments: Sequence[str]) -> int:
    """Parse, then write the page."""
    return guarded(lambda: run(parse(ReportConfig, arguments, PROG)), PROG)


def run(config: ReportConfig) -> int:
    """Write the page and the figures. 0: done; 1: some RNAs could not be read.

    Raises:
        InputError: the run or the references cannot be used.
    """
    import torch

    from rnagen.report.page.write import write_report

    # Many small products, for which threads that wait for each other only cost time.
    torch.set_num_threads(1)
    with silenced(config.quiet), cached_in(None):
        made = write_report(config)
    for failure in made.failures:
        print(f"{PROG}: left out: {failure}", file=sys.stderr)
    print(f"{len(made.names)} RNA{'s' * (len(made.names) != 1)}: {made.page}")
    if config.figures is not None:
        print(f"{len(made.figures)} figures: {config.figures}")
    return 1 if made.failures else 0
