"""An alignment of homologous sequences, read into columns of the query's residues."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from rnagen.errors import InputError
from rnagen.io.clustal import is_clustal, split_clustal
from rnagen.io.fasta import split_fasta
from rnagen.io.records import read_lines
from rnagen.io.stockholm import is_stockholm, split_stockholm
from rnagen.structure import BASES

GAP = len(BASES)
"""Code of a gap; a residue's code is its position in `BASES`."""
MAXIMUM_ROWS = 512
"""Rows read by default: cost grows with their number, while each further row adds less."""
_AGREES = BASES.index("N")


@dataclass(frozen=True)
class Alignment:
    """Rows of an alignment over the residues of its first row, the query; no two rows are equal."""

    rows: UInt8[np.ndarray, "N L"]
    """Position in `BASES`, or `GAP`. Row 0 is the query and has no gap."""

    @property
    def sequence(self) -> str:
        """The query, over `BASES`, length L."""
        return "".join(BASES[code] for code in self.rows[0])


def read_alignment(path: str | Path, sequence: str, maximum_rows: int = MAXIMUM_ROWS) -> Alignment:
    """The rows of a FASTA, A3M, Stockholm or Clustal file, gzipped or not, restricted to the residues of its first row,
    the query.

    Rows of one length are columns as they stand: case does not matter, `-`, `.`, `~` and `_` are gaps. Otherwise the
    file is A3M: lower-case letters and `.` are insertions and are left out. T is U, other letters are N. A row that
    repeats an earlier one is left out; of the others, the first `maximum_rows` are read: search tools write the best
    hits first.

    Args:
        path: the file.
        sequence: the query over `BASES`; a residue that is N here or in the file matches any other.
        maximum_rows: the query counts as one.

    Raises:
        InputError: the file cannot be read, is empty or has none of the formats, or several alignments; a row is empty,
            has a character that is neither letter nor gap, or another length than the query; the query is not
            `sequence`.
        ValueError: `maximum_rows` is below 1.
    """
    if maximum_rows < 1:
        raise ValueError(f"{maximum_rows} rows: the query is one")
    path = Path(path)
    names, texts = _rows(path)
    if len({len(text) for text in texts}) > 1:
        texts = [_INSERTION.sub("", text) for text in texts]
    width = len(texts[0])
    for name, text in zip(names, texts, strict=True):
        if len(text) != width:
            raise InputError(path, name, f"ragged: {len(text)} columns without insertions, but the query has {width}")
    codes = np.stack([_CODES[np.frombuffer(text.encode("ascii"), dtype=np.uint8)] for text in texts])
    codes = codes[:, codes[0] != GAP]
    _check_query(path, names[0], codes[0], sequence)
    codes[0] = [BASES.index(base) for base in sequence]
    first = np.unique(codes, axis=0, return_index=True)[1]
    # The query is the first of its like, so that sorting keeps it first.
    return Alignment(codes[np.sort(first)[:maximum_rows]])


_INSERTION = re.compile(r"[a-z.]")
_FOREIGN = re.compile(r"[^A-Za-z.\-]")
_OTHER_GAPS = str.maketrans("~_", "--")


def _code_table() -> UInt8[np.ndarray, "128"]:
    table = np.full(128, _AGREES, dtype=np.uint8)
    for letter, code in [*zip(BASES, range(GAP)), ("T", BASES.index("U")), ("-", GAP), (".", GAP)]:
        table[[ord(letter.upper()), ord(letter.lower())]] = code
    return table


_CODES = _code_table()
"""Code of each ASCII character that is a letter or a gap."""


def _rows(path: Path) -> tuple[list[str], list[str]]:
    """Names and texts of the rows, white space left out; a text has letters, `-` and `.` only."""
    names, texts = [], []
    for name, row in _found(path):
        names.append(name)
        texts.append("".join(row.split()).translate(_OTHER_GAPS))
        if not texts[-1]:
            raise InputError(path, name, "empty row")
        if foreign := _FOREIGN.search(texts[-1]):
            reason = f"position {foreign.start() + 1}: {foreign[0]!r} is neither a letter nor a gap"
            raise InputError(path, name, reason)
    return names, texts


def _found(path: Path) -> list[tuple[str, str]]:
    """(name, row) as the file has them."""
    lines = read_lines(path)
    if is_stockholm(lines):
        alignments = split_stockholm(path, lines)
        if len(alignments) > 1:
            raise InputError(path, None, f"holds {len(alignments)} alignments; write each to a file of its own")
        return list(alignments[0].rows.items())
    if is_clustal(lines):
        return list(split_clustal(path, lines).items())
    records = enumerate(split_fasta(path, lines), start=1)
    return [(header.split()[0] if header else f"record {n}", "".join(rows)) for n, (header, rows) in records]


def _check_query(path: Path, name: str, codes: UInt8[np.ndarray, " L"], sequence: str) -> None:
    """Raise where the query is not the sequence."""
    if len(codes) != len(sequence):
        raise InputError(path, name, f"the query has {len(codes)} residues, but the sequence has {len(sequence)}")
    for position, (code, base) in enumerate(zip(codes, sequence), start=1):
        if BASES[code] != base and "N" not in (BASES[code], base):
            reason = f"position {position}: the query has {BASES[code]}, but the sequence has {base}"
            raise InputError(path, name, reason)
