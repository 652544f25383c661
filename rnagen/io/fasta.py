"""Targets from FASTA (with secondary structures or without), from Kaggle tables of sequences, or a folder of both."""

import re
from pathlib import Path

from rnagen.errors import InputError
from rnagen.io.dot_bracket import is_dot_bracket, without_energy
from rnagen.io.files import read_text
from rnagen.io.kaggle import read_sequences
from rnagen.io.target import Target, make_target


def read_targets(path: str | Path) -> tuple[list[Target], list[InputError]]:
    """(good targets, one error per bad record) of a FASTA file, a Kaggle table of sequences, or a folder of them.

    The content of a file decides its format, gzipped or not. A folder is read in the order of its file names, without
    dot files and subfolders; a file that cannot be read at all is one error. Of two records of one name, the first
    counts and the second is an error.

    Raises:
        InputError: the file cannot be read, is empty, is neither FASTA nor table, or has no record; the folder has no
            files.
    """
    path = Path(path)
    if not path.is_dir():
        return _check(_records(path))
    files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    if not files:
        raise InputError(path, None, "no file in this folder")
    records: list[_Record] = []
    unreadable: list[InputError] = []
    for file in files:
        try:
            records += _records(file)
        except InputError as error:
            unreadable.append(error)
    targets, errors = _check(records)
    return targets, unreadable + errors


_Record = tuple[Path, str, str, str | None]
"""File, name, text of the sequence, and secondary structure if there is one."""


def _check(records: list[_Record]) -> tuple[list[Target], list[InputError]]:
    """Targets of the records that are good, an error for each that is not."""
    targets: dict[str, Target] = {}
    errors = []
    for file, name, text, secondary_structure in records:
        try:
            target = make_target(file, name, text, secondary_structure)
            if name in targets:
                raise InputError(file, name, "a second record of this name")
            targets[name] = target
        except InputError as error:
            errors.append(error)
    return list(targets.values()), errors


def _records(path: Path) -> list[_Record]:
    text = read_text(path)
    if text.lstrip().startswith(">"):
        return _fasta_records(path, text)
    header = text.lstrip().split("\n", 1)[0].strip().split(",")
    if {"target_id", "id"} & set(header):
        return [(path, record.name, record.sequence, None) for record in read_sequences(path)]
    raise InputError(path, None, "neither FASTA (>name) nor a table with a target_id (or id) column")


def _fasta_records(path: Path, text: str) -> list[_Record]:
    before, *records = re.split(r"^>", text, flags=re.MULTILINE)
    if before.strip() or not records:
        raise InputError(path, None, f"is not FASTA: {text.split()[0][:40]!r} where a header (>name) should be")
    return [(path, *_split_record(record)) for record in records]


def _split_record(record: str) -> tuple[str, str, str | None]:
    """(name, sequence, secondary structure): as RNAfold prints it, the structure stands below the sequence."""
    header, *lines = record.splitlines()
    first = next((i for i, line in enumerate(lines) if is_dot_bracket(line)), len(lines))
    secondary_structure = "".join(without_energy(line) for line in lines[first:])
    return next(iter(header.split()), ""), "\n".join(lines[:first]), secondary_structure or None
