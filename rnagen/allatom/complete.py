"""All heavy atoms of conformers of which the beads are known."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rnagen.allatom.distances import joined
from rnagen.allatom.energy import Energy
from rnagen.allatom.library import fragments
from rnagen.allatom.minimise import minimise
from rnagen.allatom.placement import Beads, choose, full_atoms, place_phosphate_oxygens
from rnagen.allatom.relax import relaxed
from rnagen.allatom.restraints import Topology, restraints, too_close
from rnagen.chemistry import COLUMN, has_atom, linked_by_number
from rnagen.contacts import contacts
from rnagen.metrics.all_atom import OVERLAP
from rnagen.parallel import single_thread
from rnagen.structure import BASES, BEADS, HEAVY_ATOMS, RNAStructure, encode_sequence

JOINING = (40, 40)
"""Steps without contacts: they close the chain and turn the bases. Before each, phosphate oxygens are placed anew."""
ROUNDS, STEPS = 4, 45
"""Rounds with contacts, and steps of each; contacts are looked for again before each."""
ENOUGH = 0.01
"""Energy per atom; a conformer that gains less within some steps is left alone for the rest of a round."""
CROWDED = 0.002
"""Clashes per atom, over which a conformer is minimised further, with the beads holding it less."""
LOOSER = 0.2
"""Share of the largest force of the beads that is left then."""
ATOMS_AT_ONCE = 60_000
"""Most atoms of conformers that are minimised together."""


def can_complete(atoms: Collection[str]) -> bool:
    """Whether complete nucleotides can be built on these atoms: C4', C1' and a glycosidic nitrogen."""
    return {"C4'", "C1'"} <= set(atoms) and bool({"N", "N1", "N9"} & set(atoms))


def conformers_together(length: int, n: int) -> int:
    """How many of n conformers of so many residues are minimised together; a ribosomal RNA is completed alone."""
    return max(1, min(n, ATOMS_AT_ONCE // (length * len(HEAVY_ATOMS))))


def complete(structure: RNAStructure) -> RNAStructure:
    """The structure with all heavy atoms of every residue that has the beads C4', C1' and N.

    A pure function: conformers do not change one another, and the number of threads nothing. Residues without these
    beads stay empty. A residue without P that follows none (the 5' end as a rule) gets no phosphate; within the chain,
    P is placed where the bead is missing. A residue of an unknown base (N) has backbone and sugar alone.

    Args:
        structure: with the atoms `BEADS`, or with more, of which the beads are used; in Å.

    Returns:
        The structure with the atoms `HEAVY_ATOMS`, all models; the mask is False for atoms that a base does not have.

    Raises:
        ValueError: its atoms are not enough, as those of C1' alone.
    """
    if not can_complete(structure.atoms):
        raise ValueError(f"{structure.name}: all heavy atoms need {', '.join(BEADS)}, not {', '.join(structure.atoms)}")
    beads = structure.select_atoms(BEADS)
    bases = encode_sequence(structure.sequence).astype(np.int64)
    shape = (*beads.mask.shape[:2], len(HEAVY_ATOMS))
    coords, mask = np.zeros((*shape, 3), dtype=np.float32), np.zeros(shape, dtype=bool)
    patterns, pattern_of = np.unique(beads.mask.reshape(len(beads.mask), -1), axis=0, return_inverse=True)
    for k, pattern in enumerate(patterns):
        rows = np.flatnonzero(pattern_of.reshape(-1) == k)
        there = pattern.reshape(beads.mask.shape[1:])
        topology = _topology(bases, there, beads)
        mask[rows] = topology.mask
        if not topology.mask.any():
            continue
        parts = -(-len(rows) // conformers_together(len(bases), len(rows)))
        for part in np.array_split(rows, parts):
            with single_thread(), torch.inference_mode():
                coords[part] = _completed(beads.coords[part], there, topology)
    mask[:, bases == BASES.index("N"), COLUMN["N1"]] = False
    coords[~mask] = 0
    return replace(structure, coords=coords, mask=mask, atoms=HEAVY_ATOMS)


def _topology(bases: Int[np.ndarray, " L"], there: Bool[np.ndarray, "L 4"], structure: RNAStructure) -> Topology:
    """Atoms that are to be placed, and which residues are bonded."""
    present = np.asarray(there[:, 1:].all(axis=1))
    linked = linked_by_number(present, structure.residue_index, structure.strands)
    mask = has_atom(bases) & present[:, None]
    follows = np.concatenate([[False], linked[:-1]])
    bare = ~there[:, BEADS.index("P")] & ~follows
    mask[np.ix_(bare, [COLUMN[name] for name in ("P", "OP1", "OP2")])] = False
    return Topology.of(bases, mask, linked)


def _completed(
    beads: Float[np.ndarray, "B L 4 3"], there: Bool[np.ndarray, "L 4"], topology: Topology
) -> Float[np.ndarray, "B L 27 3"]:
    """Coordinates of conformers with the same beads, zero where there is no atom."""
    present = topology.mask[:, COLUMN["C1'"]]
    # Coordinates far from the origin have fewer digits.
    middle = beads[:, present].mean((1, 2), keepdims=True)
    beads = np.where(present[:, None, None], beads - middle, 0).astype(np.float32)
    beads = relaxed(beads, there & present[:, None], topology.linked)
    start = _placed(beads, there, topology)
    result = _minimised(start, restraints(topology, start, beads, there), topology)
    crowded = np.array([_clashes(one, topology) for one in result]) > CROWDED * topology.mask.sum()
    if crowded.any():
        found = restraints(topology, start[crowded], beads[crowded], there)
        result[crowded] = _with_contacts(result[crowded], found.looser(LOOSER), topology)
    return np.where(topology.mask[..., None], result + middle, 0)


def _minimised(
    start: Float[np.ndarray, "B L 27 3"], found: Energy, topology: Topology
) -> Float[np.ndarray, "B L 27 3"]:
    """First the chain and the base pairs, then all."""
    x, linked = start, torch.from_numpy(topology.linked)
    for steps in JOINING:
        x = _stepped(_turned(x, linked), found, steps, topology)
    return _with_contacts(_turned(x, linked), found, topology)


def _turned(x: Float[np.ndarray, "B L 27 3"], linked: Bool[Tensor, " L"]) -> Float[np.ndarray, "B L 27 3"]:
    """With phosphate oxygens placed anew."""
    coords = torch.from_numpy(x.copy())
    place_phosphate_oxygens(coords, linked)
    return coords.numpy()


def _with_contacts(
    x: Float[np.ndarray, "B L 27 3"], found: Energy, topology: Topology
) -> Float[np.ndarray, "B L 27 3"]:
    """Rounds with contacts."""
    for _ in range(ROUNDS):
        x = _stepped(x, replace(found, pairs=joined([found.pairs, too_close(topology, x)])), STEPS, topology)
    return x


def _stepped(
    x: Float[np.ndarray, "B L 27 3"], energy: Energy, steps: int, topology: Topology
) -> Float[np.ndarray, "B L 27 3"]:
    """After so many steps of minimisation."""
    start = energy.bases.free(torch.from_numpy(x).permute(0, 2, 3, 1))
    found = energy.grid(minimise(energy, start, steps, ENOUGH * topology.mask.sum()))
    return np.ascontiguousarray(found.permute(0, 3, 1, 2).numpy())


def _clashes(x: Float[np.ndarray, "L 27 3"], topology: Topology) -> int:
    return len(contacts(x.reshape(-1, 3), topology.mask.reshape(-1), topology.near, -OVERLAP)[0])


def _placed(
    beads: Float[np.ndarray, "B L 4 3"], there: Bool[np.ndarray, "L 4"], topology: Topology
) -> Float[np.ndarray, "B L 27 3"]:
    """The best fragments on the beads."""
    batch, length = beads.shape[:2]
    usable = there & topology.mask[:, [COLUMN["C1'"]]]
    bases = torch.from_numpy(topology.bases)
    around = Beads.of(
        torch.from_numpy(beads),
        torch.from_numpy(usable).expand(batch, -1, -1),
        torch.from_numpy(topology.linked).expand(batch, -1),
        bases,
    )
    atoms = full_atoms(choose(around, fragments(), batch), bases.repeat(batch))
    placed = atoms.view(batch, length, -1, 3).numpy()
    return np.where(topology.mask[..., None], placed, 0).astype(np.float32)
