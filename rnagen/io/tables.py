"""Tables in CSV files: quoted fields may span lines, columns are found by name."""

import csv
import io
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from rnagen.errors import InputError
from rnagen.io.files import read_text
from rnagen.messages import one_line

MOST_ROWS = 20_000_000
"""Of a table; the largest of the competition has 10 million. A cell of a byte takes 50 of memory."""


@dataclass(frozen=True)
class Table:
    """Header and rows of a table; a row may have another number of cells than the header: see `fault`."""

    path: Path
    column: dict[str, int]
    """Place of each column by its name."""
    rows: list[list[str]]
    separator: str = ","
    """What stands between two cells."""
    lines: Sequence[int] = ()
    """The line of the file at which each row ends, from 1."""

    @property
    def records(self) -> list[list[str]]:
        """The rows, of which there must be one.

        Raises:
            InputError: there is none.
        """
        if not self.rows:
            raise InputError(self.path, None, "has no record")
        return self.rows

    def require(self, names: Iterable[str]) -> None:
        """Raise unless the table has these columns.

        Raises:
            InputError: it names the columns that are missing.
        """
        missing = [name for name in names if name not in self.column]
        if missing:
            header = one_line(", ".join(self.column), 80)
            raise InputError(self.path, None, f"has no column {', '.join(missing)} (its header: {header})")

    def fault(self, row: list[str]) -> str:
        """What is wrong with the shape of a row; empty for nothing."""
        width = len(self.column)
        return "" if len(row) == width else f"{len(row)} fields under {width} columns"

    def cell(self, row: list[str], name: str) -> str:
        """A cell without white space around it; empty where table or row have none."""
        place = self.column.get(name)
        return row[place].strip() if place is not None and place < len(row) else ""


def read_table(path: Path) -> Table:
    """The table of a CSV file, whose cells commas, semicolons or tabs separate; rows without content are left out.

    Raises:
        InputError: the file cannot be read, is not CSV, names a column twice, or has more than `MOST_ROWS` rows.
    """
    return parse_table(read_text(path), path)


def parse_table(text: str, path: Path) -> Table:
    """The table of a text, which is or becomes the file named; see `read_table`."""
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    separator = _separator(text)
    lines, rows = array("L"), list[list[str]]()
    try:
        found = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        for row in islice(found, MOST_ROWS + 1):
            if any(map(str.strip, row)):
                rows.append(row)
                lines.append(found.line_num)
    except csv.Error as error:
        begins = lines[-1] + 1 if lines else 1
        reason = f"not a CSV table ({error}; in the row that begins in line {begins}: does a quote stay open there?)"
        raise InputError(path, None, reason) from error
    if not rows:
        raise InputError(path, None, "has no record")
    if next(found, None) is not None:
        raise InputError(path, None, f"has more than {MOST_ROWS:,} rows: split it into several files")
    header = [name.strip() for name in rows[0]]
    column = {name: i for i, name in enumerate(header)}
    if len(column) < len(header):
        twice = next(name for i, name in enumerate(header) if column[name] != i)
        raise InputError(path, None, f"has two columns {twice!r}")
    return Table(path, column, rows[1:], separator, lines[1:])


def _separator(text: str) -> str:
    """What separates the names of the columns: most often a comma."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    return max(",;\t", key=header.count)
