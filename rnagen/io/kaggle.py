"""Tables of the Stanford RNA 3D Folding competition: sequences, labels and submissions, read and written."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from rnagen.errors import InputError
from rnagen.io.files import read_text, write_text
from rnagen.io.residues import clean_sequence
from rnagen.io.write import PDB_RANGE
from rnagen.structure import RNAStructure

ATOM = "C1'"
"""The one atom of these tables."""
MISSING_BELOW = -1e6
"""Coordinates under this are missing: the tables of references mark them with -1e18."""

_ENTRY = re.compile(r"([0-9][A-Za-z0-9]{3})_(\w+)")


@dataclass(frozen=True)
class SequenceRecord:
    """One row of a table of sequences, the sequence as written there."""

    name: str
    sequence: str
    temporal_cutoff: str = ""
    """ISO date; nothing released on or after it may be used for this target. Empty when the table has none."""
    description: str = ""


def read_sequences(path: str | Path) -> list[SequenceRecord]:
    """Rows of a `train_sequences.csv`, `validation_sequences.csv` or `test_sequences.csv`, in their order.

    A split of rnagen, whose names stand in a column `id`, is read too, and a table of profiles (`sequence_id`).

    Raises:
        InputError: unreadable or empty file, no `target_id` or `sequence` column, no row, a row cut short.
    """
    path = Path(path)
    header, rows = _read_table(path)
    names = next((name for name in ("target_id", "sequence_id", "id") if name in header), "target_id")
    column = _columns(path, header, (names, "sequence"))
    optional = {name: column[name] for name in ("temporal_cutoff", "description") if name in column}
    return [
        SequenceRecord(
            row[column[names]].strip(),
            row[column["sequence"]].strip(),
            **{name: " ".join(row[c].split()) for name, c in optional.items()},
        )
        for row in rows
    ]


def read_labels(path: str | Path) -> list[RNAStructure]:
    """Structures of a table of labels or a submission: C1' only, all conformers as models, in the table's order.

    The columns are ID, resname, resid, x_1, y_1, z_1 … x_k, y_k, z_k. A coordinate that is empty, NaN or under -1e6 is
    missing. Rows of a target are sorted by residue number, which becomes the residue index. Conformers without any
    residue are dropped, unless all are: then one model, fully masked, remains. Target ids like `1A60_A` give entry
    and chain.

    Raises:
        InputError: unreadable or empty file, columns or values that do not fit, a residue given twice.
    """
    path = Path(path)
    header, rows = _read_table(path)
    column = _columns(path, header, ("ID", "resname", "resid", "x_1", "y_1", "z_1"))
    count = 1
    while f"x_{count + 1}" in column:
        count += 1
    needed = [f"{axis}_{k + 1}" for k in range(count) for axis in "xyz"]
    _columns(path, header, needed)
    order = [column[name] for name in needed]
    targets: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        target, separator, _ = row[column["ID"]].rpartition("_")
        if not (separator and target):
            raise InputError(
                path, row[column["ID"]] or f"row {i + 1}", "is not an ID (target id, _ and residue number)"
            )
        targets.setdefault(target, []).append(i)
    values = _to_numbers(path, [row[column["ID"]] for row in rows], [[row[c] for c in order] for row in rows])
    values = values.reshape(len(rows), count, 3)
    structures = []
    for target, members in targets.items():
        residues = _residue_numbers(path, target, [rows[i][column["resid"]] for i in members])
        letters = _residue_letters(path, target, [rows[i][column["resname"]] for i in members])
        order_in_chain = np.argsort(residues, kind="stable")
        xyz = values[np.array(members)[order_in_chain]].transpose(1, 0, 2)
        structures.append(_structure(target, [letters[i] for i in order_in_chain], residues[order_in_chain], xyz))
    return structures


def write_submission(path: str | Path, structures: Sequence[RNAStructure], n: int = 5) -> None:
    """Write the first `n` models of each structure as a submission table, in the order given, whole or not at all.

    Raises:
        InputError: a structure with fewer than `n` models, without C1', with a missing residue, with coordinates that
            are not finite or that the PDB format cannot hold; two structures of one name.
    """
    path = Path(path)
    for structure in structures:
        if structure.num_models < n:
            raise InputError(path, structure.name, f"{structure.num_models} models, {n} are needed")
        _, resolved = _c1_atoms(path, structure)
        if not resolved[:n].all():
            model, residue = np.argwhere(~resolved[:n])[0]
            raise InputError(
                path, structure.name, f"residue {structure.residue_index[residue]} of model {model + 1} has no C1'"
            )
    _write_table(path, structures, n)


def write_labels(path: str | Path, structures: Sequence[RNAStructure]) -> None:
    """Write all models of each structure as a table of labels (missing coordinates empty).

    Raises:
        InputError: as `write_submission`, but for missing residues.
    """
    _write_table(Path(path), structures, max((structure.num_models for structure in structures), default=1))


def _write_table(path: Path, structures: Sequence[RNAStructure], n: int) -> None:
    for name, count in Counter(structure.name for structure in structures).items():
        if count > 1:
            raise InputError(path, name, "two structures have this name")
    buffer = io.StringIO()
    table = csv.writer(buffer, lineterminator="\n")
    table.writerow(["ID", "resname", "resid", *(f"{axis}_{k}" for k in range(1, n + 1) for axis in "xyz")])
    for structure in structures:
        coords, resolved = _c1_atoms(path, structure)
        for i, (base, number) in enumerate(zip(structure.sequence, structure.residue_index)):
            cells: list[str] = []
            for k in range(n):
                is_given = k < structure.num_models and resolved[k, i]
                cells += [f"{value:.3f}" for value in coords[k, i]] if is_given else [""] * 3
            table.writerow([f"{structure.name}_{number}", base, int(number), *cells])
    write_text(path, buffer.getvalue())


def _c1_atoms(path: Path, structure: RNAStructure) -> tuple[np.ndarray, np.ndarray]:
    """C1' coordinates [M, L, 3] and mask [M, L], checked."""
    if ATOM not in structure.atoms:
        raise InputError(path, structure.name, "no C1' atoms")
    column = structure.atoms.index(ATOM)
    coords, resolved = structure.coords[:, :, column], structure.mask[:, :, column]
    bad = resolved & ~((coords >= PDB_RANGE[0]) & (coords <= PDB_RANGE[1])).all(axis=-1)
    if bad.any():
        model, residue = np.argwhere(bad)[0]
        where = f"residue {structure.residue_index[residue]} of model {model + 1}"
        reason = "within the range of the PDB format" if np.isfinite(coords[model, residue]).all() else "finite"
        raise InputError(path, structure.name, f"coordinates of {where} are not {reason}")
    return coords, resolved


