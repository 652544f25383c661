"""The Python functions for what has been sampled: a submission, and a page. `rnagen.api` has them too."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnagen.caches import cached_in
from rnagen.config.files import load_config
from rnagen.config.report import ReportConfig
from rnagen.config.submission import SubmitConfig
from rnagen.progress import silenced
from rnagen.report.page.write import Report, write_report

if TYPE_CHECKING:
    from rnagen.submission.run import Submission


def submit(
    sources: str | Path | Sequence[str | Path] = (), out: str | Path = "submission.csv", **options: Any
) -> "Submission":
    """Build a submission to the Stanford RNA 3D Folding benchmark, or check one, as `rnagen submit` does.

    Args:
        sources: run folders, tables, folders of structure files; each may have a name, as `NAME=PATH`.
        out: table to write; where there are problems, nothing is.
        options: any option of `rnagen submit`, such as `sequences`, `sample`, `slots`, `check`.

    Returns:
        the conformers by target and slot, notes, expected scores, and every problem (`good` for none).

    Raises:
        InputError: no source, or no table of targets, can be read.
        ConfigError: an option does not exist or cannot be used.
    """
    from rnagen.submission.run import submit as build

    config = load_config(SubmitConfig(), {"sources": sources, "out": out, **options}, "submit")
    with silenced(config.quiet):
        return build(config)


def page(run: str | Path, **options: Any) -> Report:
    """Make the page of a run of sampling, as `rnagen report` does.

    Args:
        run: folder of the run.
        options: any option of `rnagen report`: `out`, `references`, `figures`.

    Returns:
        the file, the RNAs that it has, the figures, and the RNAs that could not be read.

    Raises:
        InputError: the run or the references cannot be used.
        ConfigError: an option does not exist.
    """
    config = load_config(ReportConfig(Path()), {"run": run, **options}, "page")
    with silenced(config.quiet), cached_in(None):
        return write_report(config)
