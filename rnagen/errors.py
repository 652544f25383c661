"""Errors for bad inputs and bad options, everywhere in rnagen."""

from pathlib import Path

from rnagen.messages import one_line

MAXIMUM_PATH, MAXIMUM_RECORD, MAXIMUM_REASON = 180, 60, 250
"""Characters of each part of a message, so that the whole is a line or two, whatever the input holds."""


def _end_of(path: str) -> str:
    """The end of a long path, which tells more than its beginning."""
    path = one_line(path, len(path))
    return path if len(path) <= MAXIMUM_PATH else "…" + path[1 - MAXIMUM_PATH :]


class InputError(ValueError):
    """A file, or one record of it, that cannot be used. The message reads `FILE: RECORD: reason`.

    Library code raises it; the command line turns it into exit code 2 (or a row of the table of skipped records).
    Record and reason are cut to one line each, so that a message never repeats a whole input.
    """

    def __init__(self, file: str | Path, record: str | None, reason: str) -> None:
        self.file = str(file)
        self.record = None if record is None else one_line(record, MAXIMUM_RECORD)
        self.reason = one_line(reason, MAXIMUM_REASON)
        super().__init__(": ".join(part for part in (_end_of(self.file), self.record, self.reason) if part))

    def __reduce__(self) -> tuple[type, tuple[str, str | None, str]]:
        """Pickled by its parts, so that worker processes can hand it back."""
        return type(self), (self.file, self.record, self.reason)


class ConfigError(ValueError):
    """An option has a value that cannot be used; the message names option and file."""
