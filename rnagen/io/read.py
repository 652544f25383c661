"""Structure files -> RNAStructure: mmCIF and PDB, gzipped or not, every RNA chain with all its models."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from string import ascii_uppercase

import gemmi

from rnagen.errors import InputError
from rnagen.io.atoms import strand_arrays, strand_index, strand_sequence
from rnagen.io.files import read_text, stem
from rnagen.io.seqres import number_by_seqres
from rnagen.io.strands import rna_strands
from rnagen.structure import MISSING_DATE, RNAStructure


def read_structures(path: str | Path) -> list[RNAStructure]:
    """RNA chains of a structure file, in its order, named `<entry>_<chain>` (author chain name), with all 27 atoms.

    `rnagen.io.strands` defines what a chain is, `rnagen.io.atoms` which of its atoms are read. Chains without
    coordinates are left out when others have some. The entry is the file's own identifier in lower case, or the name of
    the file.

    Raises:
        InputError: the file is unreadable, truncated or malformed, has no RNA, or lacks all atoms.
    """
    path = Path(path)
    text = read_text(path)
    try:
        entries = list(_parse_mmcif(text) if _BLOCK.search(text) else [_parse_pdb(text)])
        structures = [structure for entry in entries for structure in _chains(entry, entry.id.lower() or stem(path))]
    except (RuntimeError, ValueError) as error:  # gemmi raises both for what it cannot parse
        raise InputError(path, None, " ".join(str(error).split())) from error
    if not structures:
        raise InputError(path, None, "has no RNA chain")
    resolved = [structure for structure in structures if structure.mask.any()]
    if not resolved:
        raise InputError(path, None, "has no coordinates of RNA")
    return resolved


@dataclass(frozen=True)
class _Entry:
    """A parsed structure and the facts of its header."""

    structure: gemmi.Structure
    id: str = ""
    release_date: str = MISSING_DATE
    parents: dict[str, str] = field(default_factory=dict)
    """Parent component of modified ones, as the file lists them."""
    are_names_remediated: bool = True
    """Whether A means RNA, and DNA is DA."""


def _chains(entry: _Entry, name: str) -> Iterator[RNAStructure]:
    info = dict(entry.structure.info)
    for strand in rna_strands(entry.structure, entry.are_names_remediated):
        sequence = strand_sequence(strand, entry.parents)
        coords, mask = strand_arrays(strand, sequence)
        yield RNAStructure(
            name=f"{name}_{strand.chain}" if strand.chain else name,
            sequence=sequence,
            coords=coords,
            mask=mask,
            residue_index=strand_index(strand),
            entry=name,
            chain=strand.chain,
            release_date=entry.release_date,
            method=info.get("_exptl.method", ""),
            resolution=entry.structure.resolution or float("nan"),
            title=" ".join(info.get("_struct.title", "").split()),
        )


_BLOCK = re.compile(r"^(?:\s*#.*\n)*\s*data_", re.IGNORECASE)
_TWICE_QUOTED = re.compile(r"^;;(.*?)\n;\n;[ \t]*$", re.MULTILINE | re.DOTALL)
"""A text field that some rewriting tool wrapped in semicolons a second time."""


def _parse_mmcif(text: str) -> Iterator[_Entry]:
    try:
        document = gemmi.cif.read_string(text)
    except ValueError:
        repaired, count = _TWICE_QUOTED.subn(r";\1\n;", text)
        if not count:
            raise
        document = gemmi.cif.read_string(repaired)
    blocks = [block for block in document if block.find_values("_atom_site.Cartn_x")]
    if not blocks:
        raise ValueError("mmCIF without coordinates (_atom_site)")
    for block in blocks:
        _separate_residues(block)
        structure = gemmi.make_structure_from_block(block)
        structure.merge_chain_parts()
        modified = block.find("_pdbx_struct_mod_residue.", ["label_comp_id", "parent_comp_id"])
        yield _Entry(
            structure,
            id=gemmi.cif.as_string(block.find_value("_entry.id") or ""),
            release_date=_earliest(block),
            parents={row.str(0): row.str(1) for row in modified},
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


def _earliest(block: gemmi.cif.Block) -> str:
    """First date of the revision history: the release. Of several histories the coordinates' counts."""
    table = block.find("_pdbx_audit_revision_history.", ["revision_date", "?data_content_type"])
    dates = [row.str(0) for row in table if not row.has(1) or row.str(1) in ("Structure model", "")]
    dates += [gemmi.cif.as_string(value) for value in block.find_values("_database_PDB_rev.date")]
    return min((date for date in dates if _ISO_DATE.fullmatch(date)), default=MISSING_DATE)


_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_END_OF_POSITION = 54
_HEADER = re.compile(r"^HEADER.{56}(\w{4})", re.MULTILINE)
_MODRES = re.compile(r"^MODRES.{6}(.{3}).{9}(.{3})", re.MULTILINE)
_FIRST_RELEASE = re.compile(r"^REVDAT +1 {3,4}(\d\d)-([A-Z]{3})-(\d\d)", re.MULTILINE)
_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]


def _parse_pdb(text: str) -> _Entry:
    """PDB file. The release date is that of REVDAT 1; the date of HEADER is the deposition's and does not count."""
    lines = text.splitlines(keepends=True)
    atoms = {number: line for number, line in enumerate(lines) if line.startswith(("ATOM", "HETATM"))}
    if not atoms:
        raise ValueError("neither mmCIF nor a PDB file with ATOM records")
    cut = next((number for number, line in atoms.items() if len(line.rstrip()) < _END_OF_POSITION), None)
    if cut is not None:
        raise ValueError(f"line {cut + 1}: an atom record cut short")
    known = "".join(line for number, line in enumerate(lines) if number not in atoms or _has_position(line))
    has_sequence = any(line.startswith("SEQRES") for line in lines)
    structure = gemmi.read_pdb_string(known, split_chain_on_ter=not has_sequence)
    if has_sequence:
        number_by_seqres(structure)
    header = _HEADER.search(text)
    return _Entry(
        structure,
        id=header[1] if header else "",
        release_date=_release_date(text),
        parents={match[1].strip(): match[2].strip() for match in _MODRES.finditer(text)},
        are_names_remediated=False,
    )


def _has_position(line: str) -> bool:
    """Whether the coordinates of an atom record are numbers."""
    try:
        return all(isfinite(float(line[start : start + 8])) for start in (30, 38, 46))
    except ValueError:
        return False


def _release_date(text: str) -> str:
    match = _FIRST_RELEASE.search(text)
    if match is None or match[2] not in _MONTHS:
        return MISSING_DATE
    year = int(match[3])
    century = 1900 if year > 70 else 2000  # the archive began in 1971
    return f"{century + year}-{_MONTHS.index(match[2]) + 1:02d}-{match[1]}"
