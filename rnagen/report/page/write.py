"""Read a run, write its page and its figures."""

from dataclasses import dataclass, field
from pathlib import Path

from rnagen.config.report import PAGE, ReportConfig
from rnagen.errors import InputError
from rnagen.io.files import write_text
from rnagen.progress import progress_bar
from rnagen.report.page.folder import RunFolder
from rnagen.report.page.html import Page
from rnagen.report.page.record import record_of
from rnagen.report.page.scores import score_run


@dataclass(frozen=True)
class Report:
    """What was written."""

    page: Path
    names: list[str]
    """The RNAs of the page."""
    figures: list[Path] = field(default_factory=list)
    failures: list[InputError] = field(default_factory=list)
    """An error for each RNA that could not be read."""


def write_report(config: ReportConfig) -> Report:
    """Write the page of a run and, with `figures`, the figures of its RNAs. One RNA that cannot be read does not stop
    the others.

    Raises:
        InputError: the folder has no run of sampling, or none of its RNAs, or the references, can be read.
        OSError: a file cannot be written or the disk is full.
    """
    run = RunFolder.open(config.run)
    scores = score_run(config.run, config.references)
    page = Page(run.run, list(scores.notes))
    figures, failures = list[Path](), list[InputError]()
    with progress_bar("report", len(run.finished)) as advance:
        for rna in run.rnas():
            if isinstance(rna, InputError):
                failures.append(rna)
                advance(1, "")
                continue
            record = record_of(rna)
            page.add(record, scores.by_name.get(rna.name))
            if config.figures is not None:
                from rnagen.report.page.figures import write_figures

                figures += write_figures(record, config.figures / rna.entry["folder"])
            advance(1, rna.name)
    if not page.rows:
        raise failures[0]
    page.notes += [f"left out: {failure}" for failure in failures]
    out = config.out or config.run / PAGE
    write_text(out, page.text())
    return Report(out, [row["name"] for row in page.rows], figures, failures)
