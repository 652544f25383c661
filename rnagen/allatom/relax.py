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
from torch import Tensor

from rnagen.allatom.distances import NEXT, ChainDistances, PairDistances, Ties, folded, joined, tensors, with_next
from rnagen.allatom.library import PLACE, fragments
from rnagen.allatom.minimise import minimise
from rnagen.contacts import close_pairs
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
ENOUGH = 0.001
"""Energy per bead; see `minimise`."""


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
    chain, places = _chain(there, linked), _places(beads, there)
    x = torch.from_numpy(beads).permute(0, 2, 3, 1).contiguous()
    for _ in range(ROUNDS):
        crowd = _crowd(x.permute(0, 3, 1, 2).numpy(), there)

        def energy(x: Tensor, crowd: PairDistances = crowd) -> tuple[Tensor, Tensor]:
            both = with_next(x)
            gradient = torch.zeros_like(both)
            energy = chain.add(both, gradient)
            gradient = folded(gradient)
            return energy + places.add(x, gradient) + crowd.add(x, gradient), gradient

        x = minimise(energy, x, STEPS, ENOUGH * there.sum())
    return np.ascontiguousarray(x.permute(0, 3, 1, 2).numpy())


def _chain(there: Bool[np.ndarray, "L 4"], linked: Bool[np.ndarray, " L"]) -> ChainDistances:
    pairs, limits = bounds()
    one = np.eye(len(BEADS) + NEXT)
    after = np.concatenate([there[1:] & linked[:-1, None], np.zeros((1, len(BEADS)), dtype=bool)])
    known = np.concatenate([there, after], axis=1)
    weight = known[:, pairs].all(-1).T * CHAIN**-2.0
    lower, upper = (np.repeat(limit[:, None], len(there), 1) for limit in limits.T)
    return ChainDistances(*tensors(one[pairs[:, 0]] - one[pairs[:, 1]], lower, upper, weight))


def _places(beads: Float[np.ndarray, "B L 4 3"], there: Bool[np.ndarray, "L 4"]) -> Ties:
    most = np.array([[PULL[bead]] for bead in BEADS])
    return Ties(*tensors(np.arange(len(BEADS)), beads.transpose(0, 2, 3, 1), there.T * PLACE_SIGMA**-2.0, most))


def _crowd(beads: Float[np.ndarray, "B L 4 3"], there: Bool[np.ndarray, "L 4"]) -> PairDistances:
    """Beads of residues that are not neighbours, and close."""
    rows, found = np.flatnonzero(there), []
    for k, one in enumerate(beads.reshape(len(beads), -1, 3)):
        pairs = rows[close_pairs(one[rows], CLOSE + SKIN)]
        pairs = pairs[np.abs(np.diff(pairs // len(BEADS), axis=1)[:, 0]) > 1]
        close, free = np.full(len(pairs), CLOSE), np.full(len(pairs), np.inf)
        found.append(PairDistances.of(pairs, k, there.shape, close, free, CROWD))
    return joined(found)
