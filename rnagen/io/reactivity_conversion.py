"""Files of profiles, parquet, CSV or RDAT, converted to an uncompressed Arrow file."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float32
from pyarrow import csv, dataset, ipc

from rnagen.errors import InputError
from rnagen.io.files import atomic_write, read_text
from rnagen.io.profiles import FAULT, GZIP_MAGIC, first_line, profile_table
from rnagen.io.rdat import is_rdat, read_rdat
from rnagen.io.records import text_lines
from rnagen.io.residues import clean_sequence

FORMAT = 1
ROWS = 4096
"""Rows converted at a time: 20 MB of text for 200 positions."""
NAMES = ("sequence_id", "sequence", "experiment_type")
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
is the reason why the sequence of a row cannot be used, null where it can."""
_NO_VALUE = pa.array([*csv.ConvertOptions().null_values, "None"])
"""What stands for no value in the columns of numbers of a CSV file. In other columns it is text: an RNA may be NA."""


def convert_profiles(path: Path, out: Path) -> None:
    """Write the profiles of a file to `out`, which appears whole or not at all.

    Raises:
        InputError: as `ReactivityTable.open`, but for what concerns several rows together.
    """
    source = _source(path)
    names = source.schema.names
    missing = [name for name in NAMES if name not in names]
    if missing:
        raise InputError(path, None, f"has no column {', '.join(missing)}")
    found = {int(name[len("reactivity_") :]): name for name in names if re.fullmatch(r"reactivity_\d+", name)}
    if not found or sorted(found) != list(range(1, len(found) + 1)):
        raise InputError(path, None, "expected the columns reactivity_0001, reactivity_0002, … without a gap")
    positions = [found[number] for number in sorted(found)]
    optional = [name for name in ("signal_to_noise", "SN_filter", FAULT) if name in names]
    schema = SCHEMA.append(pa.field("reactivity", pa.list_(pa.float32(), len(positions))))
    schema = schema.with_metadata({"sn_filter": "present" if "SN_filter" in names else "absent"})
    with atomic_write(out) as file, ipc.new_file(file, schema) as writer:
        for batch in _batches(path, source, [*NAMES, *optional, *positions]):
            writer.write_batch(_converted(path, batch, positions, schema))


def _source(path: Path) -> Any:
    """The file as a `pyarrow.dataset.Dataset`; the cells of a CSV file come as text, so that a bad one can be named."""
    if is_rdat(first_line(path)):
        return dataset.dataset(profile_table(read_rdat(path, text_lines(read_text(path)))))
    try:
        with open(path, "rb") as file:
            magic = file.read(4)
        if magic == b"PAR1":
            return dataset.dataset(path, format="parquet")
        # The default would also take an RNA named NA for a missing value.
        options = csv.ConvertOptions(strings_can_be_null=True, null_values=[""])
        if magic.startswith(GZIP_MAGIC) != (path.suffix == ".gz"):
            return dataset.dataset(_misnamed(path, options, "gzip" if path.suffix != ".gz" else None))
        text = dataset.CsvFileFormat(convert_options=options)
        names = dataset.dataset(path, format=text).schema.names
        return dataset.dataset(path, pa.schema([(name, pa.string()) for name in names]), format=text)
    except (pa.ArrowException, OSError) as error:
        raise InputError(path, None, f"cannot be read as parquet, CSV or RDAT: {error}") from error


def _misnamed(path: Path, options: Any, compression: str | None) -> Any:
    """The `pyarrow.Table` of a CSV file that is gzipped though its name does not end in .gz, or the reverse."""
    with pa.input_stream(path, compression=compression) as stream:
        names = csv.open_csv(stream).schema.names
    options.column_types = {name: pa.string() for name in names}
    with pa.input_stream(path, compression=compression) as stream:
        return csv.read_csv(stream, convert_options=options)


def _batches(path: Path, source: Any, columns: list[str]) -> Iterator[Any]:
    try:
        yield from source.to_batches(columns, batch_size=ROWS, batch_readahead=2)
    except (pa.ArrowException, OSError) as error:
        raise InputError(path, None, f"cannot be read: {error}") from error


def _converted(path: Path, batch: Any, positions: list[str], schema: Any) -> Any:
    ids, texts, experiments = (batch[name].cast(pa.string()).to_pylist() for name in NAMES)
    for name, values in (("sequence_id", ids), ("experiment_type", experiments)):
        if None in values:
            raise InputError(path, ids[values.index(None)], f"a row has no {name}")
    reactivity = np.column_stack([_numbers(path, batch, name) for name in positions])
    known = batch[FAULT].to_pylist() if FAULT in batch.schema.names else [None] * len(ids)
    sequences, faults = zip(*map(_clean, texts, known)) if texts else ((), ())
    for name, sequence in zip(ids, sequences):
        if len(sequence) > len(positions):
            raise InputError(path, name, f"{len(sequence)} residues, but {len(positions)} reactivity columns")
    unknown, present = np.full(len(ids), np.nan, dtype=np.float32), batch.schema.names
    columns = {
        "sequence_id": ids,
        "sequence": sequences,
        "experiment": experiments,
        "signal_to_noise": _numbers(path, batch, "signal_to_noise") if "signal_to_noise" in present else unknown,
        "sn_filter": _numbers(path, batch, "SN_filter", flags=True) > 0
        if "SN_filter" in present
        else np.isnan(unknown),
        "fault": faults,
        "reactivity": pa.FixedSizeListArray.from_arrays(pa.array(reactivity.ravel()), len(positions)),
    }
    columns["sn_filter"] = columns["sn_filter"].astype(np.uint8)
    return pa.record_batch(columns, schema=schema)


def _clean(text: str | None, fault: str | None) -> tuple[str, str | None]:
    """(sequence over ACGUN, None), or ("", reason); `fault` is a reason that is known."""
    if fault is not None:
        return "", fault
    plain = (text or "").upper().replace("T", "U")
    if plain and not plain.strip("ACGU"):
        return plain, None
    try:
        return clean_sequence(text or "")[0], None
    except ValueError as error:
        return "", str(error)


def _numbers(path: Path, batch: Any, name: str, flags: bool = False) -> Float32[np.ndarray, " rows"]:
    """A column as float32, NaN for its empty cells; with `flags`, True is 1 and False is 0."""
    values = _plain_cells(batch[name], flags)
    try:
        found: Float32[np.ndarray, " rows"] = values.cast(pa.float32()).to_numpy(zero_copy_only=False)
        return found
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        for record, value in zip(batch["sequence_id"].to_pylist(), values):
            try:
                value.cast(pa.float32())
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                raise InputError(path, record, f"{name}: {value.as_py()!r} is not a number") from None
        raise InputError(path, None, f"{name} is not a column of numbers: {error}") from error


def _plain_cells(values: Any, flags: bool) -> Any:
    """Cells of text with null for what stands for no value and, with `flags`, 1 and 0 for truth values in any case."""
    if not pa.types.is_string(values.type) and not pa.types.is_large_string(values.type):
        return values
    values = values.cast(pa.string())
    if flags:
        lower = pc.utf8_lower(pc.utf8_trim_whitespace(values))
        values = pc.if_else(pc.is_in(lower, pa.array(["true"])), "1", values)
        values = pc.if_else(pc.is_in(lower, pa.array(["false"])), "0", values)
    return pc.if_else(pc.is_in(values, _NO_VALUE), None, values)
