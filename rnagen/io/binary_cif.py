"""BinaryCIF: mmCIF as the archives serve it to web pages, packed by msgpack -> a document of gemmi.

Specification: https://github.com/molstar/BinaryCIF/blob/master/encoding.md
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import gemmi
import msgpack
import numpy as np

from rnagen.io.files import expansion_limit

_TYPES = {1: "<i1", 2: "<i2", 3: "<i4", 4: "<u1", 5: "<u2", 6: "<u4", 32: "<f4", 33: "<f8"}
_ABSENT = (".", "?")
"""What the values 1 and 2 of a mask stand for."""
MOST_VALUES = 10_000_000
"""Of a column; a few bytes could ask for more than any memory. The largest entries of the PDB have 3 million atoms."""


def is_binary_cif(data: bytes) -> bool:
    """Whether data begins as BinaryCIF does: a msgpack map with its keys."""
    return data[:1] != b"" and data[0] & 0xF0 == 0x80 and b"encoder" in data[:128] + data[-128:]


def read_binary_cif(data: bytes) -> gemmi.cif.Document:
    """The data blocks of BinaryCIF, all values as text.

    Raises:
        ValueError: it is damaged, or uses an encoding that is not in the specification.
    """
    try:
        file = msgpack.unpackb(data, strict_map_key=False)
        document = gemmi.cif.Document()
        room = expansion_limit(len(data))
        for block in file["dataBlocks"]:
            made = document.add_new_block(str(block["header"]))
            for category in block["categories"]:
                columns = {}
                for column in category["columns"]:
                    texts = _texts(column, room)
                    room -= len(texts) + sum(map(len, texts))
                    columns[str(column["name"])] = texts
                loop = made.init_loop(str(category["name"]) + ".", list(columns))
                loop.set_all_values(list(columns.values()))
    except (msgpack.UnpackException, ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"BinaryCIF that is damaged ({type(error).__name__}: {error})") from error
    return document


def _texts(column: dict[str, Any], room: int) -> list[str]:
    """Values of a column as mmCIF writes them, of so many characters at most: run lengths, and strings that many rows
    share, make a little file a large one."""
    decoded = _decoded(column["data"])
    size = len(decoded) if decoded.dtype != object else len(decoded) + sum(map(len, decoded))
    if size > room:
        raise ValueError("expands to more than a file of its size holds: refused")
    values = [gemmi.cif.quote(str(value)) for value in decoded.tolist()]
    if column.get("mask") is None:
        return values
    mask = _decoded(column["mask"]).tolist()
    return [_ABSENT[flag - 1] if flag else value for flag, value in zip(mask, values, strict=True)]


def _decoded(packed: dict[str, Any]) -> np.ndarray:
    """The array of encoded data: its encodings are undone, the last one first."""
    value: Any = packed["data"]
    for encoding in reversed(packed["encoding"]):
        value = _DECODERS[encoding["kind"]](value, encoding)
    return np.asarray(value)


def _byte_array(data: bytes, encoding: dict[str, Any]) -> np.ndarray:
    return np.frombuffer(data, dtype=_TYPES[encoding["type"]])


def _fixed_point(data: np.ndarray, encoding: dict[str, Any]) -> np.ndarray:
    return data.astype(_TYPES[encoding["srcType"]]) / encoding["factor"]


def _interval_quantization(data: np.ndarray, encoding: dict[str, Any]) -> np.ndarray:
    step = (encoding["max"] - encoding["min"]) / (encoding["numSteps"] - 1)
    return encoding["min"] + data * step


def _run_length(data: np.ndarray, encoding: dict[str, Any]) -> np.ndarray:
    values, counts = data[::2], data[1::2]
    if (counts < 0).any() or counts.astype(np.int64).sum() > MOST_VALUES:
        raise ValueError("run lengths that cannot be right")
    return np.repeat(values, counts)


def _delta(data: np.ndarray, encoding: dict[str, Any]) -> np.ndarray:
    return np.cumsum(data, dtype=np.int64) + encoding["origin"]


def _integer_packing(data: np.ndarray, encoding: dict[str, Any]) -> np.ndarray:
    """A value beyond the packed type is a run of its limit, and the rest."""
    limits = np.iinfo(data.dtype)
    is_whole = data != limits.max if encoding["isUnsigned"] else (data != limits.max) & (data != limits.min)
    ends = np.flatnonzero(is_whole)
    sums = np.cumsum(data, dtype=np.int64)[ends]
    return np.diff(sums, prepend=0)


def _string_array(data: bytes, encoding: dict[str, Any]) -> np.ndarray:
    offsets = _decoded({"data": encoding["offsets"], "encoding": encoding["offsetEncoding"]}).tolist()
    rows = _decoded({"data": data, "encoding": encoding["dataEncoding"]})
    text = encoding["stringData"]
    strings = [text[start:end] for start, end in pairwise(offsets)]
    # A negative row stands for a value that the mask leaves out.
    return np.array([strings[row] if row >= 0 else "" for row in rows.tolist()], dtype=object)


_DECODERS: dict[str, Callable[[Any, dict[str, Any]], np.ndarray]] = {
    "ByteArray": _byte_array,
    "FixedPoint": _fixed_point,
    "IntervalQuantization": _interval_quantization,
    "RunLength": _run_length,
    "Delta": _delta,
    "IntegerPacking": _integer_packing,
    "StringArray": _string_array,
}
