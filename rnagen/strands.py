"""RNAs of several strands: `&` stands between them in a text, and their lengths describe them elsewhere."""

from collections.abc import Sequence
from itertools import accumulate
from string import ascii_lowercase, ascii_uppercase, digits

import numpy as np
from jaxtyping import Int32

SEPARATOR = "&"
CHAIN_NAMES = ascii_uppercase + ascii_lowercase + digits
"""Names of the chains of a file, strand by strand: PDB files have one character for them."""
MOST = len(CHAIN_NAMES)
"""Strands of an RNA at most."""


def split_text(text: str) -> list[str]:
    """The strands of a text; there is one without `&`.

    Raises:
        ValueError: a strand is empty, or there are more than `MOST`.
    """
    parts = text.split(SEPARATOR)
    if len(parts) > MOST:
        raise ValueError(f"{len(parts)} strands: at most {MOST} have a chain name in a file")
    empty = next((number for number, part in enumerate(parts, 1) if not part.strip()), None)
    if empty is not None and len(parts) > 1:
        raise ValueError(f"strand {empty} is empty: {SEPARATOR} stands between two strands")
    return parts


def lengths_of(parts: Sequence[Sequence[object]]) -> tuple[int, ...]:
    """Length of each strand; none at all for one strand."""
    return tuple(map(len, parts)) if len(parts) > 1 else ()


def bounds(strands: Sequence[int], length: int) -> list[tuple[int, int]]:
    """First residue of each strand and the first behind it; of one strand without lengths, 0 and `length`."""
    ends = list(accumulate(strands or (length,)))
    return list(zip([0, *ends[:-1]], ends))


def with_separators(text: str, strands: Sequence[int]) -> str:
    """A text with one symbol per residue, `&` between its strands."""
    return SEPARATOR.join(text[start:stop] for start, stop in bounds(strands, len(text)))


def strand_numbers(strands: Sequence[int], length: int) -> Int32[np.ndarray, " L"]:
    """Number of the strand of each residue, from 0."""
    sizes = strands or (length,)
    return np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
