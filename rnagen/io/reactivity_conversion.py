"""Files of profiles, parquet, CSV or RDAT, converted to an uncompressed Arrow file."""

import codecs
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float32
from pyarrow import csv, dataset, ipc

from rnagen.errors import InputError
from rnagen.io.files import GZIP_MAGIC, MAXIMUM_EXPANSION, MAXIMUM_FILE, atomic_write, read_text
from rnagen.io.profiles import FAULT, first_line, profile_table
from rnagen.io.rdat import is_rdat, read_rdat
from rnagen.io.records import read_lines
from rnagen.io.residues import clean_sequence

FORMAT = 1
MINIMUM_CONVERTED = 1 << 30
"""Bytes of reactivity that a file may have, however small it is."""
EXPANDS = "expands to more than a table of its size holds: refused"
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
is the reason why a row cannot be used, null where it can."""
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
    found = {int(name[len("reactivity_") :]): name for name in names if re.fullmatch(r"reactivity_\d{1,9}", name)}
    if not found or sorted(found) != list(range(1, len(found) + 1)):
        raise InputError(path, None, "expected the columns reactivity_0001, reactivity_0002, … without a gap")
    positions = [found[number] for number in sorted(found)]
    optional = [name for name in ("signal_to_noise", "SN_filter", FAULT) if name in names]
    schema = SCHEMA.append(pa.field("reactivity", pa.list_(pa.float32(), len(positions))))
    schema = schema.with_metadata({"sn_filter": "present" if "SN_filter" in names else "absent"})
    room = max(MINIMUM_CONVERTED, MAXIMUM_EXPANSION * path.stat().st_size)
    with atomic_write(out) as file, ipc.new_file(file, schema) as writer:
        for batch in _batches(path, source, [*NAMES, *optional, *positions]):
            room -= 4 * len(batch) * len(positions)
            if room < 0:
                raise InputError(path, None, EXPANDS)
            writer.write_batch(_converted(batch, positions, schema))


def _source(path: Path) -> Any:
    """The file as a `pyarrow.dataset.Dataset`; the cells of a CSV file come as text, so that a bad one can be named."""
    try:
        if is_rdat(first_line(path)):
            return dataset.dataset(profile_table(read_rdat(path, read_lines(path))))
        with open(path, "rb") as file:
            magic = file.read(4)
        if magic == b"PAR1":
            return dataset.dataset(path, format="parquet")
        # The default would also take an RNA named NA for a missing value.
        options = csv.ConvertOptions(strings_can_be_null=True, null_values=[""])
        if magic[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, b"PK"):  # not what Arrow reads
            data = read_text(path).encode()
            return dataset.dataset(_text_table(lambda: pa.BufferReader(data), options))
        is_gzip = magic.startswith(GZIP_MAGIC)
        if is_gzip != (path.suffix == ".gz"):
            compression = "gzip" if is_gzip else None
            return dataset.dataset(_text_table(lambda: pa.input_stream(path, compression=compression), options))
        text = dataset.CsvFileFormat(convert_options=options)
        names = dataset.dataset(path, format=text).schema.names
        return dataset.dataset(path, pa.schema([(name, pa.string()) for name in names]), format=text)
    except InputError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(path, None, f"cannot be read as parquet, CSV or RDAT: {error}") from error


def _text_table(opened: Callable[[], Any], options: Any) -> Any:
    """The `pyarrow.Table` of CSV text, which is opened twice: for the names of the columns, and for their cells."""
    with opened() as stream:
        names = csv.open_csv(stream).schema.names
    options.column_types = {name: pa.string() for name in names}
    batches, size = [], 0
    with opened() as stream, csv.open_csv(stream, convert_options=options) as reader:
        for batch in reader:
            batches.append(batch)
            size += batch.nbytes
            if size > MAXIMUM_FILE:
                raise ValueError(EXPANDS)
        return pa.Table.from_batches(batches, reader.schema)


def _batches(path: Path, source: Any, columns: list[str]) -> Iterator[Any]:
    try:
        yield from source.to_batches(columns, batch_size=ROWS, batch_readahead=2)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError(path, None, f"cannot be read: {error}") from error


def _converted(batch: Any, positions: list[str], schema: Any) -> Any:
    """A batch in the columns of a converted file; a row that cannot be used has its first fault, and no sequence."""
    ids, texts, experiments = (batch[name].cast(pa.string()).to_pylist() for name in NAMES)
    present = batch.schema.names
    faults = _Faults(batch[FAULT].to_pylist() if FAULT in present else [None] * len(ids))
    for name, values in (("sequence_id", ids), ("experiment_type", experiments)):
        for row, value in enumerate(values):
            faults.add(row, None if value else f"a row has no {name}")
    numbers = {name: _numbers(batch, name, faults) for name in (*positions, "signal_to_noise") if name in present}
    unknown = np.full(len(ids), np.nan, dtype=np.float32)
    passes = _numbers(batch, "SN_filter", faults, flags=True) > 0 if "SN_filter" in present else np.isnan(unknown)
    sequences = [_clean(row, text or "", len(positions), faults) for row, text in enumerate(texts)]
    reactivity = np.column_stack([numbers[name] for name in positions])
    columns = {
        "sequence_id": ids,
        "sequence": sequences,
        "experiment": experiments,
        "signal_to_noise": numbers.get("signal_to_noise", unknown),
        "sn_filter": passes.astype(np.uint8),
        "fault": faults.of_rows,
        "reactivity": pa.FixedSizeListArray.from_arrays(pa.array(reactivity.ravel()), len(positions)),
    }
    return pa.record_batch(columns, schema=schema)


@dataclass(frozen=True)
class _Faults:
    """Why each row of a batch cannot be used, None where it can."""

    of_rows: list[str | None]

    def add(self, row: int, fault: str | None) -> None:
        """The first fault of a row counts."""
        self.of_rows[row] = self.of_rows[row] or fault


def _clean(row: int, text: str, positions: int, faults: _Faults) -> str:
    """The sequence of a row over ACGUN; empty where the row has a fault."""
    plain = text.upper().replace("T", "U")
    if not plain or plain.strip("ACGU"):
        try:
            plain = clean_sequence(text)[0]
        except ValueError as error:
            faults.add(row, str(error))
    if len(plain) > positions:
        faults.add(row, f"{len(plain)} residues, but {positions} reactivity columns")
    return "" if faults.of_rows[row] else plain


def _numbers(batch: Any, name: str, faults: _Faults, flags: bool = False) -> Float32[np.ndarray, " rows"]:
    """A column as float32, NaN for its empty cells; with `flags`, True is 1 and False is 0."""
    values = _plain_cells(batch[name], flags)
    try:
        found: Float32[np.ndarray, " rows"] = values.cast(pa.float32()).to_numpy(zero_copy_only=False)
        return found
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        found = np.full(len(values), np.nan, dtype=np.float32)
    for row, value in enumerate(values):
        try:
            number = value.cast(pa.float32()).as_py()
            found[row] = np.nan if number is None else number
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            faults.add(row, f"{name}: {value.as_py()!r} is not a number")
    return found


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
