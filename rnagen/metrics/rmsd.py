"""Root mean square deviation after superposition."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rnagen.geometry import full_precision, kabsch, masked_mean, rotate


@full_precision
def rmsd(
    mobile: Float[Tensor, "*batch N 3"], target: Float[Tensor, "*batch N 3"], mask: Bool[Tensor, "*batch N"]
) -> Float[Tensor, "*batch"]:
    """RMSD in Å over the points where `mask` is True, after the best proper superposition; 0 where there is none."""
    rotation, translation = kabsch(mobile, target, mask)
    moved = rotate(mobile, rotation) + translation[..., None, :]
    return masked_mean((moved - target).square().sum(-1), mask, -1).sqrt()


def rmsd_matrix(
    a: Float[Tensor, "n L 3"], b: Float[Tensor, "m L 3"], masks: Bool[Tensor, "m L"]
) -> Float[Tensor, "n m"]:
    """RMSD in Å of each of n conformers from each of m, over the residues resolved in the latter (`masks`)."""
    return torch.stack([rmsd(b, conformer.expand_as(b), masks) for conformer in a])
