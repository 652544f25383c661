"""Tables of labels and submissions of the Stanford RNA 3D Folding competition -> structures of C1' atoms."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rnagen.errors import InputError
from rnagen.io.atoms import MAX_NUMBER
from rnagen.io.residues import clean_sequence
from rnagen.io.tables import Table, read_table
from rnagen.strands import lengths_of
from rnagen.structure import RNAStructure, is_possible

ATOM = "C1'"
"""The one atom of these tables."""

_ENTRY = re.compile(r"([0-9][A-Za-z0-9]{3})_(\w+)")
PDB_ID = re.compile(r"[0-9][A-Za-z0-9]{3}")
_NOT_GIVEN = {"", "na", "n/a", "null", "none"}
"""Coordinates that are missing, in lower case; others are NaN, -1e18 and all that no molecule has."""


@dataclass(frozen=True)
class LabelsTable:
    """The structures of a table, and an error for each target that cannot be used."""

    structures: list[RNAStructure]
    failures: list[InputError]
    has_references: bool
    """Whether it has room for several conformers of a target."""


def read_labels(path: str | Path) -> list[RNAStructure]:
    """Structures of a table of labels or a submission; see `read_labels_table`.

    Raises:
        InputError: unreadable or empty file, columns that do not fit, a target that cannot be used.
    """
    found = read_labels_table(path)
    if found.failures:
        raise found.failures[0]
    return found.structures


def read_labels_table(path: str | Path, by_chain: bool = False) -> LabelsTable:
    """Structures of a table of labels or a submission: C1' only, all conformers as models, in the table's order.

    The columns are ID, resname, resid, x_1, y_1, z_1 … x_k, y_k, z_k. A coordinate that is empty, NaN or impossible
    (-1e18, 9999) is missing, and so are those of several residues of a conformer that are all zero. Rows of a target
    are sorted by residue number, which becomes the residue index; a row that repeats another exactly counts once.
    Conformers without any residue are dropped, unless all are: then one model, fully masked, remains. Target ids like
    `1A60_A` give entry and chain.

    The tables of the second competition have columns chain and copy.

    Args:
        path: of the table.
        by_chain: each chain of a target becomes a structure of its own, `<target>_<chain>`, if there are several;
            otherwise they follow each other, as strands.

    Raises:
        InputError: unreadable or empty file, columns that do not fit.
    """
    path = Path(path)
    table = read_table(path)
    conformers = _conformers(table)
    structures: list[RNAStructure] = []
    failures: list[InputError] = []
    for target, rows in _targets(table).items():
        try:
            structures += _structures(table, target, rows, conformers, by_chain)
        except ValueError as error:
            failures.append(InputError(path, target, str(error)))
    return LabelsTable(structures, failures, len(conformers) > 3)


def _conformers(table: Table) -> list[int]:
    """Places of the columns x_1, y_1, z_1, x_2 …"""
    table.require(("ID", "resname", "resid", "x_1", "y_1", "z_1"))
    count = 1
    while f"x_{count + 1}" in table.column:
        count += 1
    names = [f"{axis}_{k + 1}" for k in range(count) for axis in "xyz"]
    table.require(names)
    return [table.column[name] for name in names]


def _targets(table: Table) -> dict[str, list[list[str]]]:
    """Rows by target. A row whose ID cannot be read counts with the target before it, which it makes unusable."""
    targets: dict[str, list[list[str]]] = {}
    target = ""
    for row in table.records:
        name, separator, _ = table.cell(row, "ID").rpartition("_")
        target = name if separator and name else target
        targets.setdefault(target, []).append(row)
    return targets


def _structures(
    table: Table, target: str, rows: list[list[str]], conformers: list[int], by_chain: bool
) -> Iterator[RNAStructure]:
    distinct = list({tuple(row): row for row in rows}.values())
    for row in distinct:
        identifier = table.cell(row, "ID")
        if table.fault(row):
            raise ValueError(f"row {identifier}: {table.fault(row)}")
        if not identifier.rpartition("_")[0]:
            raise ValueError(f"row {identifier!r} is not an ID (target id, _ and residue number)")
    chains: dict[tuple[str, str], list[list[str]]] = {}
    for row in distinct:
        chains.setdefault((table.cell(row, "chain"), table.cell(row, "copy").removesuffix(".0")), []).append(row)
    parts = {key: _part(table, part, conformers) for key, part in chains.items()}
    if not by_chain or len(parts) == 1:
        ((chain, _), *_) = parts
        whole = _structure(target, target, chain if len(parts) == 1 else "", _joined(list(parts.values())))
        yield replace(whole, strands=lengths_of([part.letters for part in parts.values()]))
        return
    for (chain, copy), part in parts.items():
        name = chain if copy in ("", "1") else f"{chain}-{copy}"
        numbers = part.numbers - part.numbers[0] + 1
        yield _structure(f"{target}_{name}", target, name, _Part(part.letters, numbers, part.xyz))


@dataclass(frozen=True)
class _Part:
    """Residues of a chain, sorted by number: letters, numbers [L], positions [M, L, 3] with missing ones in place."""

    letters: str
    numbers: np.ndarray
    xyz: np.ndarray


def _part(table: Table, rows: list[list[str]], conformers: list[int]) -> _Part:
    numbers = np.array([_number(table, row) for row in rows])
    values, counts = np.unique(numbers, return_counts=True)
    if (counts > 1).any():
        raise ValueError(f"residue {values[counts > 1][0]} is given twice, with different values")
    order = np.argsort(numbers)
    ordered = [rows[i] for i in order]
    xyz = np.array([_coordinates(table, row, conformers) for row in ordered])
    letters = "".join(_letter(table, row) for row in ordered)
    return _Part(letters, numbers[order], xyz.reshape(len(rows), -1, 3).transpose(1, 0, 2))


def _joined(parts: list[_Part]) -> _Part:
    numbers = np.concatenate([part.numbers for part in parts])
    if len(np.unique(numbers)) < len(numbers) or (np.diff(numbers) < 1).any():
        numbers = np.arange(1, len(numbers) + 1)
    return _Part("".join(part.letters for part in parts), numbers, np.concatenate([part.xyz for part in parts], axis=1))


def _number(table: Table, row: list[str]) -> int:
    cell = table.cell(row, "resid")
    try:
        number = int(cell) if cell.lstrip("-").isdigit() else int(cell.removesuffix(".0"))
    except ValueError:
        raise ValueError(f"row {table.cell(row, 'ID')}: residue number {cell[:20]!r} is not an integer") from None
    if abs(number) > MAX_NUMBER:
        raise ValueError(f"row {table.cell(row, 'ID')}: residue number {cell} cannot be right")
    return number


def _letter(table: Table, row: list[str]) -> str:
    cell = table.cell(row, "resname")
    where = f"row {table.cell(row, 'ID')}: residue name {cell[:20]!r}"
    try:
        letter, _ = clean_sequence(cell)
    except ValueError:
        raise ValueError(f"{where} is not a nucleotide") from None
    if len(letter) != 1:
        raise ValueError(f"{where} is not one letter")
    return letter


def _coordinates(table: Table, row: list[str], places: list[int]) -> list[float]:
    try:
        return [float(row[place] or "nan") for place in places]
    except ValueError:
        return [_coordinate(table, row, row[place]) for place in places]


def _coordinate(table: Table, row: list[str], cell: str) -> float:
    try:
        return np.nan if cell.strip().lower() in _NOT_GIVEN else float(cell)
    except ValueError:
        raise ValueError(f"row {table.cell(row, 'ID')}: {cell[:40]!r} is not a coordinate") from None


def _structure(name: str, target: str, chain: str, part: _Part) -> RNAStructure:
    with np.errstate(invalid="ignore"):
        possible = is_possible(part.xyz)
    origin = (part.xyz == 0).all(axis=-1)
    mask = np.asarray(possible & ~(origin & (origin.sum(axis=1, keepdims=True) > 1)))
    used = np.asarray(mask.any(axis=1))
    if not used.any():
        used[0] = True
    match = _ENTRY.fullmatch(target)
    if match:
        entry, chain = match[1].lower(), chain if name != target else match[2]
    else:
        entry = target.lower() if chain and PDB_ID.fullmatch(target) else ""
    return RNAStructure(
        name=name,
        sequence=part.letters,
        coords=np.where(mask[..., None], part.xyz, 0.0)[used].astype(np.float32)[:, :, None],
        mask=mask[used][:, :, None],
        atoms=(ATOM,),
        residue_index=part.numbers.astype(np.int32),
        entry=entry,
        chain=chain if entry else "",
    )
