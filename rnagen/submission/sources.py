"""Sources of a submission: run folders, tables in the submission format, structure files named by target."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from rnagen.errors import ConfigError, InputError
from rnagen.evaluation.inputs import RUN, SUBMISSION, read_cutoff, read_predictions
from rnagen.evaluation.layouts import plain
from rnagen.io.files import read_json
from rnagen.io.formats import is_structure_file, stem
from rnagen.messages import one_line
from rnagen.sampling.claim import SUMMARY, read_description
from rnagen.sampling.outputs import OutputFolder
from rnagen.sampling.stored import conformers_of, templates_of
from rnagen.submission.candidates import Candidate, Source
from rnagen.submission.conformer import faults_of
from rnagen.submission.fitting import on_rows
from rnagen.submission.rows import TargetRows, rows_of_sample
from rnagen.submission.table import read_submission


@dataclass(frozen=True)
class Place:
    """Where a source lies, and what it is called in slot tables and in the record."""

    name: str
    path: Path

    @property
    def is_run(self) -> bool:
        """Whether it is the folder of a sampling run."""
        return self.path.is_dir() and (self.path / RUN).is_file()

    @property
    def table(self) -> Path | None:
        """The table in the submission format that it is, or has; None for structure files and runs."""
        if self.is_run or (self.path.is_file() and is_structure_file(self.path)):
            return None
        found = self.path / SUBMISSION if self.path.is_dir() else self.path
        return found if found.is_file() else None


def places_of(sources: Sequence[str | Path]) -> list[Place]:
    """The places of `PATH` or `NAME=PATH`, each with a name of its own: by default that of the file or folder.

    Raises:
        ConfigError: no source, or one name twice.
        InputError: there is nothing at a path.
    """
    found: dict[str, Place] = {}
    for given in map(str, sources):
        name, equals, rest = given.partition("=")
        if not equals or Path(given).exists():
            name, rest = "", given
        path = Path(rest)
        if not path.exists():
            raise InputError(path, None, "no such file or folder")
        chosen = name or (path.resolve().parent.name if path.name == SUBMISSION else stem(path)) or "source"
        if name and name in found:
            raise ConfigError(f"sources: two are called {name}")
        unique, count = chosen, 1
        while unique in found:
            count += 1
            unique = f"{chosen}-{count}"
        found[unique] = Place(unique, path)
    if not found:
        raise ConfigError("sources: give at least one run folder, table or folder of structure files")
    return list(found.values())


def rows_of_place(place: Place) -> list[TargetRows]:
    """The rows that a run or table has itself; empty for structure files.

    Raises:
        InputError: it cannot be read.
    """
    if place.is_run:
        targets = read_description(place.path).get("targets", [])
        return [TargetRows.of_sequence(one["name"], one["sequence"]) for one in targets]
    return rows_of_sample(place.table) if place.table else []


def read_source(place: Place, targets: Sequence[TargetRows]) -> Source:
    """The whole conformers that a source has for the targets; a note for each that cannot be used.

    Raises:
        InputError: the source cannot be read at all, or has nothing for any target.
    """
    source = Source(place.name, str(place.path), read_cutoff(place.path, None))
    if place.is_run:
        _add_run(source, place.path, targets)
    elif place.table:
        _add_table(source, place.table, targets)
    else:
        _add_structures(source, place.path, targets)
    if not source.candidates:
        raise InputError(place.path, None, source.notes[0] if source.notes else "has none of the targets")
    return source


def _add_run(source: Source, folder: Path, targets: Sequence[TargetRows]) -> None:
    described = read_description(folder)
    places = {entry["name"]: entry["folder"] for entry in described.get("targets", [])}
    run = OutputFolder(folder, described["identity"].get("format", "cif"), places)
    for target in targets:
        if target.name not in places:
            continue
        try:
            number = run.conformers(target.name)
            if not number:
                continue
            summary = read_json(run.place(target.name) / SUMMARY)
            chain = run.read_target(target.name, summary["sequence"]).models(range(number))
            _add(source, target, on_rows([chain], target), *_predictions(summary, number))
        except InputError as error:
            source.notes.append(f"{source.name}: {target.name}: {error.reason}")
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            source.notes.append(f"{source.name}: {target.name}: not as rnagen writes it: {one_line(repr(error), 80)}")


def _predictions(summary: dict[str, Any], number: int) -> tuple[list[float | None], list[str]]:
    """Of each conformer of a summary the TM-score that is predicted, and the date of its template."""
    values = [one.get("predicted_tm") for one in conformers_of(summary, "cif")]
    dates = {use["conformer"]: str(use.get("release_date", "")) for use in templates_of(summary)}
    predicted = [None if value is None else float(value) for value in values]
    return predicted, [dates.get(k, "") for k in range(1, number + 1)]


def _add_table(source: Source, path: Path, targets: Sequence[TargetRows]) -> None:
    table = read_submission(path)
    for target in targets:
        own = [(table.rows[one], base) for one, base in zip(target.ids, target.sequence) if one in table.rows]
        if not own:
            continue
        wrong = [place for place, base in own if table.cell(place, "resname").upper().replace("T", "U") != base]
        if "resname" in table.table.column and wrong:
            one = f"{table.ids[wrong[0]]} is {table.cell(wrong[0], 'resname')!r}"
            source.notes.append(f"{source.name}: {target.name}: another sequence ({one}): not used")
            continue
        _add(source, target, table.of(target))


def _add_structures(source: Source, path: Path, targets: Sequence[TargetRows]) -> None:
    loaded = read_predictions(path, {target.name for target in targets})
    by_plain_name = {plain(name): chains for name, chains in loaded.chains.items()}
    failed = {plain(name): reason for name, reason in loaded.failures.items()}
    for target in targets:
        chains = loaded.chains.get(target.name, by_plain_name.get(plain(target.name)))
        if plain(target.name) in failed:
            source.notes.append(f"{source.name}: {target.name}: {failed[plain(target.name)]}")
        if not chains:
            continue
        try:
            _add(source, target, on_rows(chains, target))
        except InputError as error:
            source.notes.append(f"{source.name}: {target.name}: {error.reason}")


def _add(
    source: Source,
    target: TargetRows,
    coords: Float[np.ndarray, "M L 3"],
    predicted: Sequence[float | None] = (),
    dates: Sequence[str] = (),
) -> None:
    """Add the conformers of a target that are whole, and a note for each other."""
    good = []
    for k, xyz in enumerate(coords):
        faults = faults_of(xyz)
        if faults:
            row, reason = faults[0].row, faults[0].reason
            where = "" if row is None else f"residue {target.resids[row]}: "
            source.notes.append(f"{source.name}: {target.name}: conformer {k + 1} is not used: {where}{reason}")
            continue
        known = k < len(predicted)
        good.append(Candidate(source.name, k + 1, xyz, predicted[k] if known else None, dates[k] if known else ""))
    if good:
        source.candidates[target.name] = good
