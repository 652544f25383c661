"""What the readers of targets find in a file, before anything is checked; and its lines."""

from dataclasses import dataclass
from pathlib import Path

from rnagen.errors import InputError
from rnagen.io.files import read_text

MOST_LINES = 5_000_000
"""Of a file of records; a record of two short lines takes a hundred times its bytes in memory."""


@dataclass(frozen=True)
class Record:
    """One RNA as its file gives it."""

    name: str
    sequence: str
    secondary_structure: str | None = None
    """In dot-bracket notation."""
    warnings: tuple[str, ...] = ()
    """What was left out or decided in reading it."""
    release_date: str = ""
    """As written there; empty where there is none."""


Found = Record | InputError
"""A record, or why it cannot be used."""


def read_lines(path: Path) -> list[str]:
    """The lines of a text file.

    Raises:
        InputError: as `read_text`, or there are more than `MOST_LINES`.
    """
    lines = text_lines(read_text(path))
    if len(lines) > MOST_LINES:
        raise InputError(path, None, f"has more than {MOST_LINES:,} lines: split it into several files")
    return lines


def text_lines(text: str) -> list[str]:
    """The lines of a text, whatever the system that wrote it."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
