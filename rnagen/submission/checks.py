"""Everything that can be wrong with a submission, found before it is written or in any file."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from rnagen.io.tables import Table
from rnagen.messages import number_of, quoted
from rnagen.submission.conformer import MARK, Fault, faults_of
from rnagen.submission.problems import Problem
from rnagen.submission.rows import MOST_DIGITS, TargetRows, split_id
from rnagen.submission.table import SLOTS, SubmissionTable, columns_of

CELL = {"": "is empty", "nan": "is NaN"}
"""What is wrong with a cell, in lower case."""
BASES = tuple("ACGUN")
SEPARATORS = {";": "semicolons", "\t": "tabs"}


def check_columns(columns: Sequence[str]) -> list[Problem]:
    """Columns that are missing, unknown or in another order."""
    wanted = columns_of()
    missing = [name for name in wanted if name not in columns]
    extra = [name for name in columns if name not in wanted]
    named = f"the columns are ID, resname, resid, x_1, y_1, z_1 … z_{SLOTS}"
    found = [Problem("missing column", f"no column {name}", f"add it: {named}") for name in missing]
    found += [Problem("unknown column", f"a column {quoted(name)}", f"remove it: {named}") for name in extra]
    if not found and list(columns) != wanted:
        place = next(k for k, (a, b) in enumerate(zip(columns, wanted)) if a != b)
        reason = f"column {place + 1} is {columns[place]}, not {wanted[place]}"
        found.append(Problem("order of columns", reason, f"reorder: {named}"))
    return found


def check_submission(table: SubmissionTable, targets: Sequence[TargetRows] | None) -> list[Problem]:
    """All problems of a table.

    Args:
        table: to check.
        targets: the rows that it must have, in their order; None: those that it has, as far as they fit each other.
    """
    found = [*_separator(table.table), *check_columns(list(table.table.column))]
    for place, row in enumerate(table.table.rows):
        if fault := table.table.fault(row):
            name, number = split_id(table.ids[place])
            found.append(Problem("fields", fault, "write one field for each column", name, number))
    found += _duplicates(table)
    found += _unreadable(table, targets or ())
    if targets is None:
        targets = _targets_of(table)
        found += _gaps(targets)
    else:
        found += _unknown(table, targets)
        found += _missing(table, targets)
    if not any(problem.kind in ("missing row", "unknown row", "duplicate ID", "ID") for problem in found):
        found += _order(table, targets)
    for target in targets:
        found += _names(table, target)
        found += _coordinates(table, target)
    return found


def _duplicates(table: SubmissionTable) -> Iterator[Problem]:
    for identifier, count in Counter(table.ids).items():
        if count > 1:
            name, number = split_id(identifier)
            yield Problem(
                "duplicate ID", f"{identifier} has {number_of(count, 'row')}", "leave one of them", name, number
            )


def _separator(table: Table) -> Iterator[Problem]:
    if table.separator in SEPARATORS:
        reason = f"{SEPARATORS[table.separator]} separate the columns"
        yield Problem("separator", reason, "separate them by commas, and write decimal points")


def _is_readable(identifier: str) -> bool:
    name, number = split_id(identifier)
    return bool(name) and number.isdecimal() and len(number) <= MOST_DIGITS


def _unreadable(table: SubmissionTable, targets: Sequence[TargetRows]) -> Iterator[Problem]:
    wanted = {identifier for target in targets for identifier in target.ids}
    for identifier in table.ids:
        if identifier not in wanted and not _is_readable(identifier):
            remedy = "write the target, _ and the residue number"
            reason = f"{quoted(identifier)} is not an ID: expected target_number"
            yield Problem("ID", reason, remedy, split_id(identifier)[0])


def _targets_of(table: SubmissionTable) -> list[TargetRows]:
    """The rows of a table as what it must have, those of a target together and by number."""
    numbers: dict[str, dict[int, str]] = {}
    for identifier in table.ids:
        if _is_readable(identifier):
            name, number = split_id(identifier)
            numbers.setdefault(name, {})[int(number)] = identifier
    found = []
    for name, own in numbers.items():
        order = sorted(own)
        ids = tuple(own[number] for number in order)
        found.append(TargetRows(name, "N" * len(ids), ids, ("",) * len(ids), tuple(map(str, order))))
    return found


def _gaps(targets: Sequence[TargetRows]) -> Iterator[Problem]:
    """A problem for each gap in the numbers of a target."""
    remedy = "add the rows; --sequences or --sample tell which there must be"
    for target in targets:
        numbers = [int(number) for number in target.resids]
        for before, after in pairwise(numbers):
            if after > before + 1:
                lacking = str(before + 1) if after == before + 2 else f"{before + 1} to {after - 1}"
                reason = f"no row of residue {lacking}, between {before} and {after}"
                yield Problem("gap in the numbers", reason, remedy, target.name)


def _unknown(table: SubmissionTable, targets: Sequence[TargetRows]) -> Iterator[Problem]:
    wanted = {identifier for target in targets for identifier in target.ids}
    lengths = {target.name: len(target) for target in targets}
    for identifier in dict.fromkeys(table.ids):
        if identifier in wanted or not _is_readable(identifier):
            continue
        name, number = split_id(identifier)
        known = name in lengths
        reason = f"the target has no such residue (of {lengths[name]})" if known else "no such target"
        yield Problem("unknown row", f"{quoted(identifier)}: {reason}", "remove the row", name, number)


def _missing(table: SubmissionTable, targets: Sequence[TargetRows]) -> Iterator[Problem]:
    for target in targets:
        lacking = [k for k, identifier in enumerate(target.ids) if identifier not in table.rows]
        if len(lacking) == len(target):
            yield Problem(
                "missing target",
                f"has none of its {number_of(len(target), 'row')}",
                "predict it, or add it",
                target.name,
            )
            continue
        for k in lacking:
            yield Problem("missing row", f"no row {target.ids[k]}", "add the row", target.name, target.resids[k])


def _order(table: SubmissionTable, targets: Sequence[TargetRows]) -> Iterator[Problem]:
    """The first row that is out of place; the others follow from it."""
    wanted = [identifier for target in targets for identifier in target.ids if identifier in table.rows]
    for identifier, expected in zip(table.ids, wanted):
        if identifier != expected:
            name, number = split_id(identifier)
            remedy = "sort the rows as the sample submission has them"
            yield Problem("order of rows", f"{identifier} stands where {expected} belongs", remedy, name, number)
            return


def _names(table: SubmissionTable, target: TargetRows) -> Iterator[Problem]:
    for identifier, wanted, number in zip(target.ids, target.resnames, target.resids):
        if identifier not in table.rows:
            continue
        place = table.rows[identifier]
        resname, resid = (
            table.cell(place, column) if column in table.table.column else None for column in ("resname", "resid")
        )
        # A missing column is one problem, of the columns.
        if resname is None:
            pass
        elif wanted and resname != wanted:
            reason = f"residue name {quoted(resname)}, the sequence has {wanted}"
            yield Problem("residue name", reason, "give the base of the sequence", target.name, number)
        elif not wanted and resname not in BASES:
            reason = f"residue name {quoted(resname)}"
            yield Problem("residue name", reason, "give one base: A, C, G or U", target.name, number)
        if resid is not None and resid != number:
            reason = f"resid {quoted(resid)} under the ID {identifier}"
            yield Problem("residue number", reason, f"write {number}", target.name, number)


def _coordinates(table: SubmissionTable, target: TargetRows) -> Iterator[Problem]:
    present = np.array([identifier in table.rows for identifier in target.ids])
    if not present.any():
        return
    conformers = table.of(target)[:SLOTS]
    rows = np.flatnonzero(present)
    for slot, xyz in enumerate(conformers, start=1):
        # A missing column is one problem, of the columns.
        if not all(f"{axis}_{slot}" in table.table.column for axis in "xyz"):
            continue
        for fault in faults_of(xyz[present]):
            row = None if fault.row is None else int(rows[fault.row])
            yield _problem(table, target, slot, fault, row)


def _problem(table: SubmissionTable, target: TargetRows, slot: int, fault: Fault, row: int | None) -> Problem:
    if row is None:
        return Problem(fault.kind, fault.reason, fault.remedy, target.name, slot=slot)
    reason = fault.reason
    if fault.kind == "missing coordinate":
        place = table.rows[target.ids[row]]
        cells = {f"{axis}_{slot}": table.cell(place, f"{axis}_{slot}") for axis in "xyz"}
        reason = ", ".join(f"{name} {what}" for name, cell in cells.items() if (what := _fault_of_cell(cell)))
    return Problem(fault.kind, reason, fault.remedy, target.name, target.resids[row], slot)


def _fault_of_cell(cell: str) -> str:
    """Why a cell has no coordinate; empty for one that has."""
    if cell.lower() in CELL:
        return CELL[cell.lower()]
    try:
        value = float(cell)
    except ValueError:
        value = np.nan
    if np.isnan(value):
        return f"is {quoted(cell)}, not a number"
    return f"is {cell}, which marks a missing coordinate" if value == MARK else ""
