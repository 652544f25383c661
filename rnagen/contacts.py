"""Atoms that may not come close: pairs that no three bonds connect."""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_matrix, identity
from scipy.spatial import cKDTree

from rnagen.chemistry import WIDTH, radii

BONDS = 3
"""Atoms that so many bonds connect are neither in contact nor in clash."""


def connected(bonds: Int[np.ndarray, "K 2"], atoms: int) -> Int[np.ndarray, " pairs"]:
    """Sorted keys i · atoms + j, i < j, of the pairs that up to `BONDS` bonds connect."""
    i, j = bonds.T
    one = coo_matrix((np.ones(len(bonds), dtype=bool), (i, j)), shape=(atoms, atoms)).tocsr()
    step = one + one.T + identity(atoms, dtype=bool, format="csr")
    reach = step
    for _ in range(BONDS - 1):
        reach = reach @ step
    i, j = reach.nonzero()
    return np.sort(i[i < j].astype(np.int64) * atoms + j[i < j])


def contacts(
    coords: Float[np.ndarray, "N 3"], mask: Bool[np.ndarray, " N"], near: Int[np.ndarray, " pairs"], reach: float
) -> tuple[Int[np.ndarray, "K 2"], Float[np.ndarray, " K"]]:
    """Pairs of atoms whose distance is under the sum of their radii plus `reach` (Å), and those sums.

    Args:
        coords: Å, on the grid of `rnagen.chemistry`.
        mask: atoms that are there.
        near: pairs that are left out, of `connected`.
        reach: Å; negative for pairs that overlap so far.
    """
    there = np.flatnonzero(mask)
    radius = np.tile(radii(), len(mask) // WIDTH)
    farthest = 2 * float(radii().max()) + reach
    pairs = cKDTree(coords[there]).query_pairs(farthest, output_type="ndarray")
    pairs = np.sort(there[pairs], axis=1)
    sums = radius[pairs].sum(1)
    apart = np.linalg.norm(coords[pairs[:, 0]] - coords[pairs[:, 1]], axis=-1)
    close = apart < sums + reach
    pairs, sums = pairs[close], sums[close]
    keys = pairs[:, 0].astype(np.int64) * len(mask) + pairs[:, 1]
    place = np.searchsorted(near, keys).clip(max=max(len(near) - 1, 0))
    free = near[place] != keys if len(near) else np.ones(len(keys), dtype=bool)
    return pairs[free], sums[free]
