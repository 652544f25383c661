"""Files of one RNA without a name, which is that of the file: a sequence alone, or with its secondary structure."""

import re
from collections.abc import Sequence
from pathlib import Path

from rnagen.io.folding import is_structure, split_folding
from rnagen.io.formats import stem
from rnagen.io.records import Record

_NUCLEOTIDES = re.compile(r"[ACGUTNacgutn&\s]+")


def is_folding(lines: Sequence[str]) -> bool:
    """Whether a line is a secondary structure (not `>a`), and all above it, at least one, begin with a letter."""
    content = _content(lines)
    first = next((i for i, line in enumerate(content) if is_structure(line)), 0)
    above = all(line.lstrip()[0].isalpha() for line in content[:first])
    return first > 0 and above and not content[first].startswith(">")


def is_plain(lines: Sequence[str]) -> bool:
    """Whether all letters are nucleotides (and `&`): words of letters that stand for several bases could be text."""
    content = _content(lines)
    return bool(content) and all(_NUCLEOTIDES.fullmatch(line) for line in content)


def read_folding(path: Path, lines: Sequence[str]) -> list[Record]:
    """The RNA of a file of a sequence and its secondary structure."""
    return [Record(stem(path), *split_folding(_content(lines)))]


def read_plain(path: Path, lines: Sequence[str]) -> list[Record]:
    """The RNA of a file of a sequence; several lines are one sequence, with a warning."""
    content = _content(lines)
    warnings = (f"{len(content)} lines are read as one sequence",) if len(content) > 1 else ()
    return [Record(stem(path), "\n".join(content), None, warnings)]


def _content(lines: Sequence[str]) -> list[str]:
    return [line for line in lines if line.strip() and not line.startswith(("#", ";"))]
