"""Structure files -> RNAStructure: mmCIF, BinaryCIF and PDB, gzipped or not, every RNA chain with all its models."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rnagen.errors import InputError
from rnagen.io.atoms import strand_arrays, strand_index, strand_sequence
from rnagen.io.binary_cif import is_binary_cif, read_binary_cif
from rnagen.io.entry import Entry
from rnagen.io.files import decode_text, read_bytes
from rnagen.io.formats import stem
from rnagen.io.mmcif import mmcif_entries, parse_mmcif
from rnagen.io.pdb import parse_pdb
from rnagen.io.strands import rna_strands
from rnagen.structure import RNAStructure


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
            for found in _chains(entry, path, notes):
                chains.append(found) if isinstance(found, RNAStructure) else failures.append(found)
    except InputError:
        raise
    except (RuntimeError, ValueError, OverflowError) as error:  # gemmi raises all of these for what it cannot parse
        raise InputError(path, None, _in_words(error)) from error
    if not chains and not failures:
        raise InputError(path, None, "has no RNA chain")
    resolved = [structure for structure in chains if structure.mask.any()]
    if not resolved and not failures:
        raise InputError(path, None, ": ".join(["has no coordinates of RNA", *notes[:1]]))
    notes += [f"chain {one.chain or '(no name)'} has no coordinates" for one in chains if not one.mask.any()]
    return StructureFile(resolved, failures, notes)


_PLACE = re.compile(r"^string:(\d+):\d+(?:\(\d+\))?: ")
"""How gemmi names a place in a file."""
_BLOCK = re.compile(r"\A\s*(?:#.*\n\s*)*data_", re.IGNORECASE)


def _in_words(error: Exception) -> str:
    """What gemmi cannot parse, with the line, and what it most often means."""
    found = _PLACE.match(str(error))
    if found is None:
        return str(error)
    return f"line {found[1]}: {str(error)[found.end() :]} (is the file cut off, or damaged?)"


def _parse(data: bytes, path: Path) -> Iterable[Entry]:
    if is_binary_cif(data):
        return mmcif_entries(read_binary_cif(data))
    text = decode_text(data, path)
    return mmcif_entries(parse_mmcif(text)) if _BLOCK.search(text) else [parse_pdb(text)]


def _chains(entry: Entry, path: Path, notes: list[str]) -> Iterator[RNAStructure | InputError]:
    """Chains, or why they cannot be used; what else there is to know of them is added to the notes."""
    name = entry.id.lower() or stem(path)
    info = dict(entry.structure.info)
    strands, refused = rna_strands(entry.structure, entry.declared, entry.are_names_remediated)
    for chain, reason in (entry.refused | refused).items():
        yield InputError(path, f"chain {chain}".rstrip(), reason)
    notes += [f"chain {strand.chain}: {strand.note}" for strand in strands if strand.note]
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
