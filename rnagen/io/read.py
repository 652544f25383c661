"""Structure files -> RNAStructure: mmCIF, BinaryCIF and PDB, gzipped or not, every RNA chain with all its models."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from string import ascii_uppercase

import gemmi
import numpy as np

from rnagen.dates import NO_DATE, parse_date, parse_optional_date
from rnagen.errors import InputError
from rnagen.io.atoms import strand_arrays, strand_index, strand_sequence
from rnagen.io.binary_cif import is_binary_cif, read_binary_cif
from rnagen.io.files import decode_text, read_bytes
from rnagen.io.formats import stem
from rnagen.io.residues import is_rna
from rnagen.io.strands import rna_strands
from rnagen.structure import IMPOSSIBLE, RNAStructure, is_possible


@dataclass(frozen=True)
class StructureFile:
    """What a structure file holds, and what it does not."""

    chains: list[RNAStructure]
    """RNA chains with coordinates."""
    failures: list[InputError]
    """An error for each chain that cannot be used."""
    notes: list[str]
    """What was read otherwise than it stands there."""


def read_structures(path: str | Path) -> list[RNAStructure]:
    """RNA chains of a structure file, in its order, named `<entry>_<chain>` (author chain name), with all 27 atoms.

    `rnagen.io.strands` defines what a chain is, `rnagen.io.placement` where its residues stand, `rnagen.io.atoms` which
    of its atoms are read. Chains without coordinates are left out when others have some. The entry is the file's own
    identifier in lower case, or the name of the file.

    Raises:
        InputError: the file is unreadable, truncated or malformed, has no RNA, or lacks all atoms; or none of its
            chains can be used.
    """
    found = read_structure_file(path)
    if not found.chains:
        raise found.failures[0]
    return found.chains


def read_structure_file(path: str | Path) -> StructureFile:
    """As `read_structures`, with an error for each chain that cannot be used and notes on what was masked.

    Raises:
        InputError: the file is unreadable, truncated or malformed, has no RNA, or lacks all atoms.
    """
    path = Path(path)
    data = read_bytes(path)
    notes: list[str] = []
    chains: list[RNAStructure] = []
    failures: list[InputError] = []
    try:
        for entry in _parse(data, path):
            notes += entry.notes
            for found in _chains(entry, path):
                chains.append(found) if isinstance(found, RNAStructure) else failures.append(found)
    except InputError:
        raise
    except (RuntimeError, ValueError, OverflowError) as error:  # gemmi raises all of these for what it cannot parse
        raise InputError(path, None, str(error)) from error
    if not chains and not failures:
        raise InputError(path, None, "has no RNA chain")
    resolved = [structure for structure in chains if structure.mask.any()]
    if not resolved and not failures:
        raise InputError(path, None, "has no coordinates of RNA")
    notes += [f"chain {one.chain or '(no name)'} has no coordinates" for one in chains if not one.mask.any()]
    return StructureFile(resolved, failures, notes)


@dataclass(frozen=True)
class _Entry:
    """A parsed structure and the facts of its header."""

    structure: gemmi.Structure
    id: str = ""
    release_date: str = NO_DATE
    parents: dict[str, str] = field(default_factory=dict)
    """Parent component of modified ones, as the file lists them."""
    declared: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Component names by author chain name, where they are not those of entities (SEQRES)."""
    refused: dict[str, str] = field(default_factory=dict)
    """Chains that are damaged, and why."""
    notes: tuple[str, ...] = ()
    are_names_remediated: bool = True
    """Whether A means RNA, and DNA is DA."""


def _chains(entry: _Entry, path: Path) -> Iterator[RNAStructure | InputError]:
    name = entry.id.lower() or stem(path)
    info = dict(entry.structure.info)
    strands, refused = rna_strands(entry.structure, entry.declared, entry.are_names_remediated)
    for chain, reason in (entry.refused | refused).items():
        yield InputError(path, f"chain {chain}".rstrip(), reason)
    for strand in strands:
        sequence = strand_sequence(strand, entry.parents)
        try:
            coords, mask = strand_arrays(strand, sequence)
            index = strand_index(strand)
        except ValueError as error:
            yield InputError(path, f"chain {strand.chain}".rstrip(), str(error))
            continue
        yield RNAStructure(
            name=f"{name}_{strand.chain}" if strand.chain else name,
            sequence=sequence,
            coords=coords,
            mask=mask,
            residue_index=index,
            entry=name,
            chain=strand.chain,
            release_date=entry.release_date,
            method=info.get("_exptl.method", ""),
            resolution=entry.structure.resolution or float("nan"),
            title=" ".join(info.get("_struct.title", "").split()),
        )


_BLOCK = re.compile(r"\A\s*(?:#.*\n\s*)*data_", re.IGNORECASE)
_TWICE_QUOTED = re.compile(r"^;;(.*?)\n;\n;[ \t]*$", re.MULTILINE | re.DOTALL)
"""A text field that some rewriting tool wrapped in semicolons a second time."""


def _parse(data: bytes, path: Path) -> Iterable[_Entry]:
    if is_binary_cif(data):
        return _entries(read_binary_cif(data))
    text = decode_text(data, path)
    return _entries(_parse_mmcif(text)) if _BLOCK.search(text) else [_parse_pdb(text)]


def _parse_mmcif(text: str) -> gemmi.cif.Document:
    try:
        return gemmi.cif.read_string(text)
    except ValueError:
        repaired, count = _TWICE_QUOTED.subn(r";\1\n;", text)
        if not count:
            raise
        return gemmi.cif.read_string(repaired)


