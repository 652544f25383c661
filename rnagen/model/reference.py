"""How a reference structure enters the trunk: by the distances between its residues."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rnagen.config.structure import ModelConfig
from rnagen.features import Reference
from rnagen.geometry import full_precision
from rnagen.model.embeddings import radial

DISTANCES = (3.0, 63.0, 31)
"""Centres of the radial functions of a distance: first, last (Å) and number."""


class ReferenceDistances(nn.Module):
    """Distances between known C1' atoms, projected to the width of the pairs.

    The projection starts at zero and has no bias: training begins at the model without references, and where nothing is
    known nothing is added. Distances do not see mirror images: a reference gives the fold, but not its hand.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.project = nn.Linear(DISTANCES[2] + 1, config.pair_dim, bias=False)
        nn.init.zeros_(self.project.weight)

    def forward(self, reference: Reference) -> Float[Tensor, "B L L c"]:
        both = (reference.mask[:, :, None] & reference.mask[:, None, :])[..., None]
        seen = distance_features(torch.where(reference.mask[..., None], reference.c1, 0.0))
        return self.project(torch.where(both, seen, 0.0).to(self.project.weight.dtype))


@full_precision
def distance_features(c1: Float[Tensor, "B L 3"]) -> Float[Tensor, "B L L features"]:
    """Radial functions of the distances of all pairs, and 1: what tells pairs that are far apart from unknown ones."""
    distances = torch.cdist(c1, c1, compute_mode="donot_use_mm_for_euclid_dist")
    return torch.cat([radial(distances, *DISTANCES), torch.ones_like(distances)[..., None]], dim=-1)
