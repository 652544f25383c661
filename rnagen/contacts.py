"""Points that are close, and atoms that may not be: pairs that no three bonds connect."""

import numpy as np
from jaxtyping import Bool, Float, Int

from rnagen.chemistry import WIDTH, radii

BONDS = 3
"""Atoms that so many bonds connect are neither in contact nor in clash."""
AT_ONCE = 4096
"""Points whose neighbours are looked for at once; this bounds the memory."""
_ROWS = ((0, 0), (0, 1), (1, -1), (1, 0), (1, 1))
"""Its own row of cells and those beside it, one of each two that are opposite."""


def close_pairs(points: Float[np.ndarray, "N 3"], reach: float) -> Int[np.ndarray, "K 2"]:
    """Pairs i < j of points that are nearer than `reach`, in order, in time and memory linear in N.

    Rows of cells along x, as wide as `reach`; points of a row are sorted, so that those near a point are a slice of its
    row and of each row beside. As fast as the k-d tree of SciPy, without its import.
    """
    if not len(points):
        return np.zeros((0, 2), dtype=np.int64)
    points = points.astype(np.float64)
    points = points - points.min(0)
    # A gap of two reaches between rows: what is near in the line is near in a row.
    span = points[:, 0].max() + 2 * reach
    cell = (points[:, 1:] // reach).astype(np.int64) + 1
    width = cell[:, 1].max() + 2
    line = (cell[:, 0] * width + cell[:, 1]) * span + points[:, 0]
    order = np.argsort(line, kind="stable")
    line, points = line[order], points[order]
    found = []
    for start in range(0, len(line), AT_ONCE):
        block = np.arange(start, min(start + AT_ONCE, len(line)))
        for row, column in _ROWS:
            there = line[block] + (row * width + column) * span
            first = block + 1 if row == column == 0 else np.searchsorted(line, there - reach)
            i, j = _slices(first, np.searchsorted(line, there + reach, side="right"))
            gap = points[block][i] - points[j]
            near = np.einsum("ij,ij->i", gap, gap) < reach**2
            found.append(np.stack([order[block[i[near]]], order[j[near]]], 1))
    pairs = np.sort(np.concatenate(found), axis=1)
    return pairs[np.argsort(pairs[:, 0] * len(points) + pairs[:, 1])]


def _slices(
    start: Int[np.ndarray, " N"], end: Int[np.ndarray, " N"]
) -> tuple[Int[np.ndarray, " K"], Int[np.ndarray, " K"]]:
    """Each number of a row with all numbers from its start to before its end."""
    counts = end - start
    first = np.repeat(np.arange(len(start)), counts)
    before = np.cumsum(counts) - counts
    return first, np.arange(len(first)) + (start - before)[first]


def connected(bonds: Int[np.ndarray, "K 2"], atoms: int) -> Int[np.ndarray, " pairs"]:
    """Sorted keys i · atoms + j, i < j, of the pairs that up to `BONDS` bonds connect."""
    both = np.concatenate([bonds, bonds[:, ::-1]]).astype(np.int64)
    both = both[np.argsort(both[:, 0], kind="stable")]
    start, end = (np.searchsorted(both[:, 0], np.arange(atoms), side=side) for side in ("left", "right"))
    keys = both[:, 0] * atoms + both[:, 1]
    for _ in range(BONDS - 1):
        i, middle = np.divmod(keys, atoms)
        of, to = _slices(start[middle], end[middle])
        keys = np.sort(np.concatenate([keys, i[of] * atoms + both[to, 1]]))
        # NumPy's `unique` hashes, which takes twenty times as long.
        keys = keys[np.diff(keys, prepend=-1) > 0]
    return keys[keys // atoms < keys % atoms]


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
    pairs = there[close_pairs(coords[there], 2 * float(radii().max()) + reach)]
    sums = radius[pairs].sum(1)
    apart = np.linalg.norm(coords[pairs[:, 0]] - coords[pairs[:, 1]], axis=-1)
    close = apart < sums + reach
    pairs, sums = pairs[close], sums[close]
    keys = pairs[:, 0] * len(mask) + pairs[:, 1]
    place = np.searchsorted(near, keys).clip(max=max(len(near) - 1, 0))
    free = near[place] != keys if len(near) else np.ones(len(keys), dtype=bool)
    return pairs[free], sums[free]
