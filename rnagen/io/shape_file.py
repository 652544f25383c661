"""`.shape` files, as RNAstructure and ShapeMapper write them: a residue's number, its reactivity, perhaps an error."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from rnagen.errors import InputError

EXPERIMENT = "SHAPE"
"""Experiment of these files, which name none."""
_NUMBER = r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[Nn][Aa][Nn]?"
_LINE = re.compile(rf"\s*\d{{1,9}}\s+({_NUMBER})(\s+({_NUMBER}))?\s*")
_UNKNOWN_BELOW = -500
"""-999 is the usual mark of a residue without a value; RNAstructure takes all values below this one as such."""


def is_shape(line: str) -> bool:
    """Whether a line is a number and one or two values."""
    return bool(_LINE.fullmatch(line))


def read_shape(path: Path, lines: Sequence[str], length: int) -> Float32[np.ndarray, " L"]:
    """The reactivity of an RNA of `length` residues; NaN where the file has none. Lines that begin with # are comments.

    Raises:
        InputError: a line has another form, a residue is given twice or is not one of the RNA.
    """
    values = np.full(length, np.nan, dtype=np.float32)
    given: set[int] = set()
    for line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        if not is_shape(line):
            raise InputError(path, line.strip()[:40], "is not a residue's number, its reactivity and perhaps an error")
        number, value, *_ = line.split()
        residue = int(number)
        if not 1 <= residue <= length or residue in given:
            reason = "is given twice" if residue in given else f"is not one of the {length} residues of the RNA"
            raise InputError(path, f"residue {residue}", reason)
        given.add(residue)
        reactivity = np.nan if value.casefold() in ("na", "nan") else float(value)
        values[residue - 1] = np.nan if reactivity < _UNKNOWN_BELOW else reactivity
    return values
