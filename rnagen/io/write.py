"""RNAStructure -> mmCIF or PDB that ChimeraX, PyMOL and Mol* take for RNA: one chain for each strand, all models."""

import re
from functools import lru_cache
from pathlib import Path

import gemmi
import numpy as np
from jaxtyping import Float

from rnagen.errors import InputError
from rnagen.io.complexes import split_chains
from rnagen.io.files import write_text
from rnagen.io.model_cif import UNKNOWN, PredictedQuality, add_quality
from rnagen.strands import CHAIN_NAMES, MOST, bounds
from rnagen.structure import RNAStructure, glycosidic_nitrogen, is_possible
from rnagen.version import __version__

PDB_MAX_RESIDUES = 9999
PDB_MAX_ATOMS = 99_999
"""Of one model, with the record at the end of each chain: what the five columns of a number hold."""
PDB_RANGE = (-999.999, 9998.999)
"""Å; what the eight columns of a PDB coordinate hold, without what stands for an unknown position."""

SEQUENCE = "_entity_poly.pdbx_seq_one_letter_code"
COMPUTED = "THEORETICAL MODEL"
"""Method of a structure that was computed: its files name rnagen as author and software."""
FILE_DIGITS = 3
"""Of coordinates in files, Å."""
_DEFAULT_CHAIN = "A"


def write_structure(structure: RNAStructure, path: str | Path, quality: PredictedQuality | None = None) -> None:
    """Write all models of a structure to `path` (`.cif` or `.pdb`, and `.gz` of either), whole or not at all.

    The file holds the full sequence (entity or SEQRES), the residues of `mask` with `residue_index` as author
    numbers, and the predicted lDDT as the B factor of every atom, -1 where there is no `quality`; mmCIF also has both
    predictions in the categories of ModelCIF. The bead `N` is written as N9 or N1. The strands of an RNA of
    several are chains A, B …, each numbered from 1; those of one sequence are one entity. The same structure gives the
    same bytes.

    Raises:
        InputError: another suffix; nothing to write; coordinates that no molecule has; more than 62 strands; for PDB,
            coordinates outside -999.999 … 9998.999 Å, more than 9,999 residues or 99,999 atoms, residue numbers or
            chain names beyond their columns.
    """
    path = Path(path)
    suffix = Path(path.name.removesuffix(".gz")).suffix
    if suffix not in (".cif", ".pdb"):
        raise InputError(path, structure.name, f"suffix {suffix or path.suffix!r} is not supported; write .cif or .pdb")
    if not structure.mask.any():
        raise InputError(path, structure.name, "has no atoms to write")
    if len(structure.strands) > MOST:
        reason = f"{len(structure.strands)} strands: at most {MOST} have a chain name in a file"
        raise InputError(path, structure.name, reason)
    b_factors = np.full(structure.mask.shape[:2], UNKNOWN) if quality is None else quality.lddt
    if not (is_possible(structure.coords[structure.mask]).all() and np.isfinite(b_factors).all()):
        raise InputError(path, structure.name, "coordinates or B factors are not finite")
    if suffix == ".pdb":
        _refuse_beyond_pdb(structure, path)
    built = _to_gemmi(structure, b_factors)
    write_text(path, _mmcif_text(built, quality) if suffix == ".cif" else _pdb_text(built, quality))


def _refuse_beyond_pdb(structure: RNAStructure, path: Path) -> None:
    xyz = structure.coords[structure.mask]
    chains = split_chains(structure)
    first = int(min(chain.residue_index.min() for chain in chains))
    last = int(max(chain.residue_index.max() for chain in chains))
    atoms = int(structure.mask.sum((1, 2)).max())
    reasons = {
        f"{len(structure)} residues": max(map(len, chains)) > PDB_MAX_RESIDUES,
        f"{atoms:,} atoms": atoms + len(chains) > PDB_MAX_ATOMS,
        f"residue numbers {first} to {last}": first < -999 or last > PDB_MAX_RESIDUES,
        f"chain name {structure.chain!r}": len(structure.chain) > 1,
        f"coordinates from {xyz.min():.0f} to {xyz.max():.0f} Å": xyz.min() < PDB_RANGE[0] or xyz.max() > PDB_RANGE[1],
    }
    for reason, is_beyond in reasons.items():
        if is_beyond:
            raise InputError(path, structure.name, f"{reason} do not fit the PDB format; write .cif")


