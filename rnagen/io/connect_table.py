"""Tables of residues and the residues that they are paired with: ct (mfold, RNAstructure) and bpseq files."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from rnagen.errors import InputError
from rnagen.io.dot_bracket import format_dot_bracket
from rnagen.io.formats import stem
from rnagen.io.records import Found, Record
from rnagen.messages import one_line

_COUNT = re.compile(r"\d{1,9}")
_CT_HEADER = re.compile(r"\s*\d{1,9}(\s.*)?")
_CT_ROW = re.compile(r"\s*\d+\s+\S\s+\d+\s+\d+\s+\d+(\s.*)?")
_BPSEQ_ROW = re.compile(r"\s*\d+\s+\S\s+\d+\s*")
_ENERGY = re.compile(r"(\b(dG|energy) ?=? ?|(?<!\S))[-+]?[\d.]+(?!\S)|\[initially [^\[\]]*\]", flags=re.IGNORECASE)
_CRW_HEADER = re.compile(r"(Filename|Organism|Accession Number|Citation)\b.*")
"""The four lines above the table of a bpseq file of the Comparative RNA Web Site."""


def is_ct(lines: Sequence[str]) -> bool:
    """Whether the first lines are a header, which begins with a number, and a residue."""
    head = list(islice(_content(lines), 2))
    return len(head) == 2 and bool(_CT_HEADER.fullmatch(head[0]) and _CT_ROW.fullmatch(head[1]))


def is_bpseq(lines: Sequence[str]) -> bool:
    """Whether the first line is a residue: number, base, and number of the one it is paired with."""
    return bool(_BPSEQ_ROW.fullmatch(next(_content(lines), "")))


def read_ct(path: Path, lines: Sequence[str]) -> list[Found]:
    """The RNAs of a ct file, named by their titles, or by the file. Of several secondary structures the first counts.

    A pseudoknot is a bracket of another kind. A damaged table is an error; those behind it are read.
    """
    tables = list(_tables(path, list(_content(lines))))
    records = [table for table in tables if isinstance(table, Record)]
    errors = [table for table in tables if isinstance(table, InputError)]
    first: dict[tuple[str, str], Record] = {}
    for record in records:
        first.setdefault((record.name, record.sequence), record)
    copies = Counter((record.name, record.sequence) for record in records)
    return [*(_with_warning(record, copies[key] - 1) for key, record in first.items()), *errors]


def read_bpseq(path: Path, lines: Sequence[str]) -> list[Found]:
    """The RNA of a bpseq file, named by the file; a pseudoknot is a bracket of another kind."""
    return [_record(path, stem(path), [line.split() for line in _content(lines)])]


def _content(lines: Sequence[str]) -> Iterator[str]:
    """The lines that are not blank, a comment or a description."""
    for line in lines:
        if line.strip() and not line.startswith("#") and not _CRW_HEADER.fullmatch(line):
            yield line


def _tables(path: Path, content: list[str]) -> Iterator[Found]:
    """The record of each table of a ct file."""
    start = 0
    while start < len(content):
        length, title, *_ = [*content[start].split(maxsplit=1), ""]
        if not _COUNT.fullmatch(length):
            reason = "stands where the header of a table, which begins with its number of residues, should be"
            yield InputError(path, content[start].strip()[:40], reason)
            return
        end = start + 1 + int(length)
        name = next(iter(_ENERGY.sub(" ", " ".join(title.split())).split()), stem(path))
        rows = [line.split() for line in content[start + 1 : end]]
        if end > len(content):
            yield InputError(path, name, f"{len(rows)} residues, but the header has {length}")
        else:
            yield _record(path, name, [[*row[:2], *row[4:5]] for row in rows])
        start = end


def _with_warning(record: Record, others: int) -> Record:
    warning = f"the first secondary structure counts; others ignored: {others}"
    return replace(record, warnings=(warning,)) if others else record


def _record(path: Path, name: str, rows: list[list[str]]) -> Found:
    """Of rows (number, base, number of the residue that it is paired with, or 0)."""
    pair_table = []
    for number, row in enumerate(rows, start=1):
        if len(row) != 3 or row[0] != str(number) or not _COUNT.fullmatch(row[2]):
            reason = (
                f"residue {number}: {one_line(' '.join(row), 40)!r} where its number, its base and a number should be"
            )
            return InputError(path, name, reason)
        pair_table.append(int(row[2]) - 1)
    try:
        secondary_structure = format_dot_bracket(pair_table)
    except ValueError as error:
        return InputError(path, name, f"secondary structure: {error}")
    return Record(name, "".join(base for _, base, _ in rows), secondary_structure)
