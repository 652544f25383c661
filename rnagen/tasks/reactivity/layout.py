"""Tables of predicted reactivity in the Ribonanza layout: written whole or not at all, and only when they check out."""

import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float32, Int
from pyarrow import csv, parquet

from rnagen.errors import InputError
from rnagen.tasks.reactivity.table import ReactivityTable

RNAS = 2048
"""RNAs written at a time."""


@dataclass(frozen=True)
class Window:
    """The residues of an RNA that have values: all but the first and last few, where the primers bind."""

    skip_start: int = 0
    skip_end: int = 0

    def observed(self, lengths: Int[np.ndarray, " N"], positions: int) -> Bool[np.ndarray, "N {positions}"]:
        """Which of the first `positions` positions lie in the window, for RNAs of these lengths."""
        position = np.arange(positions)
        return (position >= self.skip_start) & (position < lengths[:, None] - self.skip_end)


def write_layout(
    path: Path,
    sequences: Mapping[str, str],
    profiles: Mapping[str, Float32[np.ndarray, "_ E"]],
    experiments: tuple[str, ...],
    window: Window,
) -> None:
    """Write one row per RNA and experiment to `path` (.parquet or .csv): `sequence_id`, `sequence`, `experiment_type`,
    and float32 columns `reactivity_0001` … up to the longest RNA, empty outside the window.

    The file is held against `check_layout` before it takes its name; after an error nothing is left.

    Args:
        path: the file; its folder exists.
        sequences: sequence of each RNA by name, in the order of the rows.
        profiles: reactivity [L, E] in [0, 1] by name.
        experiments: the E experiment types.
        window: the residues that get values.

    Raises:
        InputError: as `check_layout`.
        OSError: the folder cannot be written or the disk is full.
    """
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as folder:
        unchecked = Path(folder) / path.name
        schema = _schema(max(len(sequence) for sequence in sequences.values()))
        make_writer = csv.CSVWriter if path.suffix == ".csv" else parquet.ParquetWriter
        with make_writer(str(unchecked), schema) as writer:
            for rows in _rows(sequences, profiles, experiments, window, schema):
                writer.write(rows)
        check_layout(unchecked, sequences, experiments, window)
        os.replace(unchecked, path)


def _schema(positions: int) -> Any:
    names = [(name, pa.string()) for name in ("sequence_id", "sequence", "experiment_type")]
    return pa.schema(names + [(f"reactivity_{position + 1:04d}", pa.float32()) for position in range(positions)])


def _rows(
    sequences: Mapping[str, str],
    profiles: Mapping[str, Float32[np.ndarray, "_ E"]],
    experiments: tuple[str, ...],
    window: Window,
    schema: Any,
) -> Iterator[Any]:
    names, positions = list(sequences), len(schema) - 3
    for start in range(0, len(names), RNAS):
        some = names[start : start + RNAS]
        values = np.full((len(some), len(experiments), positions), np.nan, dtype=np.float32)
        for row, name in zip(values, some):
            row[:, : len(sequences[name])] = profiles[name].T
        observed = window.observed(np.array([len(sequences[name]) for name in some]), positions)
        columns = np.where(observed[:, None], values, np.float32(np.nan)).reshape(-1, positions).T
        described = [
            [name for name in some for _ in experiments],
            [sequences[name] for name in some for _ in experiments],
            [experiment for _ in some for experiment in experiments],
        ]
        yield pa.table([*described, *(pa.array(column, from_pandas=True) for column in columns)], schema=schema)


def check_layout(
    path: Path, sequences: Mapping[str, str], experiments: tuple[str, ...] = (), window: Window | None = None
) -> tuple[str, ...]:
    """Whether a table holds reactivities of these RNAs in the Ribonanza layout: for each RNA and experiment one row,
    finite and in [0, 1] at every residue of the window, empty outside it and beyond the sequence.

    Args:
        path: the table, parquet or CSV.
        sequences: sequence over `ACGUN` of each RNA by name (`sequence_id`); the order of the rows is free.
        experiments: the experiment types that each RNA must have; those that the table names, where none are given.
        window: the residues that have values; all of them, where it is not given.

    Returns:
        the experiment types.

    Raises:
        InputError: what is wrong first, with file, RNA and reason: besides the above, as `ReactivityTable.open`.
    """
    with tempfile.TemporaryDirectory() as cache, warnings.catch_warnings():
        # What opening warns of (unknown bases, no SN_filter) is as it should be in a table of predictions.
        warnings.simplefilter("ignore")
        table = ReactivityTable.open(path, Path(cache), experiments)
        if table.unusable:
            raise table.unusable[0]
        _check_rows(table, sequences)
        _check_values(table, window or Window())
        return table.experiments


def _check_rows(table: ReactivityTable, sequences: Mapping[str, str]) -> None:
    rows = pa.array(table.rows.max(axis=1))
    seen: set[str] = set()
    for name, present, found in zip(
        table.profiles["sequence_id"].take(rows).to_pylist(), table.rows >= 0, table.sequences()
    ):
        if name not in sequences:
            raise InputError(table.path, name, "is none of the RNAs that the table is for")
        if name in seen:
            raise InputError(table.path, name, f"a second row of {table.experiments[int(present.argmax())]}")
        if found != sequences[name]:
            raise InputError(table.path, name, f"another sequence ({len(found)} nt) than the RNA of this name has")
        if not present.all():
            raise InputError(table.path, name, f"no row of {table.experiments[int(present.argmin())]}")
        seen.add(name)
    for name in sequences:
        if name not in seen:
            raise InputError(table.path, name, "no row of this RNA")


def _check_values(table: ReactivityTable, window: Window) -> None:
    first = 0
    for chunk in table.profiles["reactivity"].chunks:
        values = chunk.flatten().to_numpy().reshape(len(chunk), -1)
        described = table.profiles.slice(first, len(chunk))
        lengths = np.asarray(pc.utf8_length(described["sequence"]))
        observed = window.observed(lengths, values.shape[1])
        good = np.where(observed, (values >= 0) & (values <= 1), np.isnan(values))
        if not good.all():
            row, position = (int(n) for n in np.argwhere(~good)[0])
            where = f"{described['experiment'][row]}, position {position + 1}"
            reason = _fault(values[row, position], position, int(lengths[row]), bool(observed[row, position]))
            raise InputError(table.path, str(described["sequence_id"][row]), f"{where}: {reason}")
        first += len(chunk)


def _fault(value: np.float32, position: int, length: int, observed: bool) -> str:
    if observed:
        return "no value" if np.isnan(value) else f"{value!s} is not from 0 to 1"
    where = f"beyond the {length} residues of the RNA" if position >= length else "outside the window"
    return f"{value!s} {where}, where there should be none"
