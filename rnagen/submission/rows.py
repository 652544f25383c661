"""The rows that a submission must have, in their order: out of sequences, or out of a sample submission."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rnagen.errors import InputError
from rnagen.io.kaggle import read_sequences
from rnagen.io.labels import ATOM
from rnagen.io.residues import clean_sequence
from rnagen.io.tables import Table, read_table
from rnagen.strands import SEPARATOR
from rnagen.structure import RNAStructure

MOST_DIGITS = 9
"""Of a residue number."""


@dataclass(frozen=True)
class TargetRows:
    """The rows of one target: as many as it has residues, those of all its chains one after the other."""

    name: str
    sequence: str
    """Over ACGUN, length L."""
    ids: tuple[str, ...]
    resnames: tuple[str, ...]
    """As the table has them."""
    resids: tuple[str, ...]

    def __len__(self) -> int:
        """Number of residues L."""
        return len(self.ids)

    @classmethod
    def of_sequence(cls, name: str, sequence: str) -> "TargetRows":
        """Rows of a sequence over ACGUN, numbered from 1 through all its strands, between which `&` may stand."""
        sequence = sequence.replace(SEPARATOR, "")
        numbers = tuple(str(number) for number in range(1, len(sequence) + 1))
        return cls(name, sequence, tuple(f"{name}_{number}" for number in numbers), tuple(sequence), numbers)

    @property
    def structure(self) -> RNAStructure:
        """A structure of these residues, all C1' atoms at the origin: what a prediction is paired with."""
        shape = (1, len(self), 1)
        numbers = np.array([int(number) for number in self.resids], dtype=np.int32)
        return RNAStructure(
            self.name, self.sequence, np.zeros((*shape, 3), np.float32), np.ones(shape, bool), (ATOM,), numbers
        )


def rows_of_sequences(path: Path) -> list[TargetRows]:
    """Rows for a table of sequences (target_id, sequence).

    Raises:
        InputError: the table cannot be read, or has a row that cannot be used, or a target twice.
    """
    found: dict[str, TargetRows] = {}
    for record in read_sequences(path):
        try:
            sequence, _ = clean_sequence(record.sequence.replace(SEPARATOR, ""))
        except ValueError as error:
            raise InputError(path, record.name, record.fault or str(error)) from None
        if record.fault or record.name in found:
            raise InputError(path, record.name, record.fault or "a second row of this target")
        found[record.name] = TargetRows.of_sequence(record.name, sequence)
    return list(found.values())


def rows_of_sample(path: Path) -> list[TargetRows]:
    """Rows of a sample submission, or of any submission, as they stand in it.

    Raises:
        InputError: the table cannot be read, has an ID twice or without a number, or rows of a target that are not
            together.
    """
    table = read_table(path)
    table.require(("ID", "resname", "resid"))
    rows: dict[str, list[list[str]]] = {}
    seen: set[str] = set()
    last = ""
    for row in table.records:
        identifier = table.cell(row, "ID")
        name, number = split_id(identifier)
        digits = number.removeprefix("-")
        is_number = digits.isdecimal() and len(digits) <= MOST_DIGITS
        if not name or not is_number or number != table.cell(row, "resid"):
            raise InputError(path, identifier, "the ID must be the target, _ and the residue number of the row")
        if identifier in seen:
            raise InputError(path, identifier, "a second row of this ID")
        if name != last and name in rows:
            raise InputError(path, identifier, f"the rows of {name} are not together")
        seen.add(identifier)
        rows.setdefault(name, []).append(row)
        last = name
    return [_target(path, table, name, own) for name, own in rows.items()]


def _target(path: Path, table: Table, name: str, rows: Sequence[list[str]]) -> TargetRows:
    ids, resnames, resids = (tuple(table.cell(row, column) for row in rows) for column in ("ID", "resname", "resid"))
    return TargetRows(name, "".join(base_of(path, *pair) for pair in zip(ids, resnames)), ids, resnames, resids)


def base_of(path: Path, identifier: str, resname: str) -> str:
    """The base, one of ACGUN, of a residue name.

    Raises:
        InputError: it is not one residue.
    """
    try:
        base, _ = clean_sequence(resname)
    except ValueError:
        base = ""
    if len(base) != 1:
        raise InputError(path, identifier, f"residue name {resname[:20]!r} is not a nucleotide")
    return base


def split_id(identifier: str) -> tuple[str, str]:
    """Target and residue number of an ID; both are empty where it has no `_`."""
    name, _, number = identifier.rpartition("_")
    return (name, number) if "_" in identifier else ("", "")
