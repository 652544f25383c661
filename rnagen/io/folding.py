"""A sequence with the secondary structures that programs such as RNAfold and RNAsubopt print below it."""

import re
from collections.abc import Sequence

from rnagen.io.dot_bracket import parse_dot_bracket
from rnagen.io.residues import clean_sequence
from rnagen.strands import SEPARATOR

_BRACKETS = re.compile(r"[.?()\[\]{}<>\-,|]+")
_WITH_LETTERS = re.compile(r"[.?()\[\]{}<>\-A-Za-z]+")
_KINDS = frozenset("()[]{}<>")
_COMPONENT = re.compile(r"\(\w+\)")
_ENERGY = re.compile(r"[(\[{]?\s*[-+]?\d.*")
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")
_STATISTICS = "frequency of mfe structure"


def split_folding(lines: Sequence[str]) -> tuple[str, str | None, tuple[str, ...]]:
    """(text of the sequence, its first secondary structure, warnings) of the lines of a record below its header.

    A secondary structure may be wrapped; it ends with its energy, or where it is as long as the sequence. The lines
    below it are ignored, with a warning. Nothing is checked here.
    """
    first = next((i for i, line in enumerate(lines) if is_structure(line)), len(lines))
    sequence = "\n".join(_without_energies(line) for line in lines[:first])
    below = [line for line in lines[first:] if line.strip() and not line.lstrip().startswith(_STATISTICS)]
    if not below:
        return sequence, None, ()
    count = _lines_of_first(below, _length(sequence))
    structure = "".join(_structure_and_rest(line)[0] for line in below[:count])
    ignored = len(below) - count
    warning = f"the first secondary structure counts; lines ignored below it: {ignored}"
    return sequence, structure, (warning,) if ignored else ()


def is_structure(line: str) -> bool:
    """Whether a line is a secondary structure, perhaps with an energy behind it, and not a sequence.

    Letters are pseudoknots in a secondary structure, residues in a sequence, and components in `GG(PSU)A`.
    """
    symbols, rest = _structure_and_rest(line)
    symbols = symbols.replace(SEPARATOR, "")
    if rest and not _ENERGY.fullmatch(rest):
        return False
    if symbols.isalpha() or not _WITH_LETTERS.fullmatch(symbols):
        return bool(_BRACKETS.fullmatch(symbols))
    letters, plain = sum(map(str.isalpha, symbols)), _COMPONENT.sub("", symbols)
    if not letters or (2 * letters <= len(symbols) and not _KINDS.isdisjoint(plain)):
        return True
    try:
        parse_dot_bracket(symbols)
    except ValueError:
        return False
    return True


def _structure_and_rest(line: str) -> tuple[str, str]:
    """The first word of a line, and what follows: `((...))` and `( -1.20)`."""
    symbols, rest, *_ = [*line.split(maxsplit=1), "", ""]
    return symbols, rest.strip()


def _without_energies(line: str) -> str:
    """A line of the sequence without the two numbers that RNAsubopt prints behind it: minimum, and range above it."""
    words = line.split()
    return words[0] if len(words) == 3 and all(map(_NUMBER.fullmatch, words[1:])) else line


def _lines_of_first(lines: Sequence[str], length: int) -> int:
    """How many lines the first secondary structure has."""
    found = 0
    for count, line in enumerate(lines, start=1):
        symbols, energy = _structure_and_rest(line)
        found += len(symbols.replace(SEPARATOR, ""))
        if energy or found >= length:
            return count
    return len(lines)


def _length(sequence: str) -> int:
    try:
        return len(clean_sequence(sequence.replace(SEPARATOR, ""))[0])
    except ValueError:
        return 0
