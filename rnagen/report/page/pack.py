"""Data inside a page: JSON and coordinates, compressed, as text that no HTML can end."""

import base64
import json
import struct
import zlib
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int16

STEP = 0.01
"""Å; the least difference between two coordinates of a page."""
MISSING = -32768
"""In place of an atom that is not there."""
LARGEST = 32767
LEVEL = 5
"""Of compression: 9 takes four times as long, for a viewer of the same size."""


def to_integers(
    coords: Float[np.ndarray, "n L A 3"], mask: Bool[np.ndarray, "n L A"]
) -> tuple[Int16[np.ndarray, "n L A 3"], float]:
    """Coordinates as 16-bit numbers, and the Å that 1 stands for: `STEP`, or more where a molecule is larger."""
    known = np.where(mask[..., None], coords, 0)
    step = max(STEP, float(np.abs(known).max(initial=0)) / LARGEST)
    numbers = np.clip(np.round(known / step), -LARGEST, LARGEST)
    return np.where(mask[..., None], numbers, MISSING).astype(np.int16), step


def packed(header: dict[str, Any], numbers: Int16[np.ndarray, "..."] | None = None) -> str:
    """Base64 of the compressed bytes: length of the header (4 bytes, little-endian), the header as JSON, padded by
    blanks to an even length, then the numbers, little-endian. Equal data give equal text."""
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (len(text) % 2)
    body = b"" if numbers is None else numbers.astype("<i2").tobytes()
    return base64.b64encode(zlib.compress(struct.pack("<I", len(text)) + text + body, LEVEL)).decode()


def unpacked(text: str) -> tuple[dict[str, Any], Int16[np.ndarray, " N"]]:
    """The header and the numbers, without their shape."""
    data = zlib.decompress(base64.b64decode(text))
    (length,) = struct.unpack_from("<I", data)
    return json.loads(data[4 : 4 + length]), np.frombuffer(data[4 + length :], dtype="<i2").astype(np.int16)


def script_json(value: Any) -> str:
    """JSON that can stand in a script of a page: `<`, `>` and `&` are written as escapes."""
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
