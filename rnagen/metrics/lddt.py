"""Local distance difference test on C1' atoms: no superposition, blind to mirror images.

Mariani, Biasini, Barbato and Schwede, Bioinformatics 29, 2722 (2013), on one atom per residue and without its
stereochemical checks.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rnagen.geometry import full_precision, masked_mean

RADIUS = 15.0
"""Å in the reference within which a pair is looked at."""
TOLERANCES = (0.5, 1.0, 2.0, 4.0)
"""Å by which a distance may differ."""


@dataclass(frozen=True)
class LDDT:
    """C1'-lDDT of each residue and their mean, between 0 and 1."""

    per_residue: Float[Tensor, "*batch L"]
    """0 where `scored` is False."""
    scored: Bool[Tensor, "*batch L"]
    """Residues that are present and have a neighbour within the radius."""
    mean: Float[Tensor, "*batch"]
    """Over the scored residues; 0 when there is none."""


@torch.no_grad()
@full_precision
def c1_lddt(
    pred: Float[Tensor, "*batch L 3"], ref: Float[Tensor, "*batch L 3"], mask: Bool[Tensor, "*batch L"]
) -> LDDT:
    """Share of the reference's distances under `RADIUS` that the prediction keeps, averaged over `TOLERANCES`.

    Args:
        pred: C1' coordinates, Å.
        ref: C1' coordinates of the same residues, Å.
        mask: residues present in both; the others are left out, as residues and as neighbours.
    """
    length = mask.shape[-1]
    off_diagonal = ~torch.eye(length, dtype=torch.bool, device=mask.device)
    true = _distances(ref)
    pairs = mask[..., :, None] & mask[..., None, :] & off_diagonal & (true < RADIUS)
    difference = (_distances(pred) - true).abs()
    selected = torch.stack([(difference < tolerance) for tolerance in TOLERANCES]).to(true.dtype).mean(0)
    per_residue = masked_mean(selected, pairs, -1)
    scored = pairs.any(-1)
    return LDDT(per_residue, scored, masked_mean(per_residue, scored, -1))


def _distances(x: Float[Tensor, "*batch L 3"]) -> Float[Tensor, "*batch L L"]:
    # Differences of squares, as a matrix product has them, lose the half ångström that is the smallest tolerance.
    return torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
