"""mmCIF -> parsed structures: what a file lacks, doubles or writes in another way is mended before gemmi reads it."""

import re
from collections.abc import Iterator
from string import ascii_uppercase

import gemmi
import numpy as np

from rnagen.dates import NO_DATE, parse_optional_date
from rnagen.io.entry import Entry, masked
from rnagen.structure import is_possible

_TWICE_QUOTED = re.compile(r"^;;(.*?)\n;\n;[ \t]*$", re.MULTILINE | re.DOTALL)
"""A text field that some rewriting tool wrapped in semicolons a second time."""


def parse_mmcif(text: str) -> gemmi.cif.Document:
    """The document of a text; a title that some tool quoted twice is read too.

    Raises:
        ValueError: it is not mmCIF.
    """
    try:
        return gemmi.cif.read_string(text)
    except ValueError:
        repaired, count = _TWICE_QUOTED.subn(r";\1\n;", text)
        if not count:
            raise
        return gemmi.cif.read_string(repaired)


def mmcif_entries(document: gemmi.cif.Document) -> Iterator[Entry]:
    """The structures of a document, one for each block with coordinates.

    Raises:
        ValueError: it has none, or a date that cannot be read.
    """
    blocks = [block for block in document if block.find_values("_atom_site.Cartn_x")]
    if not blocks:
        raise ValueError("mmCIF without coordinates (_atom_site)")
    for block in blocks:
        _complete_columns(block)
        _separate_residues(block)
        notes = _forget_impossible(block)
        structure = gemmi.make_structure_from_block(block)
        structure.merge_chain_parts()
        modified = block.find("_pdbx_struct_mod_residue.", ["label_comp_id", "parent_comp_id"])
        yield Entry(
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
    rows = list(zip(*(list(column) for column in columns)))
    residues = set(rows)
    sharing: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for asym, number, code, label in residues:
        sharing.setdefault((asym, number), set()).add((code, label))
    if len(sharing) == len(residues):
        return
    unnumbered = {asym for (asym, _), found in sharing.items() if len(found) > len(ascii_uppercase)}
    taken: dict[tuple[str, str], dict[tuple[str, str], str]] = {}
    for row, (asym, number, code, label) in enumerate(rows):
        if asym in unnumbered:  # all residues have one author number: the label numbers are the only ones
            columns[1][row] = label
            continue
        codes = taken.setdefault((asym, number), {})
        given = codes.get((code, label))
        if given is None:
            given = code if code not in codes.values() else next(c for c in ascii_uppercase if c not in codes.values())
            codes[code, label] = given
        if given != code:
            columns[2][row] = given


_STAND_INS = {
    "label_atom_id": "auth_atom_id",
    "label_comp_id": "auth_comp_id",
    "label_asym_id": "auth_asym_id",
    "auth_asym_id": "label_asym_id",
    "auth_seq_id": "label_seq_id",
}
"""Columns of atoms that mean nearly the same: one stands in where the other is missing."""


def _complete_columns(block: gemmi.cif.Block) -> None:
    """In place: columns of atoms that gemmi needs and that follow from the others."""
    loop = block.find_loop("_atom_site.Cartn_x").get_loop()
    if loop is None:
        return
    for name, other in _STAND_INS.items():
        if f"_atom_site.{name}" not in loop.tags and f"_atom_site.{other}" in loop.tags:
            _add_column(block, loop, name, list(block.find_values(f"_atom_site.{other}")))
    names = [gemmi.cif.as_string(value) for value in block.find_values("_atom_site.label_atom_id")]
    made = {
        "id": [str(row) for row in range(1, loop.length() + 1)],
        "type_symbol": [name[:1] or "?" for name in names],
        "label_alt_id": ["."] * loop.length(),
        "pdbx_PDB_ins_code": ["?"] * loop.length(),
    }
    for name, values in made.items():
        if f"_atom_site.{name}" not in loop.tags and len(values) == loop.length():
            _add_column(block, loop, name, values)


def _add_column(block: gemmi.cif.Block, loop: gemmi.cif.Loop, name: str, values: list[str]) -> None:
    loop.add_columns([f"_atom_site.{name}"], value="?")
    column = block.find_values(f"_atom_site.{name}")
    for row, value in enumerate(values):
        column[row] = value


def _forget_impossible(block: gemmi.cif.Block) -> tuple[str, ...]:
    """In place: `?` for coordinates that are no numbers or that no molecule has; a note that counts them."""
    columns = [block.find_values(f"_atom_site.Cartn_{axis}") for axis in "xyz"]
    try:
        values = np.array([list(column) for column in columns], dtype=float)
    except ValueError:  # unknown ones, or with their uncertainty: 1.234(5)
        values = np.array([[gemmi.cif.as_number(cell) for cell in column] for column in columns])
    at_origin = (values == 0).all(axis=0)
    bad = np.flatnonzero(~is_possible(values.T) | (at_origin & (at_origin.sum() > 1)))
    for row in bad.tolist():
        for column in columns:
            column[row] = "?"
    return masked(len(bad), f"atom_site row {bad[0] + 1}") if len(bad) else ()


def _earliest(block: gemmi.cif.Block) -> str:
    """First date of the revision history: the release. Of several histories the coordinates' counts."""
    table = block.find("_pdbx_audit_revision_history.", ["revision_date", "?data_content_type"])
    dates = [row.str(0) for row in table if not row.has(1) or row.str(1) in ("Structure model", "")]
    dates += [gemmi.cif.as_string(value) for value in block.find_values("_database_PDB_rev.date")]
    return min(filter(None, map(parse_optional_date, dates)), default=NO_DATE)
