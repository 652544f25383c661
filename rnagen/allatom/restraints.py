"""What the minimiser asks for: bonds, angles, handedness, rigid bases, base pairs, the beads, and room between atoms.

Weights are 1 / σ² with σ in Å (Å³ for volumes): tighter than experimental structures scatter where outliers count,
wider where the beads may be wrong.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float, Int

from rnagen.allatom.distances import NEXT, ChainDistances, PairDistances, Ties, joined, tensors
from rnagen.allatom.energy import Bases, Energy, Volumes
from rnagen.allatom.pairing import find_pairs, hydrogen_bonds
from rnagen.chemistry import COLUMN, WIDTH, base_columns, ideals, is_c2_endo, terms
from rnagen.contacts import connected, contacts
from rnagen.structure import BACKBONE_ATOMS, BASES, BEADS, glycosidic_nitrogen

BOND, ANGLE, VOLUME, BASE, PAIR = 0.015, 0.02, 0.15, 0.02, 0.12
"""σ of bonds, of distances across angles, of volumes, of atoms of bases about their ideal place, of hydrogen bonds."""
BEAD = {"P": 0.4, "C4'": 0.3, "C1'": 0.04, "N": 0.1}
"""σ of the distance of atoms from the beads."""
CORNERS = {"A": ("N7", "C2"), "C": ("C5", "N3"), "G": ("N7", "C2"), "U": ("C5", "N3"), "N": ("N1",)}
"""Atoms that hold each base, with C1'."""
PULL = {"P": 1.0, "C4'": 1.0, "C1'": 100.0, "N": 6.0}
"""1 / Å; largest force of a bead on its atom: farther away it grows no more."""
PAIR_PULL = 15.0
"""1 / Å; the same of a hydrogen bond."""
CONTACT = 0.06
"""σ of the distance by which atoms are too close."""
ROOM = -0.25
"""Å; atoms are too close when they are nearer than the sum of their radii and this; clashes begin at -0.4."""
SKIN = 0.5
"""Å; pairs that are so much farther apart are watched too."""


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
) -> Energy:
    """The restraints of conformers that `rnagen.allatom.placement` has placed, without contacts.

    Args:
        topology: of the chain.
        start: Å; the sugars' puckers are those of this.
        beads: Å.
        there: beads that are known.
    """
    pairs = joined([_hydrogen_bonds(topology, one, k) for k, one in enumerate(beads)])
    return Energy(_chain(topology, start), pairs, _volumes(topology), _bases(topology), _beads(topology, beads, there))


