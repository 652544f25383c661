"""What the minimiser asks for: bonds, angles, handedness, rigid bases, base pairs, the beads, and room between atoms.

Weights are 1 / σ² with σ in Å (Å³ for volumes): tighter than experimental structures scatter where outliers count,
wider where the beads may be wrong.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor

from rnagen.allatom.distances import Distances, Ties, joined, tensors
from rnagen.allatom.pairing import find_pairs, hydrogen_bonds
from rnagen.chemistry import COLUMN, WIDTH, base_columns, ideals, is_c2_endo, terms
from rnagen.contacts import connected, contacts
from rnagen.structure import BASES, BEADS, glycosidic_nitrogen

BOND, ANGLE, VOLUME, BASE, PAIR = 0.015, 0.02, 0.15, 0.02, 0.12
"""σ of bonds, of distances across angles, of volumes, of atoms of bases about their ideal place, of hydrogen bonds."""
BEAD = {"P": 0.4, "C4'": 0.3, "C1'": 0.04, "N": 0.1}
"""σ of the distance of atoms from the beads."""
PULL = {"P": 1.0, "C4'": 1.0, "C1'": 100.0, "N": 6.0}
"""1 / Å; largest force of a bead on its atom: farther away it grows no more."""
PAIR_PULL = 15.0
"""1 / Å; the same of a hydrogen bond."""
CONTACT = 0.06
"""σ of the distance by which atoms are too close."""
ROOM = -0.25
"""Å; atoms are too close when they are nearer than the sum of their radii and this; clashes begin at -0.4."""
SKIN = 0.8
"""Å; pairs that are so much farther apart are watched too."""
_MOST_BASE = 12
"""C1' and the atoms of the largest base, guanine."""


@dataclass(frozen=True)
class Restraints:
    """Of B conformers with G atoms each on the grid; atoms of all conformers are numbered through."""

    distances: Distances
    volumes: tuple[Int64[Tensor, "V 4"], Float[Tensor, " V"]]
    """Handed centres with their neighbours, and the ideal volumes."""
    bases: tuple[Int64[Tensor, "R 12"], Float[Tensor, "R 12 3"], Float[Tensor, "R 12 1"]]
    """Atoms of each base, their ideal place about its centre, and 1 or 0 where it has fewer."""
    beads: Ties
    """Of the atoms to their beads."""

    def looser(self, share: float) -> "Restraints":
        """With this share of the largest force of the beads."""
        return replace(self, beads=replace(self.beads, most=share * self.beads.most))


@dataclass(frozen=True)
class Topology:
    """What conformers of one sequence with the same atoms have in common."""

    bases: Int[np.ndarray, " L"]
    mask: Bool[np.ndarray, "L 27"]
    linked: Bool[np.ndarray, " L"]
    near: Int[np.ndarray, " pairs"]
    """Of `rnagen.contacts.connected`."""

    @classmethod
    def of(
        cls, bases: Int[np.ndarray, " L"], mask: Bool[np.ndarray, "L 27"], linked: Bool[np.ndarray, " L"]
    ) -> "Topology":
        """Of a chain."""
        return cls(bases, mask, linked, connected(terms(bases, mask, linked, 2).atoms, mask.size))


def restraints(
    topology: Topology,
    start: Float[np.ndarray, "B L 27 3"],
    beads: Float[np.ndarray, "B L 4 3"],
    there: Bool[np.ndarray, "L 4"],
) -> Restraints:
    """The restraints of conformers that `rnagen.allatom.placement` has placed.

    Args:
        topology: of the chain.
        start: Å; the sugars' puckers are those of this.
        beads: Å.
        there: beads that are known.
    """
    batch, size = len(start), topology.mask.size
    shift = np.arange(batch)[:, None] * size
    return Restraints(
        joined([_distances(topology, start[k], beads[k], k * size) for k in range(batch)]),
        _volumes(topology, shift),
        _bases(topology, shift),
        _beads(topology, beads, there, shift),
    )


