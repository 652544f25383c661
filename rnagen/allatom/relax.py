"""Beads of bad geometry, moved until the chain can run through them: few, and as little as it takes.

Sampled conformers have breaks of up to 20 Å and beads on top of one another. All distances between beads of a residue
and of the next one are brought between the bounds that fragments of experimental structures have; beads that are within
them, as almost all of experimental structures, do not move.
"""

from functools import cache
from itertools import combinations

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree
from torch import Tensor

from rnagen.allatom.distances import Distances, Ties, joined, tensors, total
from rnagen.allatom.library import PLACE, fragments
from rnagen.allatom.minimise import minimise
from rnagen.structure import BEADS

CHAIN, CROWD, PLACE_SIGMA = 0.1, 0.3, 0.3
"""Å; σ of the bounds of the chain, of beads that are too close, and of places."""
PULL = {"P": 1.0, "C4'": 1.0, "C1'": 3.0, "N": 1.0}
"""1 / Å; largest force towards the place of a bead."""
TAIL = 0.002
"""Share of the fragments below the lower bound of a distance, and above the upper one."""
CLOSE, SKIN = 3.6, 2.0
"""Å; beads of residues that are not neighbours stay so far apart; nearer than the sum they are watched."""
ROUNDS, STEPS = 3, 60


@cache
def bounds() -> tuple[Int[np.ndarray, "K 2"], Float[np.ndarray, "K 2"]]:
    """Pairs of beads of a residue (0–3) and the next one (4–7), and bounds of their distances in Å."""
    names = [*BEADS, *(f"{bead}+" for bead in BEADS)]
    pairs = [(a, b) for a, b in combinations(range(len(names)), 2) if a < len(BEADS)]
    found = fragments().coords[:, [PLACE[name] for name in names]].numpy().astype(float)
    lengths = np.stack([np.linalg.norm(found[:, a] - found[:, b], axis=-1) for a, b in pairs])
    return np.array(pairs), np.quantile(lengths, [TAIL, 1 - TAIL], axis=1).T


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
    pairs, limits = bounds()
    known = np.concatenate([there.reshape(-1), np.zeros(len(BEADS), dtype=bool)])
    atoms = np.arange(len(there))[:, None, None] * len(BEADS) + pairs
    ok = known[atoms].all(-1) & (linked[:, None] | (pairs < len(BEADS)).all(-1))
    of, limit = atoms[ok], np.broadcast_to(limits, (len(there), *limits.shape))[ok]
    of = np.concatenate([of + k * there.size for k in range(batch)])
    limit = np.tile(limit, (batch, 1))
    return Distances.of(of, limit[:, 0], limit[:, 1], np.full(len(of), CHAIN))


def _places(beads: Float[np.ndarray, "B L 4 3"], there: Bool[np.ndarray, "L 4"]) -> Ties:
    rows = np.flatnonzero(np.broadcast_to(there, beads.shape[:3]))
    most = np.array([PULL[bead] for bead in BEADS])[rows % len(BEADS)]
    return Ties(*tensors(rows, beads.reshape(-1, 3)[rows], np.full(len(rows), PLACE_SIGMA**-2), most))


def _crowd(points: Float[np.ndarray, "B n 3"], there: Bool[np.ndarray, "L 4"]) -> Distances:
    """Beads of residues that are not neighbours, and close."""
    rows, found = np.flatnonzero(there), []
    for k, one in enumerate(points):
        pairs = rows[cKDTree(one[rows]).query_pairs(CLOSE + SKIN, output_type="ndarray")]
        apart = np.abs(np.diff(pairs // len(BEADS), axis=1)[:, 0]) > 1
        found.append(pairs[apart] + k * there.size)
    atoms = np.concatenate(found)
    return Distances.of(atoms, np.full(len(atoms), CLOSE), np.full(len(atoms), np.inf), np.full(len(atoms), CROWD))
