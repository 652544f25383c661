"""Secondary structures in dot-bracket notation, pseudoknots included."""

import re

import numpy as np
from jaxtyping import Int16

from rnagen.structure import UNKNOWN, UNPAIRED

BRACKETS = {"(": ")", "[": "]", "{": "}", "<": ">"}
"""Each kind nests within itself; two kinds may cross."""
_LINE = re.compile(r"[.?()\[\]{}<>\-]+")
_ENERGY = re.compile(r"\s+\(\s*-?\d+(\.\d+)?\)\s*$")


def is_dot_bracket(line: str) -> bool:
    """Whether a line is a secondary structure, perhaps followed by an energy as RNAfold prints it."""
    return bool(_LINE.fullmatch(without_energy(line)))


def without_energy(line: str) -> str:
    """The line without the energy that RNAfold prints after a structure and without surrounding white space."""
    return _ENERGY.sub("", line).strip()


def parse_dot_bracket(text: str) -> Int16[np.ndarray, " L"]:
    """Pair table: the residue (from 0) that each is paired with, `UNPAIRED` for `.` and `-`, `UNKNOWN` for `?`.

    Raises:
        ValueError: an unmatched bracket or another character; the message names it and its position.
    """
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
            raise ValueError(f"position {j + 1}: {symbol!r} is not a dot-bracket symbol (.-?()[]{{}}<>)")
    for closing, positions in opened.items():
        if positions:
            raise ValueError(f"position {positions[-1] + 1}: a bracket without its {closing!r}")
    return pair_table
