"""Tables of predicted reactivity in the Ribonanza layout: checked before they take their name, and written whole."""

import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float32, Int
from pyarrow import csv, parquet

from rnagen.errors import InputError
from rnagen.io.reactivity_conversion import NAMES
from rnagen.io.reactivity_table import ReactivityTable
from rnagen.io.temporary import TEMPORARY

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

    The file has to pass `check_layout` before it takes its name; after an error nothing is left.

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
    positions = [f"reactivity_{n + 1:04d}" for n in range(max(map(len, sequences.values())))]
    schema = pa.schema([(name, pa.string()) for name in NAMES] + [(name, pa.float32()) for name in positions])
    make_writer = csv.CSVWriter if path.suffix == ".csv" else parquet.ParquetWriter
    with tempfile.TemporaryDirectory(TEMPORARY, f".{path.name}.", path.parent) as folder:
        unchecked = Path(folder) / path.name
        with make_writer(str(unchecked), schema) as writer:
            for frame in _frames(sequences, profiles, experiments, window, positions):
                writer.write(pa.Table.from_pandas(frame, schema, preserve_index=False))
        check_layout(unchecked, sequences, experiments, window)
        os.replace(unchecked, path)


def _frames(
    sequences: Mapping[str, str],
    profiles: Mapping[str, Float32[np.ndarray, "_ E"]],
    experiments: tuple[str, ...],
    window: Window,
    positions: list[str],
) -> Iterator[pd.DataFrame]:
    names = list(sequences)
    for start in range(0, len(names), RNAS):
        some = names[start : start + RNAS]
        values = np.full((len(some), len(experiments), len(positions)), np.nan, dtype=np.float32)
        for row, name in zip(values, some):
            row[:, : len(sequences[name])] = profiles[name].T
        observed = window.observed(np.array([len(sequences[name]) for name in some]), len(positions))
        values[np.broadcast_to(~observed[:, None], values.shape)] = np.nan
        described = [(name, sequences[name], experiment) for name in some for experiment in experiments]
        frame = pd.DataFrame(described, columns=list(NAMES))
        yield frame.join(pd.DataFrame(values.reshape(-1, len(positions)), columns=positions))


def check_layout(
    path: Path, sequences: Mapping[str, str], experiments: tuple[str, ...] = (), window: Window | None = None
) -> tuple[str, ...]:
    """Check that a table holds the reactivity of these RNAs in the Ribonanza layout: one row per RNA and experiment,
    finite and in [0, 1] at every residue of the window, empty outside it and beyond the sequence.

    Args:
        path: the table, parquet or CSV.
        sequences: sequence over `ACGUN` of each RNA by name (`sequence_id`); the order of the rows is free.
        experiments: the experiment types that each RNA must have; by default those in the table.
        window: the residues that have values; by default all.

    Returns:
        the experiment types.

    Raises:
        InputError: the first fault found, with file, RNA and reason; also as `ReactivityTable.open`.
    """
    with tempfile.TemporaryDirectory() as cache, warnings.catch_warnings():
        # Unknown bases and a missing SN_filter are normal in a table of predictions.
        warnings.simplefilter("ignore")
        table = ReactivityTable.open(path, Path(cache), experiments)
        if table.unusable:
            raise table.unusable[0]
        _check_rows(table, sequences)
        _check_values(table, window or Window())
        return table.experiments


def _check_rows(table: ReactivityTable, sequences: Mapping[str, str]) -> None:
    names = table.profiles["sequence_id"].take(pa.array(table.rows.max(axis=1))).to_pylist()
    missing = set(sequences)
    for name, present, found in zip(names, table.rows >= 0, table.sequences()):
        reason = None
        if name not in sequences:
            reason = "is not one of the RNAs that the table is for"
        elif name not in missing:
            reason = f"a second row of {table.experiments[int(present.argmax())]}"
        elif found != sequences[name]:
            reason = f"the sequence ({len(found)} nt) differs from that of the RNA of this name"
        elif not present.all():
            reason = f"no row of {table.experiments[int(present.argmin())]}"
        if reason is not None:
            raise InputError(table.path, name, reason)
        missing.remove(name)
    for name in sequences:
        if name in missing:
            raise InputError(table.path, name, "no row of this RNA")


def _check_values(table: ReactivityTable, window: Window) -> None:
    for batch in table.profiles.to_batches():
        values = batch["reactivity"].flatten().to_numpy().reshape(len(batch), -1)
        lengths = np.asarray(pc.utf8_length(batch["sequence"]))
        observed = window.observed(lengths, values.shape[1])
        good = np.where(observed, (values >= 0) & (values <= 1), np.isnan(values))
        if not good.all():
            row, position = (int(n) for n in np.argwhere(~good)[0])
            value = values[row, position]
            if observed[row, position]:
                reason = "no value" if np.isnan(value) else f"{value!s} is not from 0 to 1"
            elif position >= lengths[row]:
                reason = f"{value!s} beyond the {lengths[row]} residues of the RNA, where no value is expected"
            else:
                reason = f"{value!s} outside the window, where no value is expected"
            where = f"{batch['experiment'][row]}, position {position + 1}"
            raise InputError(table.path, str(batch["sequence_id"][row]), f"{where}: {reason}")
