"""A chain as arrays, and a batch of crops as tensors."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int16, Int32
from torch import Tensor

from rnagen.data.encodings import EncodedFile
from rnagen.features import RNAFeatures
from rnagen.secondary.pairs import SparsePairs
from rnagen.structure import BASES


@dataclass(frozen=True)
class Chain:
    """One chain with the atoms that the model generates."""

    name: str
    bases: Int32[np.ndarray, " L"]
    residue_index: Int32[np.ndarray, " L"]
    coords: Float32[np.ndarray, "M L A 3"]
    mask: Bool[np.ndarray, "M L A"]
    pairs: SparsePairs
    pair_tables: Int16[np.ndarray, "L 2"]
    """Base-paired partner of each residue in the structure, and in a fold that ViennaRNA drew: see
    `rnagen.data.store`."""
    encoded: EncodedFile | None = None
    """What a frozen encoder says of it."""

    @property
    def sequence(self) -> str:
        """Over `BASES`."""
        return "".join(BASES[code] for code in self.bases)


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
