"""A submission: sources in, a checked table and its record out; or the check of any table."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rnagen.config.submission import SubmitConfig
from rnagen.errors import ConfigError, InputError
from rnagen.evaluation.inputs import RUN
from rnagen.io.files import write_text
from rnagen.progress import progress_bar
from rnagen.submission.candidates import Candidate, Source
from rnagen.submission.checks import check_columns, check_submission
from rnagen.submission.filling import fill
from rnagen.submission.problems import Problem
from rnagen.submission.record import write_record
from rnagen.submission.results import Submission
from rnagen.submission.rows import TargetRows, rows_of_sample, rows_of_sequences
from rnagen.submission.slots import SlotTable, read_slots, round_robin
from rnagen.submission.sources import Place, places_of, read_source, rows_of_place
from rnagen.submission.table import SLOTS, parse_submission, read_submission, submission_text

ALONE = "checked alone: rows missing at the ends of a target cannot be seen, nor a target; give --sequences or --sample"


def submit(config: SubmitConfig) -> Submission:
    """Build a submission, or check the one of `config.check`. Nothing is written where there is a problem.

    Raises:
        InputError: a source, or the table of sequences or of the sample, cannot be read; no target.
        ConfigError: options that cannot be combined, or a slot table that cannot be used.
        OSError: the folder cannot be written or the disk is full.
    """
    if config.check is not None:
        if config.sources or config.slots:
            raise ConfigError("check: takes neither sources nor slots; leave them, or leave --check")
        targets = rows_of(config)
        notes = [ALONE] if targets is None else []
        return Submission(config.check, notes=notes, problems=check_file(config.check, targets))
    places = places_of(config.sources)
    names = [place.name for place in places]
    table = read_slots(config.slots, names) if config.slots else round_robin(names)
    _refuse_place(config.out)
    targets = rows_of(config, places)
    if not targets:
        raise ConfigError("sources: have no table of rows; give --sequences or --sample")
    sources, notes = _read(places, targets)
    notes += [note for source in sources for note in source.notes]
    if not sources:
        raise InputError(places[0].path, None, notes[0])
    chosen, more = _fill(targets, table, sources, names)
    notes += more
    found = Submission(config.out, targets, chosen, notes, _lacking(targets, chosen))
    if found.problems:
        return found
    text = submission_text(targets, {name: np.stack([one.xyz for one in own]) for name, own in chosen.items()})
    found.problems.extend(check_submission(parse_submission(text, config.out), targets))
    if not found.problems:
        write_text(config.out, text)
        write_record(config.out, sources, chosen, notes)
    return found


def check_file(path: Path, targets: Sequence[TargetRows] | None = None) -> list[Problem]:
    """All problems of a file, against the rows that it must have where they are given.

    Raises:
        InputError: there is no such file.
    """
    if not path.is_file():
        raise InputError(path, None, "no such file")
    try:
        table = read_submission(path)
    except InputError as error:
        columns = [problem for problem in _columns(path) if problem.kind == "missing column"]
        return columns or [Problem("unreadable", error.reason, "write it as a CSV table in UTF-8")]
    return check_submission(table, targets)


def _columns(path: Path) -> list[Problem]:
    """What is wrong with the columns of a table that has too few for the other checks."""
    from rnagen.io.tables import read_table

    try:
        return check_columns(list(read_table(path).column))
    except InputError:
        return []


def rows_of(config: SubmitConfig, places: Sequence[Place] = ()) -> list[TargetRows] | None:
    """The rows that a submission must have: of the options, else of the first source that has rows; None without.

    Raises:
        InputError: the table cannot be read.
        ConfigError: both options.
    """
    if config.sequences and config.sample:
        raise ConfigError("sample: gives the rows, as --sequences does; leave one of them")
    if config.sequences:
        return rows_of_sequences(config.sequences)
    if config.sample:
        return rows_of_sample(config.sample)
    return next(filter(None, map(rows_of_place, places)), None)


def _refuse_place(out: Path) -> None:
    """A table in the folder of a run would pass for that run's own."""
    if (out.parent / RUN).is_file():
        raise ConfigError(f"out: {out.parent} is the folder of a run; choose another place")
    if out.name.removesuffix(".gz") == out.name.removesuffix(".gz").removesuffix(".csv"):
        raise ConfigError(f"out: {out.name}: a submission is a .csv, or a .csv.gz")


def _read(places: Sequence[Place], targets: Sequence[TargetRows]) -> tuple[list[Source], list[str]]:
    """The sources that can be used, and a note for each other."""
    sources, notes = [], []
    for place in places:
        try:
            sources.append(read_source(place, targets))
        except InputError as error:
            notes.append(f"{place.name}: not used: {error.reason}")
    return sources, notes


def _fill(
    targets: Sequence[TargetRows], table: SlotTable, sources: Sequence[Source], names: Sequence[str]
) -> tuple[dict[str, list[Candidate]], list[str]]:
    """The conformers of each target by slot, and what differs from the slot table. A source that could not be read
    stays in the order of the sources, with nothing in it."""
    read = {source.name: source for source in sources}
    everyone = [read.get(name, Source(name, "")) for name in names]
    chosen: dict[str, list[Candidate]] = {}
    notes: list[str] = []
    with progress_bar("filling", len(targets)) as advance:
        for target in targets:
            filled = fill(target.name, table.sources_for(len(target)), everyone)
            chosen[target.name] = filled.candidates
            notes += filled.notes
            advance(1, target.name)
    return chosen, notes


def _lacking(targets: Sequence[TargetRows], chosen: dict[str, list[Candidate]]) -> list[Problem]:
    """A problem for each target, or slot, for which no source has a whole conformer."""
    found = []
    for target in targets:
        count = len(chosen[target.name])
        if not count:
            reason = "no source has a whole conformer of it"
            found.append(Problem("missing target", reason, "sample it, or add a source", target.name))
        for slot in range(count + 1, SLOTS + 1) if count else ():
            reason = f"the sources have {count} whole conformers together"
            found.append(Problem("missing conformer", reason, "sample more, or add a source", target.name, slot=slot))
    return found
