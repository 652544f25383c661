"""Clustal alignments, as Clustal, MUSCLE and other aligners write them."""

from collections.abc import Sequence
from pathlib import Path

from rnagen.errors import InputError
from rnagen.io.records import Record
from rnagen.io.stockholm import GAPS

_HEADERS = ("CLUSTAL", "MUSCLE")


def is_clustal(lines: Sequence[str]) -> bool:
    """Whether the first line that is not blank names one of the programs."""
    return next((line for line in lines if line.strip()), "").strip().startswith(_HEADERS)


def split_clustal(path: Path, lines: Sequence[str]) -> dict[str, str]:
    """Rows with gaps by name, blocks joined. Counts behind the rows and the line of the consensus are left out.

    Raises:
        InputError: a line is not a name, a row and perhaps a count; or there is no row.
    """
    rows: dict[str, list[str]] = {}
    header = next(number for number, line in enumerate(lines) if line.strip())
    for line in lines[header + 1 :]:
        words = line.split()
        # The consensus (* : .) has no name: its line begins with a blank.
        if not words or line[0].isspace():
            continue
        if len(words) == 1 or len(words) > 3 or (len(words) == 3 and not words[2].isdecimal()):
            raise InputError(path, words[0][:40], "is not a line of a Clustal file: name, row and perhaps a count")
        rows.setdefault(words[0], []).append(words[1])
    if not rows:
        raise InputError(path, None, "a Clustal file without a sequence")
    return {name: "".join(parts) for name, parts in rows.items()}


def read_clustal(path: Path, lines: Sequence[str]) -> list[Record]:
    """Each sequence without its gaps.

    Raises:
        InputError: as `split_clustal`.
    """
    return [Record(name, row.translate(GAPS)) for name, row in split_clustal(path, lines).items()]
