"""Tables of the Stanford RNA 3D Folding competition: sequences are read, labels and submissions written."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from rnagen.errors import InputError
from rnagen.io.files import write_parts
from rnagen.io.labels import ATOM
from rnagen.io.tables import read_table
from rnagen.io.write import PDB_RANGE
from rnagen.structure import RNAStructure

_NOT_GIVEN = {"nan", "NaN", "NA", "<NA>", "None", "null"}
"""What pandas writes for a missing sequence; read as letters, some of these would be RNA."""


@dataclass(frozen=True)
class SequenceRecord:
    """One row of a table of sequences, the sequence as written there."""

    name: str
    sequence: str
    temporal_cutoff: str = ""
    """As written there, in this column or in `release_date`: the date from which on nothing may be used for this
    target. Empty when the table has none."""
    description: str = ""
    fault: str = ""
    """Why the row cannot be used; empty for nothing."""
    line: int = field(default=0, compare=False)
    """Of the file, from 1; 0 where it is not known."""


def read_sequences(path: str | Path) -> list[SequenceRecord]:
    """Rows of a `train_sequences.csv`, `validation_sequences.csv` or `test_sequences.csv`, in their order.

    A split of rnagen, whose names stand in a column `id`, is read too, and a table of profiles (`sequence_id`).

    Raises:
        InputError: unreadable or empty file, no `target_id` or `sequence` column, no row.
    """
    table = read_table(Path(path))
    names = next((name for name in ("target_id", "sequence_id", "id") if name in table.column), "target_id")
    table.require((names, "sequence"))
    return [
        SequenceRecord(
            table.cell(row, names),
            "" if table.cell(row, "sequence") in _NOT_GIVEN else table.cell(row, "sequence"),
            table.cell(row, "temporal_cutoff") or table.cell(row, "release_date"),
            " ".join(table.cell(row, "description").split()),
            table.fault(row),
            line,
        )
        for row, line in zip(table.records, table.lines)
    ]


def write_submission(path: str | Path, structures: Iterable[RNAStructure], n: int = 5) -> None:
    """Write the first `n` models of each structure as a submission table, in the order given, whole or not at all. The
    structures are taken one by one, so that they need not all be in memory.

    Raises:
        InputError: a structure with fewer than `n` models, without C1', with a missing residue, with coordinates that
            are not finite or that the PDB format cannot hold; two structures of one name.
    """
    path = Path(path)
    _write_table(path, _submitted(path, structures, n), n)


def _submitted(path: Path, structures: Iterable[RNAStructure], n: int) -> Iterator[RNAStructure]:
    """The structures, each after it was found to have what a submission needs."""
    for structure in structures:
        if structure.num_models < n:
            raise InputError(path, structure.name, f"{structure.num_models} models, {n} are needed")
        _, resolved = _c1_atoms(path, structure)
        if not resolved[:n].all():
            model, residue = np.argwhere(~resolved[:n])[0]
            raise InputError(
                path, structure.name, f"residue {structure.residue_index[residue]} of model {model + 1} has no C1'"
            )
        yield structure


def write_labels(path: str | Path, structures: Sequence[RNAStructure]) -> None:
    """Write all models of each structure as a table of labels (missing coordinates empty).

    Raises:
        InputError: as `write_submission`, but for missing residues.
    """
    _write_table(Path(path), structures, max((structure.num_models for structure in structures), default=1))


def _write_table(path: Path, structures: Iterable[RNAStructure], n: int) -> None:
    write_parts(path, _parts(path, structures, n))


def _parts(path: Path, structures: Iterable[RNAStructure], n: int) -> Iterator[str]:
    """The head of a table, then the rows of each structure."""
    buffer, names = io.StringIO(), set[str]()
    table = csv.writer(buffer, lineterminator="\n")
    table.writerow(["ID", "resname", "resid", *(f"{axis}_{k}" for k in range(1, n + 1) for axis in "xyz")])
    for structure in structures:
        if structure.name in names:
            raise InputError(path, structure.name, "two structures have this name")
        names.add(structure.name)
        coords, resolved = _c1_atoms(path, structure)
        for i, (base, number) in enumerate(zip(structure.sequence, structure.residue_index)):
            cells: list[str] = []
            for k in range(n):
                is_given = k < structure.num_models and resolved[k, i]
                cells += [f"{value:.3f}" for value in coords[k, i]] if is_given else [""] * 3
            table.writerow([f"{structure.name}_{number}", base, int(number), *cells])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    # The head of a table without structures.
    yield buffer.getvalue()


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
