"""Read a run, write its page and its figures."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rnagen.config.report import PAGE, ReportConfig
from rnagen.errors import InputError
from rnagen.io.files import hash_files, read_json, write_text
from rnagen.messages import one_line
from rnagen.parallel import single_thread
from rnagen.progress import progress_bar
from rnagen.report.page.folder import RunFolder
from rnagen.report.page.html import Page, part_of, parts_of
from rnagen.report.page.record import record_of
from rnagen.report.page.scores import score_run
from rnagen.sampling.claim import SUMMARY
from rnagen.version import __version__

USED = ("name", "folder", "sequence", "secondary_structure", "pair_probabilities_sha256", "label")
"""Fields of an entry of run.json that the page depends on."""
FORMAT = 3
"""Of what the page has of an RNA; a new number makes all pages anew."""


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
            own = scores.of(rna.name)
            page.add(part_of(record, own, _key(run, rna.entry, own)))
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


def report_of_sampling(folder: Path) -> str | None:
    """Write the page of a run that has just been sampled, where it is missing or differs; RNAs that a page has
    already are taken from it.

    Returns:
        why there is no page, in words; None where there is one. What was sampled is there in any case.
    """
    try:
        _update(RunFolder.open(folder))
    except (OSError, ValueError, RuntimeError, MemoryError) as error:
        return f"{PAGE} was not written ({one_line(error, 120)}); repeat with: rnagen report {folder}"
    return None


def _update(run: RunFolder) -> None:
    out = run.folder / PAGE
    before = out.read_text(encoding="utf-8") if out.is_file() else ""
    there = parts_of(before)
    page = Page(run.run)
    with single_thread(), progress_bar("report", len(run.finished)) as advance:
        for entry in run.finished:
            key = _key(run, entry)
            page.add(there.get(key) or part_of(record_of(run.read(entry)), None, key))
            advance(1, entry["name"])
    # Not by the times of the files, which a clock that was set back turns round.
    if (text := page.text()) != before:
        write_text(out, text)


def _key(run: RunFolder, entry: dict[str, Any], scores: dict[str, Any] | None = None) -> str:
    """Changes with everything that the part of an RNA is made from; not with the time that the RNA took, so that equal
    runs have equal pages."""
    place = run.folder / entry["folder"]
    own = {name: entry.get(name) for name in USED}
    summary = {name: value for name, value in read_json(place / SUMMARY).items() if name != "seconds"}
    described = json.dumps([FORMAT, __version__, run.run["atoms"], own, summary, scores], sort_keys=True)
    files = hash_files([place / f"ensemble.{run.format}"])
    return hashlib.sha256(f"{described} {files}".encode()).hexdigest()[:32]
