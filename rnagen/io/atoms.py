"""Residues -> arrays: which atoms of a residue are read, under which names, and how its position is numbered."""

from collections.abc import Mapping
from itertools import pairwise

import gemmi
import numpy as np
from jaxtyping import Bool, Float32, Int32

from rnagen.io.bonds import is_bonded, is_linked
from rnagen.io.placement import author_number
from rnagen.io.residues import parent_base
from rnagen.io.strands import Strand
from rnagen.structure import HEAVY_ATOMS

_COLUMN = {name: i for i, name in enumerate(HEAVY_ATOMS)}
_COLUMN |= {name.replace("'", "*"): i for name, i in _COLUMN.items()} | {"O1P": _COLUMN["OP1"], "O2P": _COLUMN["OP2"]}

MAX_NUMBER = 10_000_000
"""Author numbers beyond this are damaged, and would not fit the residue index."""

MOST_RESIDUES = 4_000_000
"""Of all models of a chain, in memory 1.4 GB. A few bytes declare a residue, and a few more another model."""

# A C-nucleoside (pseudouridine) hangs on its C5. Turning the ring names by half a turn about N3–C6 names each atom for
# its role in the parent uridine: https://www.rcsb.org/ligand/PSU against U.
_RING = ("N1", "C2", "O2", "N3", "C4", "O4", "C5", "C6")
_TURNED = ("C5", "C4", "O4", "N3", "C2", "O2", "N1", "C6")
_MAX_GLYCOSIDIC_BOND = 1.9


def strand_arrays(strand: Strand, sequence: str) -> tuple[Float32[np.ndarray, "M L A 3"], Bool[np.ndarray, "M L A"]]:
    """Coordinates (Å, zero where missing) and mask of the 27 heavy atoms in every model.

    `sequence` is that of `strand_sequence`. Atoms of other names are dropped. Of alternate locations the one of the
    highest mean occupancy is taken for the whole residue, the first on ties. Coordinates that are not numbers are
    unknown. Pseudouridine's ring is renamed so that `N1` is
    its glycosidic atom, which it has to be in every residue but A and G: in a purine that is read as N, it is left out.

    Raises:
        ValueError: an atom is given twice, with different positions; or there are more than `MOST_RESIDUES`.
    """
    if len(strand.models) * len(strand.components) > MOST_RESIDUES:
        many = f"{len(strand.models)} models of {len(strand.components)} residues"
        raise ValueError(f"{many}: at most {MOST_RESIDUES} residues in all can be read; split the models into files")
    shape = (len(strand.models), len(strand.components), len(HEAVY_ATOMS))
    coords = np.full((*shape, 3), np.nan, dtype=np.float32)
    for m, model in enumerate(strand.models):
        for position, residue in model.items():
            for column, xyz in _residue_atoms(residue).items():
                coords[m, position, column] = xyz
    is_unknown = np.array([base == "N" for base in sequence])
    is_purine = np.isfinite(coords[:, :, _COLUMN["N9"], 0])
    coords[is_purine & is_unknown, _COLUMN["N1"]] = np.nan
    mask = np.asarray(np.isfinite(coords).all(axis=-1))
    coords[~mask] = 0
    _turn_c_nucleosides(coords, mask)
    return coords, mask


def _residue_atoms(residue: gemmi.Residue) -> dict[int, list[float]]:
    """Atom column -> position, one alternate location of the residue."""
    preferred = _preferred_altloc(residue)
    chosen: dict[int, tuple[str, list[float]]] = {}
    for atom in residue:
        column = _COLUMN.get(atom.name)
        if column is None:
            continue
        altloc = atom.altloc
        if column in chosen:
            if altloc == chosen[column][0] and atom.pos.tolist() != chosen[column][1]:
                raise ValueError(f"residue {residue.seqid} {residue.name}: atom {atom.name} given twice")
            if altloc != preferred:
                continue
        chosen[column] = (altloc, atom.pos.tolist())
    return {column: xyz for column, (_, xyz) in chosen.items()}


def _preferred_altloc(residue: gemmi.Residue) -> str:
    occupancies: dict[str, list[float]] = {}
    for atom in residue:
        if atom.has_altloc():
            occupancies.setdefault(atom.altloc, []).append(atom.occ)
    return max(occupancies, key=lambda altloc: float(np.mean(occupancies[altloc])), default="\0")


