"""Errors for bad inputs and bad options, everywhere in rnagen."""

from pathlib import Path


class InputError(ValueError):
    """A file, or one record of it, that cannot be used. The message reads `FILE: RECORD: reason`.

    Library code raises it; the command line turns it into exit code 2 (or a row of the table of skipped records).
    """

    def __init__(self, file: str | Path, record: str | None, reason: str) -> None:
        self.file = str(file)
        self.record = record
        self.reason = reason
        super().__init__(": ".join(part for part in (self.file, record, reason) if part))

    def __reduce__(self) -> tuple[type, tuple[str, str | None, str]]:
        """Pickled by its parts, so that worker processes can hand it back."""
        return type(self), (self.file, self.record, self.reason)


class ConfigError(ValueError):
    """An option has a value that cannot be used; the message names option and file."""
