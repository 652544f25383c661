"""Beads of bad geometry, moved until the chain can run through them: few, and as little as it takes.

Sampled conformers have breaks of up to 20 Å and beads on top of one another. All distances between beads of a residue
and of the next one are brought into the ranges that 99 % of experiments have (`rnagen.bead_ranges`); beads that are
within them do not move.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.spatial import cKDTree
from torch import Tensor

from rnagen.allatom.distances import Distances, Ties, joined, tensors, total
from rnagen.allatom.minimise import minimise
from rnagen.bead_ranges import NEAREST, chain_distances
from rnagen.structure import BEADS

CHAIN, CROWD, PLACE_SIGMA = 0.1, 0.3, 0.3
"""Å; σ of the bounds of the chain, of beads that are too close, and of places."""
PULL = {"P": 1.0, "C4'": 1.0, "C1'": 3.0, "N": 1.0}
"""1 / Å; largest force towards the place of a bead."""
SKIN = 2.0
"""Å beyond `NEAREST` within which beads of residues that are not neighbours are watched."""
ROUNDS, STEPS = 3, 60


def relaxed(
    beads: Float[np.ndarray, "B L 4 3"], there: Bool[np.ndarray, "L 4"], linked: Bool[np.ndarray, " L"]
) -> Float[np.ndarray, "B L 4 3"]:
    """The beads of B conformers, in Å, each distance of the chain within its bounds as far as that can be.

    Args:
        beads: Å.
        there: beads that are known.
        linked: whether each residue is bonded to the next.
    """
    batch, size = len(beads), there.size
    chain, places = _chain(there, linked, batch), _places(beads, there)
    x = torch.from_numpy(beads).reshape(-1, 3)
    for _ in range(ROUNDS):
        crowd = _crowd(x.view(batch, size, 3).numpy(), there)
        distances = joined([chain, crowd])

        def energy(x: Tensor, distances: Distances = distances) -> tuple[Tensor, Tensor]:
            return total([distances.energy(x), places.energy(x)], batch, x)

        x = minimise(energy, x, STEPS)
    return x.view(beads.shape).numpy()


def _chain(there: Bool[np.ndarray, "L 4"], linked: Bool[np.ndarray, " L"], batch: int) -> Distances:
    pairs, limits = chain_distances(linked[:-1], BEADS, "usual")
    known = there.reshape(-1)[pairs].all(1)
    of = np.concatenate([pairs[known] + k * there.size for k in range(batch)])
    limit = np.tile(limits[known], (batch, 1))
    return Distances.of(of, limit[:, 0], limit[:, 1], np.full(len(of), CHAIN))


def _places(beads: Float[np.ndarray, "B L 4 3"], there: Bool[np.ndarray, "L 4"]) -> Ties:
    rows = np.flatnonzero(np.broadcast_to(there, beads.shape[:3]))
    most = np.array([PULL[bead] for bead in BEADS])[rows % len(BEADS)]
    return Ties(*tensors(rows, beads.reshape(-1, 3)[rows], np.full(len(rows), PLACE_SIGMA**-2), most))


def _crowd(points: Float[np.ndarray, "B n 3"], there: Bool[np.ndarray, "L 4"]) -> Distances:
    """Beads of residues that are not neighbours, and close."""
    rows, found = np.flatnonzero(there), []
    for k, one in enumerate(points):
        pairs = rows[cKDTree(one[rows]).query_pairs(NEAREST + SKIN, output_type="ndarray")]
        apart = np.abs(np.diff(pairs // len(BEADS), axis=1)[:, 0]) > 1
        found.append(pairs[apart] + k * there.size)
    atoms = np.concatenate(found)
    return Distances.of(atoms, np.full(len(atoms), NEAREST), np.full(len(atoms), np.inf), np.full(len(atoms), CROWD))