def _chain(topology: Topology, start: Float[np.ndarray, "B L 27 3"]) -> ChainDistances:
    """Bonds and angles, without those within bases."""
    bonds, angles = (terms(topology.bases, topology.mask, topology.linked, size) for size in (2, 3))
    free, bent = (~_in_base(found.atoms) for found in (bonds, angles))
    edges, lengths = _edges(topology)
    ends = np.concatenate([bonds.atoms[free], angles.atoms[bent][:, [0, 2]], edges])
    ties, kind, residue = _rows(ends)
    size = (len(ties), len(topology.bases))
    weight, ideal = np.zeros(size), np.zeros((len(start), *size))
    weight[kind, residue] = np.repeat([BOND, ANGLE, BASE], [free.sum(), bent.sum(), len(edges)]) ** -2.0
    for row, one in zip(ideal, start):
        endo = is_c2_endo(one.astype(float))[angles.atoms[bent][:, 0] // WIDTH].astype(int)
        across = ideals().distances[angles.kinds[bent], endo, 0]
        row[kind, residue] = np.concatenate([ideals().bonds[bonds.kinds[free], 0], across, lengths])
    incidence, at, by = tensors(_incidence(ties[:, 0], ties[:, 1]), ideal, weight)
    return ChainDistances(incidence, at, at, by)


def _edges(topology: Topology) -> tuple[Int[np.ndarray, "K 2"], Float[np.ndarray, " K"]]:
    """Distances between the corners of bases, and with C1'."""
    atoms, lengths = [], []
    for code, base in enumerate(BASES):
        rows = np.flatnonzero((topology.bases == code) & topology.mask[:, COLUMN["C1'"]])
        columns, flat = base_columns(base).tolist(), ideals().bases[base]
        for pair in combinations([COLUMN["C1'"], *(COLUMN[name] for name in CORNERS[base])], 2):
            first, second = (flat[columns.index(column)] for column in pair)
            atoms.append(rows[:, None] * WIDTH + pair)
            lengths.append(np.full(len(rows), np.linalg.norm(first - second)))
    return np.concatenate(atoms), np.concatenate(lengths)


def _rows(atoms: Int[np.ndarray, "n k"]) -> tuple[Int[np.ndarray, "K k"], Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """Atoms of terms as `with_next` numbers them, without repeats; which of these each term has, and its residue."""
    residue = atoms.min(1) // WIDTH
    kinds, kind = np.unique(atoms - residue[:, None] * WIDTH, axis=0, return_inverse=True)
    return kinds, kind.reshape(-1), residue


def _incidence(to: Int[np.ndarray, " K"], of: Int[np.ndarray, " K"]) -> Float[np.ndarray, "K A"]:
    """1 at one atom and -1 at the other."""
    one = np.eye(WIDTH + NEXT)
    return one[to] - one[of]


def _in_base(atoms: Int[np.ndarray, "K n"]) -> Bool[np.ndarray, " K"]:
    """Terms of which all atoms are C1' or of the base."""
    return (atoms % WIDTH >= COLUMN["C1'"]).all(1) & (atoms // WIDTH == atoms[:, :1] // WIDTH).all(1)


def _hydrogen_bonds(topology: Topology, beads: Float[np.ndarray, "L 4 3"], conformer: int) -> PairDistances:
    there = topology.mask[:, [COLUMN["C1'"]] * len(BEADS)]
    atoms, lengths = hydrogen_bonds(find_pairs(beads, there, topology.bases), topology.bases)
    return PairDistances.of(atoms, conformer, topology.mask.shape, lengths, lengths, PAIR, PAIR_PULL)


def too_close(topology: Topology, coords: Float[np.ndarray, "B L 27 3"]) -> PairDistances:
    """Pairs of atoms of each conformer that are too close, or could become so."""
    found = []
    for k, one in enumerate(coords):
        pairs, sums = contacts(one.reshape(-1, 3), topology.mask.reshape(-1), topology.near, ROOM + SKIN)
        found.append(PairDistances.of(pairs, k, topology.mask.shape, sums + ROOM, np.full(len(pairs), np.inf), CONTACT))
    return joined(found)


def _volumes(topology: Topology) -> Volumes:
    found = terms(topology.bases, topology.mask, topology.linked, 4)
    centres, kind, residue = _rows(found.atoms)
    ideal, weight = np.zeros((len(centres), 1)), np.zeros((len(centres), len(topology.bases)))
    ideal[kind, 0], weight[kind, residue] = ideals().volumes[found.kinds, 0], VOLUME**-2.0
    bonds = np.concatenate([_incidence(centres[:, k], centres[:, 0]) for k in (1, 2, 3)])
    return Volumes(*tensors(bonds, ideal, weight))


def _bases(topology: Topology) -> Bases:
    length = len(topology.bases)
    corners, shares = np.full((2, length), COLUMN["C1'"]), np.zeros((3, WIDTH, 1, length))
    for code, base in enumerate(BASES):
        rows = np.flatnonzero((topology.bases == code) & topology.mask[:, COLUMN["C1'"]])
        columns, flat = base_columns(base), ideals().bases[base].copy()
        free = [COLUMN["C1'"], *(COLUMN[name] for name in CORNERS[base])]
        flat[:, 2] = 1
        of = flat[[columns.tolist().index(column) for column in free]]
        shares[: len(free), columns[:, None], 0, rows] = (flat @ np.linalg.pinv(of)).T[..., None]
        corners[: len(free) - 1, rows] = np.array(free[1:])[:, None]
    return Bases(*tensors(corners, shares[:, len(BACKBONE_ATOMS) :]))


def _beads(topology: Topology, beads: Float[np.ndarray, "B L 4 3"], there: Bool[np.ndarray, "L 4"]) -> Ties:
    columns, names = zip(
        *((COLUMN[name], bead) for bead in BEADS for name in (("N9", "N1") if bead == "N" else (bead,)))
    )
    of = [BEADS.index(bead) for bead in names]
    nitrogen = np.array([COLUMN[glycosidic_nitrogen(base)] for base in BASES])[topology.bases]
    weight = (topology.mask[:, columns] & there[:, of]).T * np.array([BEAD[bead] ** -2 for bead in names])[:, None]
    for row, (column, bead) in enumerate(zip(columns, names)):
        if bead == "N":
            weight[row, nitrogen != column] = 0
    most = np.array([[PULL[bead]] for bead in names])
    return Ties(*tensors(np.array(columns), beads[:, :, of].transpose(0, 2, 3, 1), weight, most))
