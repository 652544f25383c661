"""Targets from a file of any format that is understood, or from a folder of such files."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from rnagen.dates import parse_optional_date
from rnagen.errors import InputError
from rnagen.io.clustal import is_clustal, read_clustal
from rnagen.io.connect_table import is_bpseq, is_ct, read_bpseq, read_ct
from rnagen.io.fasta import is_fasta, read_fasta
from rnagen.io.kaggle import read_sequences
from rnagen.io.plain import is_folding, is_plain, read_folding, read_plain
from rnagen.io.records import Found, Record, read_lines
from rnagen.io.stockholm import is_stockholm, read_stockholm
from rnagen.io.target import Target, make_target


def read_targets(path: str | Path) -> tuple[list[Target], list[InputError]]:
    """(good targets, one error per bad record) of a file, or of a folder of files.

    The content of a file decides its format, gzipped or not: `FORMATS`. A folder is read in the order of its file
    names, without dot files and subfolders; a file that cannot be read at all is one error. Of two records of one name,
    the first counts and the second is an error.

    Raises:
        InputError: the file cannot be read, is empty, has no known format, or has no record; the folder has no files.
    """
    path = Path(path)
    if not path.is_dir():
        return _check([(path, found) for found in _read(path)])
    files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    if not files:
        raise InputError(path, None, "no file in this folder")
    records: list[tuple[Path, Found]] = []
    unreadable: list[InputError] = []
    for file in files:
        try:
            records += [(file, found) for found in _read(file)]
        except InputError as error:
            unreadable.append(error)
    targets, errors = _check(records)
    return targets, unreadable + errors


def _check(records: list[tuple[Path, Found]]) -> tuple[list[Target], list[InputError]]:
    """Targets of the records that are good, an error for each that is not."""
    targets: dict[str, Target] = {}
    errors = []
    for file, found in records:
        try:
            target = _target(file, found)
            if target.name in targets:
                raise InputError(file, target.name, "a second record of this name")
            targets[target.name] = target
        except InputError as error:
            errors.append(error)
    return list(targets.values()), errors


def _target(file: Path, found: Found) -> Target:
    if isinstance(found, InputError):
        raise found
    target = make_target(file, found.name, found.sequence, found.secondary_structure)
    try:
        date = parse_optional_date(found.release_date)
    except ValueError as error:
        raise InputError(file, found.name, f"release date: {error}") from None
    return replace(target, warnings=(*target.warnings, *found.warnings), release_date=date)


def _is_table(lines: Sequence[str]) -> bool:
    header = next((line for line in lines if line.strip()), "")
    cells = {cell.strip(" \"'") for cell in re.split("[,;\t]", header)}
    return len(cells) > 1 and bool(cells & {"target_id", "sequence_id", "id", "sequence"})


def _read_table(path: Path, lines: Sequence[str]) -> list[Found]:
    """Tables of profiles repeat an RNA, once for each experiment: equal rows are one record."""
    return [
        InputError(path, row.name or f"line {row.line}", row.fault or "has no name")
        if row.fault or not row.name
        else Record(row.name, row.sequence, release_date=row.temporal_cutoff)
        for row in dict.fromkeys(read_sequences(path))
    ]


Recognises = Callable[[Sequence[str]], bool]
Reads = Callable[[Path, Sequence[str]], Sequence[Found]]
FORMATS: dict[str, tuple[Recognises, Reads]] = {
    "FASTA (>name)": (is_fasta, read_fasta),
    "Stockholm (# STOCKHOLM 1.0)": (is_stockholm, read_stockholm),
    "Clustal (CLUSTAL …)": (is_clustal, read_clustal),
    "a table (target_id, sequence_id or id; sequence)": (_is_table, _read_table),
    "ct": (is_ct, read_ct),
    "bpseq": (is_bpseq, read_bpseq),
    "a sequence above its dot-bracket structure": (is_folding, read_folding),
    "a sequence alone (ACGUTN)": (is_plain, read_plain),
}
"""What is understood: how the lines of a file are recognised, and read. The first that fits counts."""


def _read(path: Path) -> Sequence[Found]:
    lines = read_lines(path)
    for recognises, reads in FORMATS.values():
        if recognises(lines):
            return reads(path, lines)
    what = "has no known format"
    if ".csv" in path.suffixes:
        what = "is a table without a column sequence, or without one of target_id, sequence_id and id"
    raise InputError(path, None, f"{what}; understood are {'; '.join(FORMATS)}")
