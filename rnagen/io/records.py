"""What the readers of targets find in a file, before anything is checked; and its lines."""

from dataclasses import dataclass

from rnagen.errors import InputError


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


def text_lines(text: str) -> list[str]:
    """The lines of a text, whatever the system that wrote it."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
