"""A submission as a table of cells and numbers: read from a file or a text, and written."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float

from rnagen.io.tables import Table, parse_table, read_table
from rnagen.submission.rows import TargetRows

SLOTS = 5
"""Conformers of each target."""
NAMES = ("ID", "resname", "resid")


def columns_of(slots: int = SLOTS) -> list[str]:
    """All columns, in their order."""
    return [*NAMES, *(f"{axis}_{k}" for k in range(1, slots + 1) for axis in "xyz")]


@dataclass(frozen=True)
class SubmissionTable:
    """Any table of coordinates by residue; its rows may be in any order and lack anything."""

    table: Table
    ids: list[str]
    xyz: Float[np.ndarray, "N K 3"]
    """Coordinates in Å of K conformers; NaN where a cell or its column is missing, or not a number."""

    @cached_property
    def rows(self) -> dict[str, int]:
        """Place of the first row of each ID."""
        found: dict[str, int] = {}
        for place, identifier in enumerate(self.ids):
            found.setdefault(identifier, place)
        return found

    def of(self, target: TargetRows) -> Float[np.ndarray, "K L 3"]:
        """The conformers of a target; NaN where a row is missing."""
        places = np.array([self.rows.get(identifier, -1) for identifier in target.ids])
        found = self.xyz[places]
        found[places < 0] = np.nan
        return found.transpose(1, 0, 2)

    def cell(self, place: int, name: str) -> str:
        """A cell as it is written, by row and column."""
        return self.table.cell(self.table.rows[place], name)


def read_submission(path: Path) -> SubmissionTable:
    """A table of a file, gzipped or not.

    Raises:
        InputError: it cannot be read, is empty or has no column ID, x_1, y_1 or z_1.
    """
    return _with_numbers(read_table(path))


def parse_submission(text: str, path: Path) -> SubmissionTable:
    """The table of a text that is to become a file; see `read_submission`."""
    return _with_numbers(parse_table(text, path))


def _with_numbers(table: Table) -> SubmissionTable:
    table.require(("ID", "x_1", "y_1", "z_1"))
    count = 1
    while any(f"{axis}_{count + 1}" in table.column for axis in "xyz"):
        count += 1
    names = columns_of(count)[len(NAMES) :]
    ids = [table.cell(row, "ID") for row in table.records]
    numbers = [_number(table.cell(row, name)) for row in table.rows for name in names]
    return SubmissionTable(table, ids, np.array(numbers, dtype=np.float64).reshape(len(ids), count, 3))


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return np.nan


def submission_text(targets: Sequence[TargetRows], chosen: Mapping[str, Float[np.ndarray, "K L 3"]]) -> str:
    """The text of a submission: targets and their rows in the order given, coordinates in Å with three digits."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns_of())
    for target in targets:
        by_residue = chosen[target.name].transpose(1, 0, 2).reshape(len(target), -1)
        for names, xyz in zip(zip(target.ids, target.resnames, target.resids), by_residue.tolist()):
            writer.writerow([*names, *(f"{value:.3f}" for value in xyz)])
    return buffer.getvalue()
