"""How files hold the beads of known structures: whole steps of a hundredth of an ångström about their centre."""

import numpy as np
from jaxtyping import Bool, Float32

STEP = 0.01
"""Å; coordinates are stored as whole numbers of it, about the centre of each chain."""
FARTHEST = STEP * np.iinfo(np.int16).max
"""Å from the centre that can be stored."""


def centred_beads(coords: Float32[np.ndarray, "L 4 3"], mask: Bool[np.ndarray, "L 4"]) -> Float32[np.ndarray, "L 4 3"]:
    """Beads about their centroid; zero where masked."""
    return np.where(mask[..., None], coords - coords[mask].mean(0), 0).astype(np.float32)
