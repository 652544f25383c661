"""Base-pair probabilities that a user gives: a NumPy matrix, or a dot plot of ViennaRNA."""

import hashlib
import io
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int16

from rnagen.errors import InputError
from rnagen.io.arrays import NOT_ARRAYS
from rnagen.io.files import decode_text, read_bytes
from rnagen.io.residues import clean_sequence
from rnagen.messages import one_line

NUMPY_MAGIC, POSTSCRIPT_MAGIC = b"\x93NUMPY", b"%!"
"""First bytes of the files that hold base-pair probabilities."""
TOLERANCE = 1e-3
"""By which a matrix may miss symmetry, and a probability its range: half precision is rounded to as much."""
MOST_PAIRED = 1.05
"""Sum of the probabilities of a residue above which a warning names it."""

_UBOX = re.compile(r"(\d{1,9})\s+(\d{1,9})\s+(\S+)\s+ubox\s*$", flags=re.MULTILINE)
_SEQUENCE = re.compile(r"/sequence\s*\{\s*\(([^)]*)\)\s*\}\s*def")


@dataclass(frozen=True, eq=False)
class PairMatrix:
    """Base pairs (i < j, from 0) of an RNA of `length` residues and their probabilities, as a user gives them."""

    length: int
    pairs: Int16[np.ndarray, "P 2"]
    probabilities: Float32[np.ndarray, " P"]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of length, pairs and probabilities: the same whatever file they come from."""
        digest = hashlib.sha256(f"{self.length}\n".encode())
        digest.update(self.pairs.astype("<i2").tobytes())
        digest.update(self.probabilities.astype("<f4").tobytes())
        return digest.hexdigest()

    @property
    def warning(self) -> str | None:
        """What is unusual in it: a residue whose probabilities add up to more than 1."""
        paired = np.zeros(self.length)
        np.add.at(paired, self.pairs, self.probabilities[:, None])
        worst = int(paired.argmax()) if self.length else 0
        if not self.length or paired[worst] <= MOST_PAIRED:
            return None
        return (
            f"the base-pair probabilities of residue {worst + 1} add up to {paired[worst]:.2f}: no model has learned "
            "from sums above 1"
        )


def is_pair_matrix(data: bytes) -> bool:
    """Whether the contents of a file are a NumPy array or PostScript."""
    return data.startswith((NUMPY_MAGIC, POSTSCRIPT_MAGIC))


def read_pair_matrix(path: Path, sequence: str) -> PairMatrix:
    """Base-pair probabilities of a sequence, from a file: a NumPy array [L, L] (.npy), symmetric or one triangle with
    zeros in the other, or a dot plot of ViennaRNA (NAME_dp.ps), whose `ubox` lines hold the square roots. The content
    decides which, gzipped or not.

    Raises:
        InputError: the file cannot be read or is of another format; it is of another length or sequence; a value is not
            a number or not from 0 to 1; the matrix is not symmetric, or pairs a residue with itself.
    """
    data = read_bytes(path)
    if data.startswith(POSTSCRIPT_MAGIC):
        return _of_dot_plot(path, decode_text(data, path), sequence)
    if not data.startswith(NUMPY_MAGIC):
        raise InputError(path, None, "is neither a NumPy array (.npy) nor a dot plot of ViennaRNA (NAME_dp.ps)")
    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except NOT_ARRAYS as error:
        raise InputError(
            path, None, f"cannot be read as a NumPy array: {one_line(error, 120)}; save it by numpy.save"
        ) from None
    return matrix_of(array, sequence, path)


def matrix_of(array: np.ndarray, sequence: str, source: str | Path = "structure") -> PairMatrix:
    """The same of an array; errors name its source.

    Raises:
        InputError: as `read_pair_matrix`.
    """
    length = len(sequence)
    array = np.asarray(array)
    if array.dtype.kind not in "biuf":
        raise InputError(source, None, f"has values of type {array.dtype}: save base-pair probabilities as numbers")
    if array.shape != (length, length):
        shape = " × ".join(map(str, array.shape)) or "a single number"
        reason = f"is {shape}, but the sequence has {length} residues: give a matrix of {length} × {length}"
        raise InputError(source, None, reason)
    values = array.astype(np.float64)
    finite = np.isfinite(values)
    if not finite.all():
        raise InputError(source, _place(~finite), "not a finite number: write 0 where two residues do not pair")
    outside = (values < -TOLERANCE) | (values > 1 + TOLERANCE)
    if outside.any():
        value = values[outside][0]
        raise InputError(source, _place(outside), f"{value:g}: a probability must lie between 0 and 1")
    if (np.abs(values.diagonal()) > TOLERANCE).any():
        place = _place(np.diag(np.abs(values.diagonal()) > TOLERANCE))
        raise InputError(source, place, "a residue that is paired with itself: set the diagonal to 0")
    upper, lower = np.triu(values, 1), np.tril(values, -1).T
    if lower.any() and upper.any():
        differs = np.abs(upper - lower) > TOLERANCE
        if differs.any():
            i, j = np.argwhere(differs)[0]
            reason = (
                f"{values[i, j]:g} there, {values[j, i]:g} at {j + 1}, {i + 1}: make the matrix symmetric, or set one "
                "triangle to 0"
            )
            raise InputError(source, _place(differs), reason)
        upper = (upper + lower) / 2
    elif lower.any():
        upper = lower
    return _sparse(length, upper)


def _of_dot_plot(path: Path, text: str, sequence: str) -> PairMatrix:
    if "/ubox" not in text:
        raise InputError(path, None, "has no base-pair probabilities (ubox): give the NAME_dp.ps of RNAfold -p")
    found = _SEQUENCE.search(text)
    if found is not None:
        refuse_other_sequence(path, None, found[1].replace("\\", ""), sequence)
    length = len(sequence)
    upper = np.zeros((length, length))
    for first, second, root in _UBOX.findall(text):
        i, j = sorted((int(first), int(second)))
        record = f"{first} {second} {root[:12]} ubox"
        if not 1 <= i < j <= length:
            raise InputError(path, record, f"is not a pair of two of the {length} residues of the sequence")
        try:
            probability = float(root) ** 2
        except ValueError:
            probability = float("nan")
        if not -TOLERANCE <= probability <= 1 + TOLERANCE:
            raise InputError(path, record, "is not the square root of a probability, from 0 to 1")
        upper[i - 1, j - 1] = probability
    return _sparse(length, upper)


def refuse_other_sequence(path: Path, record: str | None, text: str, sequence: str) -> None:
    """Refuse a file that is about another sequence; what it writes is cleaned as that of a target.

    Raises:
        InputError: the sequence cannot be read, or is another; names the first difference.
    """
    try:
        found, _ = clean_sequence(text)
    except ValueError as error:
        raise InputError(path, record, f"sequence: {error}") from None
    remedy = "give the structure of this RNA"
    if len(found) != len(sequence):
        raise InputError(path, record, f"is of {len(found)} residues, but the sequence has {len(sequence)}: {remedy}")
    place = next((i for i, (one, other) in enumerate(zip(found, sequence)) if one != other), None)
    if place is not None:
        reason = f"is of another sequence: {found[place]} in place {place + 1}, where it is {sequence[place]}: {remedy}"
        raise InputError(path, record, reason)


def _place(where: np.ndarray) -> str:
    """Row and column of the first of some entries of a matrix, from 1."""
    i, j = np.argwhere(where)[0]
    return f"row {i + 1}, column {j + 1}"


def _sparse(length: int, upper: np.ndarray) -> PairMatrix:
    """Of the entries above the diagonal."""
    probabilities = np.clip(upper, 0, 1).astype(np.float32)
    i, j = np.nonzero(probabilities)
    return PairMatrix(length, np.stack([i, j], axis=-1).astype(np.int16), probabilities[i, j])
