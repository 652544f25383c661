"""Conformers of one RNA in the pose of the first."""

import numpy as np
import torch
from jaxtyping import Float32

from rnagen.geometry import superpose


def on_first(coords: Float32[np.ndarray, "n L A 3"], column: int) -> Float32[np.ndarray, "n L A 3"]:
    """Each conformer moved rigidly onto the first, which stays where it is, by least squares over one atom of each
    residue (Kabsch). No mirror images.

    Args:
        coords: in Å.
        column: of the atom.
    """
    moving = torch.from_numpy(coords[1:]).double()
    counts = torch.zeros(moving.shape[:-1], dtype=torch.bool)
    counts[:, :, column] = True
    target = torch.from_numpy(coords[:1]).double().expand_as(moving)
    moved = superpose(moving.flatten(1, 2), target.flatten(1, 2), counts.flatten(1, 2)).view_as(moving)
    return np.concatenate([coords[:1], moved.float().numpy()])