def _distances(
    topology: Topology, start: Float[np.ndarray, "L 27 3"], beads: Float[np.ndarray, "L 4 3"], shift: int
) -> Distances:
    """Bonds, angles and hydrogen bonds of one conformer, without those within bases."""
    bonds, angles = (terms(topology.bases, topology.mask, topology.linked, size) for size in (2, 3))
    free, bent = (~_in_base(found.atoms) for found in (bonds, angles))
    endo = is_c2_endo(start.astype(float))[angles.atoms[:, 0] // WIDTH].astype(int)
    across = ideals().distances[angles.kinds, endo, 0][bent]
    there = topology.mask[:, [COLUMN["C1'"]] * len(BEADS)]
    ties, lengths = hydrogen_bonds(find_pairs(beads, there, topology.bases), topology.bases)
    atoms = np.concatenate([bonds.atoms[free], angles.atoms[bent][:, [0, 2]], ties]) + shift
    ideal = np.concatenate([ideals().bonds[bonds.kinds[free], 0], across, lengths])
    counts = [int(free.sum()), int(bent.sum()), len(ties)]
    sigma, most = np.repeat([BOND, ANGLE, PAIR], counts), np.repeat([np.inf, np.inf, PAIR_PULL], counts)
    return Distances.of(atoms, ideal, ideal, sigma, most)


def _in_base(atoms: Int[np.ndarray, "K n"]) -> Bool[np.ndarray, " K"]:
    """Terms of which all atoms are C1' or of the base."""
    return (atoms % WIDTH >= COLUMN["C1'"]).all(1) & (atoms // WIDTH == atoms[:, :1] // WIDTH).all(1)


def too_close(topology: Topology, coords: Float[np.ndarray, "B L 27 3"]) -> Distances:
    """Pairs of atoms of each conformer that are too close, or could become so."""
    found = []
    for k, one in enumerate(coords):
        pairs, sums = contacts(one.reshape(-1, 3), topology.mask.reshape(-1), topology.near, ROOM + SKIN)
        pairs = pairs + k * topology.mask.size
        found.append(Distances.of(pairs, sums + ROOM, np.full(len(pairs), np.inf), np.full(len(pairs), CONTACT)))
    return joined(found)


def _volumes(topology: Topology, shift: Int[np.ndarray, "B 1"]) -> tuple[Tensor, Tensor]:
    found = terms(topology.bases, topology.mask, topology.linked, 4)
    atoms = (found.atoms + shift[..., None]).reshape(-1, 4)
    return torch.from_numpy(atoms), torch.from_numpy(ideals().volumes[found.kinds, 0]).float().repeat(len(shift))


def _bases(topology: Topology, shift: Int[np.ndarray, "B 1"]) -> tuple[Tensor, Tensor, Tensor]:
    rows = np.flatnonzero(topology.mask[:, COLUMN["C1'"]])
    atoms = np.repeat(rows[:, None] * WIDTH + COLUMN["C1'"], _MOST_BASE, axis=1)
    place, there = np.zeros((len(rows), _MOST_BASE, 3)), np.zeros((len(rows), _MOST_BASE, 1))
    for k, row in enumerate(rows):
        base = BASES[topology.bases[row]]
        columns, ideal = base_columns(base), ideals().bases[base]
        atoms[k, : len(columns)] = row * WIDTH + columns
        place[k, : len(columns)] = ideal - ideal.mean(0)
        there[k, : len(columns)] = 1
    atoms = (atoms + shift[..., None]).reshape(-1, _MOST_BASE)
    parts = (torch.from_numpy(part).float().repeat(len(shift), 1, 1) for part in (place, there))
    return (torch.from_numpy(atoms), *parts)  # type: ignore[return-value]


def _beads(
    topology: Topology,
    beads: Float[np.ndarray, "B L 4 3"],
    there: Bool[np.ndarray, "L 4"],
    shift: Int[np.ndarray, "B 1"],
) -> Ties:
    atoms, targets, strength = [], [], []
    for column, bead in enumerate(BEADS):
        names = [glycosidic_nitrogen(BASES[code]) if bead == "N" else bead for code in topology.bases]
        places = np.array([COLUMN[name] for name in names])
        rows = np.flatnonzero(topology.mask[np.arange(len(places)), places] & there[:, column])
        atoms.append(rows * WIDTH + places[rows])
        targets.append(beads[:, rows, column])
        strength.append(np.tile([BEAD[bead] ** -2, PULL[bead]], (len(rows), 1)))
    index = (np.concatenate(atoms) + shift).reshape(-1)
    target = np.concatenate(targets, axis=1).reshape(-1, 3)
    weight, most = np.tile(np.concatenate(strength), (len(shift), 1)).T
    return Ties(*tensors(index, target, weight, most))
