"""Which residues of a chain a training example shows."""

import numpy as np
from jaxtyping import Bool, Float32, Int


def contiguous_crop(resolved: Bool[np.ndarray, " L"], size: int, rng: np.random.Generator) -> Int[np.ndarray, " crop"]:
    """`size` residues in a row that hold at least one resolved residue, chosen at random.

    A chain with no resolved residue gets any stretch; a chain no longer than `size` is taken whole.
    """
    length = len(resolved)
    if length <= size:
        return np.arange(length)
    anchors = np.flatnonzero(resolved)
    anchor = int(rng.choice(anchors)) if len(anchors) else int(rng.integers(length))
    start = rng.integers(max(0, anchor - size + 1), min(anchor, length - size) + 1)
    return np.arange(start, start + size)


def spatial_crop(
    positions: Float32[np.ndarray, "L 3"], resolved: Bool[np.ndarray, " L"], size: int, rng: np.random.Generator
) -> Int[np.ndarray, " crop"]:
    """The `size` resolved residues nearest to a random resolved one, in chain order; all where fewer are resolved."""
    anchors = np.flatnonzero(resolved)
    if len(anchors) <= size:
        return anchors
    distance = np.linalg.norm(positions[anchors] - positions[rng.choice(anchors)], axis=-1)
    return np.sort(anchors[np.argsort(distance, kind="stable")[:size]])
