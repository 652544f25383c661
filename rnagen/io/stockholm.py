"""Stockholm alignments, as Rfam and Infernal write them, and the secondary structure that their sequences share."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rnagen.errors import InputError
from rnagen.io.dot_bracket import parse_dot_bracket
from rnagen.io.records import Found, Record
from rnagen.structure import UNPAIRED

GAPS = str.maketrans("", "", ".-~_")
"""Characters of a row that are not residues."""
_UNPAIRED = str.maketrans(",-_:~.", "......")


@dataclass
class Stockholm:
    """One alignment of a file, its blocks joined."""

    rows: dict[str, str] = field(default_factory=dict)
    """By name, with gaps."""
    structure: str = ""
    """The consensus secondary structure (WUSS notation), empty without one."""


def is_stockholm(lines: Sequence[str]) -> bool:
    """Whether the first line that is not blank is the header of the format."""
    first = next((line for line in lines if line.strip()), "")
    return first.lstrip("# \t").startswith("STOCKHOLM") and first.startswith("#")


def split_stockholm(path: Path, lines: Sequence[str]) -> list[Stockholm]:
    """The alignments of a file that have a row; each ends with `//` or with the file.

    Raises:
        InputError: a line is not a name and a row, or there is no row.
    """
    rows: list[dict[str, list[str]]] = [{}]
    structures: list[list[str]] = [[]]
    for line in lines:
        words = line.split()
        if words == ["//"]:
            rows.append({})
            structures.append([])
        elif words[:2] == ["#=GC", "SS_cons"]:
            structures[-1] += words[2:]
        elif words and not line.startswith("#"):
            if len(words) != 2:
                raise InputError(path, words[0][:40], "is not a line of a Stockholm file: name and row are expected")
            rows[-1].setdefault(words[0], []).append(words[1])
    found = [
        Stockholm({name: "".join(parts) for name, parts in some.items()}, "".join(structure))
        for some, structure in zip(rows, structures)
        if some
    ]
    if not found:
        raise InputError(path, None, "a Stockholm file without a sequence")
    return found


def read_stockholm(path: Path, lines: Sequence[str]) -> list[Found]:
    """Each sequence without its gaps, with the pairs of the consensus whose two ends are residues of it.

    Raises:
        InputError: as `split_stockholm`.
    """
    found: list[Found] = []
    for alignment in split_stockholm(path, lines):
        structure = alignment.structure.translate(_UNPAIRED)
        try:
            pair_table = [int(j) for j in parse_dot_bracket(structure)]
        except ValueError as error:
            found.append(InputError(path, "SS_cons", f"secondary structure: {error}"))
            continue
        found += [_record(path, name, row, structure, pair_table) for name, row in alignment.rows.items()]
    return found


def _record(path: Path, name: str, row: str, structure: str, pair_table: list[int]) -> Found:
    sequence = row.translate(GAPS)
    if not structure:
        return Record(name, sequence)
    if len(row) != len(structure):
        return InputError(path, name, f"{len(row)} columns, but SS_cons has {len(structure)}")
    is_residue = [bool(letter.translate(GAPS)) for letter in row]
    projected = [
        symbol if j == UNPAIRED or is_residue[j] else "."
        for symbol, j, residue in zip(structure, pair_table, is_residue)
        if residue
    ]
    return Record(name, sequence, "".join(projected))
