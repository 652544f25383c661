"""PDB -> a parsed structure: columns that cannot be read are unknown, strands whose numbers begin anew stay apart."""

import re
from itertools import islice

import gemmi

from rnagen.dates import NO_DATE, parse_date
from rnagen.io.entry import Entry, masked
from rnagen.io.residues import is_rna
from rnagen.structure import IMPOSSIBLE

_POSITION = (30, 38, 46)
"""First columns, from 0, of the coordinates of an atom record; each has eight."""
_END_OF_POSITION = 54
_INDENT = re.compile(r"^\s+(?=ATOM  |HETATM)")
_ORIGIN = re.compile(r"(?: *-?0\.0+ *){3}")
"""Several atoms at the origin are unknown: some programs write zeros for what they did not predict."""
_UNKNOWN_POSITION = "9999.000" * 3
_HEADER = re.compile(r"^HEADER.{56}(\w{4})", re.MULTILINE)
_MODRES = re.compile(r"^MODRES.{6}(.{3}).{9}(.{3})", re.MULTILINE)
_FIRST_RELEASE = re.compile(r"^REVDAT +1 {3,4}(\d\d)-([A-Z]{3})-(\d\d)", re.MULTILINE)
_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]


def parse_pdb(text: str) -> Entry:
    """The structure of a PDB file.

    The release date is that of REVDAT 1; the date of HEADER is the deposition's and does not count.
    Atoms whose position cannot be read stay as atoms of an unknown one, so that their residue stays.
    """
    lines = [_INDENT.sub("", line) for line in text.splitlines(keepends=True)]
    atoms = [number for number, line in enumerate(lines) if line.startswith(("ATOM", "HETATM"))]
    if not atoms:
        raise ValueError("neither mmCIF nor a PDB file with ATOM records")
    if 2 * sum("\t" in lines[number][:_END_OF_POSITION] for number in atoms) > len(atoms):
        raise ValueError(f"line {atoms[0] + 1}: tabs where the format has columns of fixed width")
    if len(lines[atoms[-1]].rstrip()) < _END_OF_POSITION:
        raise ValueError(f"line {atoms[-1] + 1}: an atom record cut short: the file is truncated")
    unknown = [number for number in atoms if not _has_position(lines[number])]
    at_origin = [number for number in atoms if _ORIGIN.fullmatch(lines[number][30:54])]
    unknown = sorted(unknown + at_origin) if len(at_origin) > 1 else unknown
    _refuse_shifted([lines[number] for number in unknown], unknown, len(atoms))
    for number in unknown:
        lines[number] = f"{lines[number].rstrip()[:30]:30}{_UNKNOWN_POSITION}{lines[number].rstrip()[54:]}\n"
    refused = _unnumbered(lines, atoms)
    _separate_restarts(lines)
    known = "".join(line for line in lines if not (line.startswith(("ATOM", "HETATM")) and line[21:22] in refused))
    structure = gemmi.read_pdb_string(known, split_chain_on_ter=True)
    _forget_unknown(structure)
    header = _HEADER.search(text)
    return Entry(
        structure,
        id=header[1] if header else "",
        release_date=_release_date(text),
        parents={match[1].strip(): match[2].strip() for match in _MODRES.finditer(text)},
        declared={
            entity.name: tuple(gemmi.Entity.first_mon(names) for names in entity.full_sequence)
            for entity in structure.entities
        },
        refused={chain.strip(): reason for chain, reason in refused.items()},
        notes=masked(len(unknown), f"line {unknown[0] + 1}") if unknown else (),
        are_names_remediated=False,
    )


def _has_position(line: str) -> bool:
    """Whether the coordinates of an atom record can be read, and are those of a molecule."""
    try:
        xyz = [float(line[start : start + 8]) for start in _POSITION]
    except ValueError:
        return False
    return all(abs(value) < IMPOSSIBLE for value in xyz) and not all(value >= 9999 for value in xyz)


def _refuse_shifted(lines: list[str], numbers: list[int], atoms: int) -> None:
    """Raise if most atom records have their coordinates in other columns than the format has them."""
    for shift in (1, -1, 2, -2, 3, -3, 4, -4):
        shifted = [n for n, line in zip(numbers, lines) if _SHIFTED.fullmatch(line[30 + shift : 54 + shift])]
        if 2 * len(shifted) > atoms:
            where = f"the coordinates begin in column {31 + shift}, but the format has them from column 31"
            raise ValueError(f"line {shifted[0] + 1}: {where} (all columns are shifted by {shift})")


_SHIFTED = re.compile(r"(?: *-?\d+\.\d{3}){3}")


def _unnumbered(lines: list[str], atoms: list[int]) -> dict[str, str]:
    """Chains (column 22) with a nucleotide whose residue number cannot be read, and the reason."""
    refused: dict[str, str] = {}
    for number in atoms:
        line = lines[number]
        if not _NUMBER.fullmatch(line[22:26]) and is_rna(line[17:20]):
            refused.setdefault(line[21], f"line {number + 1}: residue number {line[22:26]!r} cannot be read")
    return refused


_NUMBER = re.compile(r" *-?\d+ *|[A-Za-z][0-9A-Za-z]{3}")
"""As the format has it; the letters are those of the hybrid-36 extension."""


def _separate_restarts(lines: list[str]) -> None:
    """In place: a TER record where the residue numbers of a chain begin anew, without which gemmi would merge residues
    of one number."""
    seen: dict[str, set[str]] = {}
    last = ""
    for number, line in enumerate(lines):
        if line.startswith(("TER", "MODEL", "ENDMDL")):
            seen, last = {}, ""
        elif line.startswith(("ATOM", "HETATM")):
            chain, residue, atom = line[21], line[21:27], line[12:17] + line[21:27]
            is_repeated = residue != last and atom in seen.setdefault(chain, set())
            if is_repeated and _goes_on(lines, number, chain):
                lines[number] = "TER\n" + line
                seen[chain] = set()
            seen.setdefault(chain, set()).add(atom)
            last = residue


def _goes_on(lines: list[str], start: int, chain: str) -> bool:
    """Whether a chain has atoms of two residues before its next TER record: one alone is an atom out of place."""
    residues: set[str] = set()
    for line in islice(lines, start, None):
        if line.startswith(("TER", "MODEL", "ENDMDL")):
            break
        if line.startswith(("ATOM", "HETATM")) and line[21] == chain:
            residues.add(line[22:27])
            if len(residues) > 1:
                return True
    return False


def _forget_unknown(structure: gemmi.Structure) -> None:
    """In place: NaN for unknown positions, so that no distance to them is short."""
    for model in structure:
        for chain in model:
            for residue in chain:
                for atom in residue:
                    if atom.pos.x == atom.pos.y == atom.pos.z == 9999:
                        atom.pos = gemmi.Position(*[float("nan")] * 3)


def _release_date(text: str) -> str:
    match = _FIRST_RELEASE.search(text)
    if match is None or match[2] not in _MONTHS:
        return NO_DATE
    year = int(match[3])
    century = 1900 if year > 70 else 2000  # the archive began in 1971
    return parse_date(f"{century + year}-{_MONTHS.index(match[2]) + 1:02d}-{match[1]}")