def _turn_c_nucleosides(coords: Float32[np.ndarray, "M L A 3"], mask: Bool[np.ndarray, "M L A"]) -> None:
    """In place: rename the ring atoms of residues whose C1' is bonded to C5 and not to N1 or N9."""
    c1, c5, n1, n9 = (_COLUMN[name] for name in ("C1'", "C5", "N1", "N9"))
    bond = np.linalg.norm(coords[:, :, c1] - coords[:, :, c5], axis=-1)
    bond_n1 = np.linalg.norm(coords[:, :, c1] - coords[:, :, n1], axis=-1)
    is_n1_far = ~mask[:, :, n1] | (bond_n1 > _MAX_GLYCOSIDIC_BOND)
    turned = mask[:, :, c1] & mask[:, :, c5] & ~mask[:, :, n9] & is_n1_far & (bond < _MAX_GLYCOSIDIC_BOND)
    m, row = np.nonzero(turned)
    to = np.array([_COLUMN[name] for name in _TURNED])
    source = np.array([_COLUMN[name] for name in _RING])
    old_coords, old_mask = coords[m, row], mask[m, row]
    new_coords, new_mask = old_coords.copy(), old_mask.copy()
    new_coords[:, to], new_mask[:, to] = old_coords[:, source], old_mask[:, source]
    coords[m, row], mask[m, row] = new_coords, new_mask


def strand_sequence(strand: Strand, parents: Mapping[str, str]) -> str:
    """Sequence over `ACGUN`: the parent base of each component.

    Names that no table lists have the parent that the file gives (`parents`: MODRES). Atoms of another base override
    both: some rewritten files call a 5' GTP U.
    """
    sequence = []
    for position, name in enumerate(strand.components):
        base = parent_base(name)
        if base == "N" and name in parents:
            base = parent_base(parents[name])
        residue = next((model[position] for model in strand.models if position in model), None)
        seen = _base_from_atoms({atom.name for atom in residue}) if residue is not None else "N"
        contradicts = base == "N" or (seen in "AG") != (base in "AG")
        sequence.append(seen if contradicts and seen != "N" else base)
    return "".join(sequence)


def _base_from_atoms(atoms: set[str]) -> str:
    """The standard base whose characteristic atoms are all present (N9 for purines; N6, O6, N4 or O4), or N."""
    if {"N9", "C8"} <= atoms:
        return "A" if "N6" in atoms else "G" if "O6" in atoms else "N"
    if {"N1", "C6"} <= atoms:
        return "C" if "N4" in atoms else "U" if "O4" in atoms else "N"
    return "N"


def strand_index(strand: Strand) -> Int32[np.ndarray, " L"]:
    """Residue index [L], strictly increasing.

    The position in the full sequence (from 1) where the file gives that sequence. Some files list only the resolved
    residues as the sequence: when all are resolved and the chain is broken where the author numbers jump, and in files
    without a sequence, the author number counts, so that a gap stays a jump; but bonded neighbours are a step of one
    apart, whatever their numbers. Insertion codes take a step of one like any residue and shift what follows (20, 20A,
    21, 25 -> 20, 21, 22, 26), as does numbering that runs backwards.

    Raises:
        ValueError: a residue number is impossible.
    """
    length = len(strand.components)
    numbers: dict[int, int] = {}
    for model in strand.models:
        for position, residue in model.items():
            numbers.setdefault(position, author_number(residue))
    if strand.has_full_sequence and not (len(numbers) == length and _is_broken_at_a_jump(strand, numbers)):
        return np.arange(1, length + 1, dtype=np.int32)
    if max(map(abs, numbers.values())) > MAX_NUMBER:
        raise ValueError(f"residue number {max(numbers.values(), key=abs)} cannot be right")
    author = np.array([numbers[i] for i in range(length)], dtype=np.int64)
    steps = np.maximum(np.diff(author), 1)
    steps[_bonded_steps(strand)] = 1
    return (author[0] + np.concatenate([[0], np.cumsum(steps)])).astype(np.int32)


def _bonded_steps(strand: Strand) -> list[int]:
    """Positions that are bonded to the next in the first model."""
    model = strand.models[0]
    pairs = pairwise(range(len(strand.components)))
    return [i for i, j in pairs if i in model and j in model and is_bonded(model[i], model[j])]


def _is_broken_at_a_jump(strand: Strand, numbers: Mapping[int, int]) -> bool:
    model = strand.models[0]
    return any(
        numbers[j] - numbers[i] > 1 and i in model and j in model and is_linked(model[i], model[j]) is False
        for i, j in pairwise(range(len(strand.components)))
    )
