"""A batch of crops."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rnagen.features import RNAFeatures


@dataclass(frozen=True)
class Batch:
    """Crops padded to one length: every `world`-th of a global batch, from its `rank`-th on."""

    features: RNAFeatures
    coords: Float[Tensor, "B L A 3"]
    """Å; zero where masked."""
    mask: Bool[Tensor, "B L A"]
    seed: int
    """Of everything random about the global batch."""
    rank: int = 0
    world: int = 1

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on another device; Lightning moves batches by calling this."""
        features, coords, mask = self.features.to(device), self.coords.to(device), self.mask.to(device)
        return Batch(features, coords, mask, self.seed, self.rank, self.world)
