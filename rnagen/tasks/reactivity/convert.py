"""A file in the Ribonanza layout as an uncompressed Arrow file that can be memory-mapped, a few rows at a time."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float32
from pyarrow import csv, ipc, parquet

from rnagen.errors import InputError
from rnagen.io.files import atomic_write
from rnagen.io.residues import clean_sequence

FORMAT = 1
ROWS = 4096
"""Rows converted at a time: 20 MB of text for 200 positions."""
SCHEMA = pa.schema(
    {
        "sequence_id": pa.string(),
        "sequence": pa.string(),
        "experiment": pa.string(),
        "signal_to_noise": pa.float32(),
        "sn_filter": pa.uint8(),
        "fault": pa.string(),
    }
)
"""Columns of a converted file, besides `reactivity`: a list of P float32 per row, NaN where there is no value. `fault`
says why the sequence of a row cannot be used; it is null where it can."""

_NAMES = ("sequence_id", "sequence", "experiment_type")
_POSITION = re.compile(r"reactivity_(\d+)")
_PLAIN = re.compile("[ACGU]+")


def convert(path: Path, out: Path) -> None:
    """Write the profiles of a parquet or CSV file to `out`, which appears whole or not at all.

    Raises:
        InputError: as `ReactivityTable.open`, but for what concerns several rows together.
    """
    names = _column_names(path)
    missing = [name for name in _NAMES if name not in names]
    if missing:
        raise InputError(path, None, f"has no column {', '.join(missing)}")
    positions = sorted((int(m[1]), m[0]) for m in map(_POSITION.fullmatch, names) if m)
    if not positions or [number for number, _ in positions] != list(range(1, len(positions) + 1)):
        raise InputError(path, None, "its reactivity columns are not reactivity_0001, reactivity_0002, … without a gap")
    columns = [name for _, name in positions]
    optional = [name for name in ("signal_to_noise", "SN_filter") if name in names]
    schema = SCHEMA.append(pa.field("reactivity", pa.list_(pa.float32(), len(columns))))
    schema = schema.with_metadata({"sn_filter": "present" if "SN_filter" in names else "absent"})
    with atomic_write(out) as file, ipc.new_file(file, schema) as writer:
        for batch in _batches(path, [*_NAMES, *optional, *columns]):
            writer.write_batch(_converted(path, batch, columns, schema))


def _is_parquet(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(4) == b"PAR1"


def _column_names(path: Path) -> list[str]:
    try:
        if _is_parquet(path):
            return list(parquet.read_schema(path).names)
        with csv.open_csv(path) as reader:
            return list(reader.schema.names)
    except (pa.ArrowException, OSError) as error:
        raise InputError(path, None, f"is neither parquet nor CSV: {error}") from error


def _batches(path: Path, columns: list[str]) -> Iterator[Any]:
    """Record batches of the columns; the cells of a CSV file come as text, so that a bad one can be named."""
    try:
        if _is_parquet(path):
            with parquet.ParquetFile(path, memory_map=True) as file:
                yield from file.iter_batches(ROWS, columns=columns)
        else:
            options = csv.ConvertOptions(
                include_columns=columns, column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=True
            )
            with csv.open_csv(path, convert_options=options) as reader:
                yield from reader
    except (pa.ArrowException, OSError) as error:
        raise InputError(path, None, f"cannot be read: {error}") from error


def _converted(path: Path, batch: Any, columns: list[str], schema: Any) -> Any:
    ids, texts, experiments = (batch.column(name).cast(pa.string()).to_pylist() for name in _NAMES)
    for name, values in (("sequence_id", ids), ("experiment_type", experiments)):
        if None in values:
            raise InputError(path, ids[values.index(None)], f"a row has no {name}")
    reactivity = np.column_stack([_numbers(path, batch, name, ids) for name in columns])
    sequences, faults = zip(*map(_clean, texts)) if texts else ((), ())
    for name, sequence in zip(ids, sequences):
        if len(sequence) > len(columns):
            raise InputError(path, name, f"{len(sequence)} residues, but {len(columns)} reactivity columns")
    absent = np.full(len(ids), np.nan, dtype=np.float32)
    present = batch.schema.names
    noise = _numbers(path, batch, "signal_to_noise", ids) if "signal_to_noise" in present else absent
    passed = _numbers(path, batch, "SN_filter", ids) > 0 if "SN_filter" in present else np.isnan(absent)
    lists = pa.FixedSizeListArray.from_arrays(pa.array(reactivity.ravel(), pa.float32()), len(columns))
    arrays = [pa.array(values, pa.string()) for values in (ids, sequences, experiments)]
    arrays += [pa.array(noise, pa.float32()), pa.array(passed.astype(np.uint8)), pa.array(faults, pa.string()), lists]
    return pa.record_batch(arrays, schema=schema)


def _clean(text: str | None) -> tuple[str, str | None]:
    """(sequence over ACGUN, None), or ("", reason)."""
    plain = (text or "").upper().replace("T", "U")
    if _PLAIN.fullmatch(plain):
        return plain, None
    try:
        return clean_sequence(text or "")[0], None
    except ValueError as error:
        return "", str(error)


def _numbers(path: Path, batch: Any, name: str, ids: list[str]) -> Float32[np.ndarray, " rows"]:
    """A column as float32, NaN for its empty cells."""
    values = batch.column(name)
    try:
        found: Float32[np.ndarray, " rows"] = values.cast(pa.float32()).to_numpy(zero_copy_only=False)
        return found
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        for record, value in zip(ids, values.to_pylist()):
            try:
                pa.scalar(value).cast(pa.float32())
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                raise InputError(path, record, f"{name}: {value!r} is no number") from None
        raise InputError(path, None, f"{name} is no column of numbers: {error}") from error
