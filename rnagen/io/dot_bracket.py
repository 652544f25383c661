"""Secondary structures in dot-bracket notation, pseudoknots included."""

from collections.abc import Sequence
from string import ascii_lowercase, ascii_uppercase

import numpy as np
from jaxtyping import Int16

from rnagen.structure import UNKNOWN, UNPAIRED

BRACKETS = {"(": ")", "[": "]", "{": "}", "<": ">", **dict(zip(ascii_uppercase, ascii_lowercase))}
"""Each kind nests within itself; two kinds may cross."""
LONGEST = np.iinfo(np.int16).max
"""Residues of the longest secondary structure: positions are 16-bit numbers."""


def parse_dot_bracket(text: str) -> Int16[np.ndarray, " L"]:
    """Pair table: the residue (from 0) that each is paired with, `UNPAIRED` for `.` and `-`, `UNKNOWN` for `?`.

    Raises:
        ValueError: an unmatched bracket or another character, which the message names with its position; or more than
            `LONGEST` symbols.
    """
    if len(text) > LONGEST:
        raise ValueError(f"{len(text)} symbols: at most {LONGEST} can be read")
    pair_table = np.full(len(text), UNPAIRED, dtype=np.int16)
    opened: dict[str, list[int]] = {closing: [] for closing in BRACKETS.values()}
    for j, symbol in enumerate(text):
        if symbol in BRACKETS:
            opened[BRACKETS[symbol]].append(j)
        elif symbol in opened:
            if not opened[symbol]:
                raise ValueError(f"position {j + 1}: {symbol!r} closes no bracket")
            i = opened[symbol].pop()
            pair_table[i], pair_table[j] = j, i
        elif symbol == "?":
            pair_table[j] = UNKNOWN
        elif symbol not in ".-":
            raise ValueError(f"position {j + 1}: {symbol!r} is not a dot-bracket symbol (.-?()[]{{}}<>, Aa to Zz)")
    for closing, positions in opened.items():
        if positions:
            raise ValueError(f"position {positions[-1] + 1}: a bracket without its {closing!r}")
    return pair_table


def format_dot_bracket(pair_table: Sequence[int]) -> str:
    """The inverse of `parse_dot_bracket`, for a table without unknown residues; pairs that cross get different kinds.

    Raises:
        ValueError: i is paired with j but j not with i, j is not a residue, or more pairs cross than there are kinds.
    """
    symbols = ["."] * len(pair_table)
    ends: dict[str, list[int]] = {opening: [] for opening in BRACKETS}
    for i, j in enumerate(pair_table):
        if j < 0:
            continue
        if j == i or j >= len(pair_table) or pair_table[j] != i:
            raise ValueError(f"position {i + 1} is paired with {j + 1}, but not the other way round")
        if j > i:
            kind = next((kind for kind, open_ends in ends.items() if not open_ends or j < open_ends[-1]), None)
            if kind is None:
                raise ValueError(f"position {i + 1}: more than {len(BRACKETS)} pairs cross each other")
            ends[kind].append(j)
            symbols[i], symbols[j] = kind, BRACKETS[kind]
        else:
            ends[symbols[j]].pop()
    return "".join(symbols)