def _entries(document: gemmi.cif.Document) -> Iterator[_Entry]:
    blocks = [block for block in document if block.find_values("_atom_site.Cartn_x")]
    if not blocks:
        raise ValueError("mmCIF without coordinates (_atom_site)")
    for block in blocks:
        _separate_residues(block)
        notes = _forget_impossible(block)
        structure = gemmi.make_structure_from_block(block)
        structure.merge_chain_parts()
        modified = block.find("_pdbx_struct_mod_residue.", ["label_comp_id", "parent_comp_id"])
        yield _Entry(
            structure,
            id=gemmi.cif.as_string(block.find_value("_entry.id") or ""),
            release_date=_earliest(block),
            parents={row.str(0): row.str(1) for row in modified},
            notes=notes,
        )


def _separate_residues(block: gemmi.cif.Block) -> None:
    """In place: an insertion code for each residue that shares its author number with another of the chain.

    Files that lost their insertion codes (tRNA numbering: 20, 20A) have two residues of one author number, which only
    the label number tells apart and gemmi would merge.
    """
    names = ("auth_asym_id", "auth_seq_id", "pdbx_PDB_ins_code", "label_seq_id")
    columns = [block.find_values(f"_atom_site.{name}") for name in names]
    if not all(columns):
        return
    taken: dict[tuple[str, str], dict[tuple[str, str], str]] = {}
    for row, (asym, number, code, label) in enumerate(zip(*(list(column) for column in columns))):
        codes = taken.setdefault((asym, number), {})
        given = codes.get((code, label))
        if given is None:
            given = code if code not in codes.values() else next(c for c in ascii_uppercase if c not in codes.values())
            codes[code, label] = given
        if given != code:
            columns[2][row] = given


def _forget_impossible(block: gemmi.cif.Block) -> tuple[str, ...]:
    """In place: `?` for coordinates that are no numbers or that no molecule has; a note that counts them."""
    columns = [block.find_values(f"_atom_site.Cartn_{axis}") for axis in "xyz"]
    try:
        values = np.array([list(column) for column in columns], dtype=float)
    except ValueError:  # unknown ones, or with their uncertainty: 1.234(5)
        values = np.array([[gemmi.cif.as_number(cell) for cell in column] for column in columns])
    bad = np.flatnonzero(~is_possible(values.T))
    for row in bad.tolist():
        for column in columns:
            column[row] = "?"
    return _masked(len(bad), f"atom_site row {bad[0] + 1}") if len(bad) else ()


def _masked(count: int, first: str) -> tuple[str, ...]:
    return (f"{count} atoms without a readable position are masked (the first: {first})",)


def _earliest(block: gemmi.cif.Block) -> str:
    """First date of the revision history: the release. Of several histories the coordinates' counts."""
    table = block.find("_pdbx_audit_revision_history.", ["revision_date", "?data_content_type"])
    dates = [row.str(0) for row in table if not row.has(1) or row.str(1) in ("Structure model", "")]
    dates += [gemmi.cif.as_string(value) for value in block.find_values("_database_PDB_rev.date")]
    return min(filter(None, map(parse_optional_date, dates)), default=NO_DATE)


_POSITION = (30, 38, 46)
"""First columns, from 0, of the coordinates of an atom record; each has eight."""
_END_OF_POSITION = 54
_UNKNOWN_POSITION = "9999.000" * 3
_HEADER = re.compile(r"^HEADER.{56}(\w{4})", re.MULTILINE)
_MODRES = re.compile(r"^MODRES.{6}(.{3}).{9}(.{3})", re.MULTILINE)
_FIRST_RELEASE = re.compile(r"^REVDAT +1 {3,4}(\d\d)-([A-Z]{3})-(\d\d)", re.MULTILINE)
_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]


def _parse_pdb(text: str) -> _Entry:
    """PDB file. The release date is that of REVDAT 1; the date of HEADER is the deposition's and does not count.

    Atoms whose position cannot be read stay as atoms of an unknown one, so that their residue stays.
    """
    lines = text.splitlines(keepends=True)
    atoms = [number for number, line in enumerate(lines) if line.startswith(("ATOM", "HETATM"))]
    if not atoms:
        raise ValueError("neither mmCIF nor a PDB file with ATOM records")
    if len(lines[atoms[-1]].rstrip()) < _END_OF_POSITION:
        raise ValueError(f"line {atoms[-1] + 1}: an atom record cut short: the file is truncated")
    unknown = [number for number in atoms if not _has_position(lines[number])]
    _refuse_shifted([lines[number] for number in unknown], unknown, len(atoms))
    for number in unknown:
        lines[number] = f"{lines[number].rstrip()[:30]:30}{_UNKNOWN_POSITION}{lines[number].rstrip()[54:]}\n"
    refused = _unnumbered(lines, atoms)
    known = "".join(line for line in lines if not (line.startswith(("ATOM", "HETATM")) and line[21:22] in refused))
    structure = gemmi.read_pdb_string(known, split_chain_on_ter=True)
    _forget_unknown(structure)
    header = _HEADER.search(text)
    return _Entry(
        structure,
        id=header[1] if header else "",
        release_date=_release_date(text),
        parents={match[1].strip(): match[2].strip() for match in _MODRES.finditer(text)},
        declared={
            entity.name: tuple(gemmi.Entity.first_mon(names) for names in entity.full_sequence)
            for entity in structure.entities
        },
        refused={chain.strip(): reason for chain, reason in refused.items()},
        notes=_masked(len(unknown), f"line {unknown[0] + 1}") if unknown else (),
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


_NUMBER = re.compile(r" *-?\d+|[A-Za-z][0-9A-Za-z]{3}")
"""As the format has it; the letters are those of the hybrid-36 extension."""


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
