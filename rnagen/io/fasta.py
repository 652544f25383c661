"""FASTA, with secondary structures or without; A3M and aligned FASTA are split into the same records."""

import re
from collections.abc import Sequence
from pathlib import Path

from rnagen.errors import InputError
from rnagen.io.folding import is_structure, split_folding
from rnagen.io.records import Found, Record
from rnagen.io.stockholm import GAPS

COMMENTS = (";", "#")
"""First characters of a comment line; A3M files begin with `#A3M#` or `#101 1`."""

_ROW = re.compile(r"[A-Za-z.-]+")


def is_fasta(lines: Sequence[str]) -> bool:
    """Whether the first line that is neither blank nor a comment is a header."""
    return next((line for line in lines if line.strip() and not line.startswith(COMMENTS)), "").startswith(">")


def split_fasta(path: Path, lines: Sequence[str]) -> list[tuple[str, list[str]]]:
    """(header without `>`, lines below it) of each record, without comments.

    Raises:
        InputError: there is no header, or something else before the first.
    """
    records: list[tuple[str, list[str]]] = []
    for line in lines:
        if line.startswith(COMMENTS):
            continue
        if line.startswith(">"):
            records.append((line[1:].strip(), []))
        elif records:
            records[-1][1].append(line)
        elif line.strip():
            raise InputError(path, None, f"is not FASTA: {line.split()[0][:40]!r} where a header (>name) should be")
    if not records:
        raise InputError(path, None, "is not FASTA: no header (>name)")
    return records


def read_fasta(path: Path, lines: Sequence[str]) -> list[Found]:
    """The records of a FASTA file; the name is the first word of a header. A `*` at the end of a sequence is left
    out, and so are the gaps (`-` or `.`) of an alignment: of several records of one length.

    Raises:
        InputError: as `split_fasta`.
    """
    records = split_fasta(path, lines)
    if _is_aligned([rows for _, rows in records]):
        records = [(header, ["".join(rows).translate(GAPS)]) for header, rows in records]
    return [_record(path, number, *record) for number, record in enumerate(records, start=1)]


def _is_aligned(records: Sequence[list[str]]) -> bool:
    """Whether these are the rows of an alignment: of one length, letters and gaps alone, and some gaps. A line of dots
    is a secondary structure without pairs, one of hyphens is none."""
    rows = ["".join("".join(lines).split()) for lines in records]
    if len(rows) < 2 or len({len(row) for row in rows}) > 1 or not all(map(_ROW.fullmatch, rows)):
        return False
    structures = (line for lines in records for line in lines if is_structure(line) and set(line.split()[0]) != {"-"})
    return any(not row.isalpha() for row in rows) and not any(structures)


def _record(path: Path, number: int, header: str, lines: list[str]) -> Found:
    if not header:
        return InputError(path, f"record {number}", "has no name: write one behind its >")
    sequence, secondary_structure, warnings = split_folding(lines)
    return Record(header.split()[0], sequence.rstrip().removesuffix("*"), secondary_structure, warnings)