def _read_table(path: Path) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a CSV file; quoted fields may span lines."""
    text = read_text(path)
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if any(map(str.strip, row))]
    except csv.Error as error:
        raise InputError(path, None, f"not a CSV table ({error})") from error
    header = [name.strip() for name in rows[0]] if rows else []
    if len(rows) < 2:
        raise InputError(path, None, "has no record")
    for number, row in enumerate(rows[1:], start=1):
        if len(row) != len(header):
            raise InputError(path, row[0] or f"row {number}", f"{len(row)} fields under {len(header)} columns")
    return header, rows[1:]


def _columns(path: Path, header: Sequence[str], needed: Iterable[str]) -> dict[str, int]:
    """Column name -> its place; the names needed are all there."""
    column = {name: i for i, name in enumerate(header)}
    missing = [name for name in needed if name not in column]
    if missing:
        raise InputError(path, None, f"has no column {', '.join(missing)}")
    return column


def _to_numbers(path: Path, names: list[str], cells: list[list[str]]) -> Float64[np.ndarray, "rows columns"]:
    """Coordinates; empty cells are NaN."""
    try:
        return np.array([[float(cell) if cell else np.nan for cell in row] for row in cells])
    except ValueError:
        for name, row in zip(names, cells):
            for cell in row:
                try:
                    float(cell or "nan")
                except ValueError:
                    raise InputError(path, name, f"{cell!r} is not a coordinate") from None
        raise


def _residue_numbers(path: Path, target: str, cells: list[str]) -> np.ndarray:
    try:
        numbers = np.array([int(cell) for cell in cells], dtype=np.int32)
    except ValueError as error:
        raise InputError(path, target, f"residue numbers must be integers ({error})") from error
    values, counts = np.unique(numbers, return_counts=True)
    if (counts > 1).any():
        raise InputError(path, target, f"residue {values[counts > 1][0]} is given twice")
    return numbers


def _residue_letters(path: Path, target: str, cells: list[str]) -> list[str]:
    letters = []
    for cell in cells:
        try:
            letter, _ = clean_sequence(cell)
        except ValueError as error:
            raise InputError(path, target, f"residue name {cell!r}: {error}") from None
        if len(letter) != 1:
            raise InputError(path, target, f"residue name {cell!r} is not one letter")
        letters.append(letter)
    return letters


def _structure(target: str, letters: list[str], residues: np.ndarray, xyz: np.ndarray) -> RNAStructure:
    """Structure from values [M, L, 3] with missing ones still in place."""
    with np.errstate(invalid="ignore"):
        mask = (np.isfinite(xyz) & (xyz > MISSING_BELOW)).all(axis=-1)
    used = mask.any(axis=1)
    if not used.any():
        used[0] = True
    coords = np.where(mask[..., None], xyz, 0.0)[used].astype(np.float32)
    match = _ENTRY.fullmatch(target)
    return RNAStructure(
        name=target,
        sequence="".join(letters),
        coords=coords[:, :, None],
        mask=mask[used][:, :, None],
        atoms=(ATOM,),
        residue_index=residues,
        entry=match[1].lower() if match else "",
        chain=match[2] if match else "",
    )