def _to_gemmi(structure: RNAStructure, b_factors: Float[np.ndarray, "M L"]) -> gemmi.Structure:
    built = gemmi.Structure()
    built.name = structure.entry or structure.name
    built.info["_entry.id"] = built.name
    if structure.title:
        # A line of a PDB file ends where its title does.
        built.info["_struct.title"] = re.sub(r"[\x00-\x1f\x7f]", " ", structure.title)
    if structure.method:
        built.info["_exptl.method"] = structure.method
    if structure.method == COMPUTED:
        software = gemmi.SoftwareItem()
        software.name, software.version = "rnagen", __version__
        built.meta.software, built.meta.authors = [software], ["rnagen"]
    strands = split_chains(structure)
    entities = {sequence: str(k) for k, sequence in enumerate(dict.fromkeys(one.sequence for one in strands), start=1)}
    for sequence, name in entities.items():
        entity = gemmi.Entity(name)
        entity.entity_type = gemmi.EntityType.Polymer
        entity.polymer_type = gemmi.PolymerType.Rna
        entity.subchains = [CHAIN_NAMES[k] for k, one in enumerate(strands) if one.sequence == sequence]
        entity.full_sequence = list(sequence)
        built.entities.append(entity)
    names = [[_atom_name(atom, base) for atom in structure.atoms] for base in structure.sequence]
    places = bounds(structure.strands, len(structure))
    for m in range(structure.num_models):
        model = gemmi.Model(m + 1)
        for name, strand, (start, stop) in zip(CHAIN_NAMES, strands, places):
            chain = gemmi.Chain(strand.chain or _DEFAULT_CHAIN)
            # As Python floats, all at once: one by one they take longer than all else.
            coords = strand.coords[m].astype(float).round(FILE_DIGITS).tolist()
            for i in np.flatnonzero(strand.mask[m].any(axis=1)).tolist():
                atoms = np.flatnonzero(strand.mask[m, i]).tolist()
                xyz = {names[start + i][a]: coords[i][a] for a in atoms}
                residue = _residue(strand, i, xyz, float(b_factors[m, start:stop][i]))
                residue.subchain, residue.entity_id = name, entities[strand.sequence]
                chain.add_residue(residue)
            model.add_chain(chain)
        built.add_model(model)
    built.assign_serial_numbers()
    return built


def _atom_name(atom: str, base: str) -> str:
    return glycosidic_nitrogen(base) if atom == "N" else atom


def _residue(structure: RNAStructure, position: int, xyz: dict[str, list[float]], b_factor: float) -> gemmi.Residue:
    """A residue of atoms by name, in Å."""
    residue = _nucleotide(structure.sequence[position], tuple(xyz)).clone()
    residue.seqid = gemmi.SeqId(int(structure.residue_index[position]), " ")
    residue.label_seq = position + 1
    for atom, place in zip(residue, xyz.values()):
        atom.pos = gemmi.Position(*place)
        atom.b_iso = b_factor
    return residue


@lru_cache
def _nucleotide(base: str, names: tuple[str, ...]) -> gemmi.Residue:
    """A residue of these atoms without a place."""
    residue = gemmi.Residue()
    residue.name = base
    residue.entity_type = gemmi.EntityType.Polymer
    residue.het_flag = "A"
    for name in names:
        atom = gemmi.Atom()
        atom.name = name
        atom.element = gemmi.Element(name[0])
        atom.occ = 1.0
        residue.add_atom(atom)
    return residue


def _is_computed(built: gemmi.Structure) -> bool:
    return "_exptl.method" in built.info and built.info["_exptl.method"] == COMPUTED


def _mmcif_text(built: gemmi.Structure, quality: PredictedQuality | None) -> str:
    groups = gemmi.MmcifOutputGroups(True)
    groups.cell = groups.symmetry = groups.ncs = groups.scale = groups.origx = False
    groups.auth_all = True
    document = built.make_mmcif_document(groups)
    block = document.sole_block()
    for row in block.find("_chem_comp.", ["id", "type"]):
        row[1] = "'RNA linking'"
    for row in block.find("_entity_poly_seq.", ["hetero"]):
        row[0] = "n"
    block.find_mmcif_category("_entity_poly.").loop.add_columns([f"{SEQUENCE}_can"], "?")
    for row in block.find([SEQUENCE, f"{SEQUENCE}_can"]):
        row[1] = row[0]
    if _is_computed(built):
        for row in block.find("_software.", ["classification"]):
            row[0] = "'model building'"
    if quality is not None:
        chains = ((entity, name) for entity in built.entities for name in entity.subchains)
        sequences = {name: entity.full_sequence for entity, name in chains}
        residues = [
            (name, number, base)
            for name in sorted(sequences, key=CHAIN_NAMES.index)
            for number, base in enumerate(sequences[name], 1)
        ]
        add_quality(block, quality, residues, [f"model {k + 1}" for k in range(len(built))])
    return document.as_string()


def _pdb_text(built: gemmi.Structure, quality: PredictedQuality | None) -> str:
    if len(built.name) != 4:  # HEADER holds the four characters of a database entry and would cut other names
        del built.info["_entry.id"]
    known = "PREDICTED LDDT OF C1' ATOMS, FROM 0 TO 100" if quality is not None else "-1 STANDS FOR UNKNOWN"
    remarks = [f"B FACTORS: {known}"]
    if _is_computed(built):
        remarks.append(f"COMPUTED BY RNAGEN {__version__}")
    built.raw_remarks = [f"REMARK 999 {remark}".ljust(80) for remark in ["", *remarks]]
    return built.make_pdb_string()
