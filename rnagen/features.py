"""What the model sees of an RNA before it makes coordinates."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rnagen.structure import BASES


@dataclass(frozen=True)
class RNAFeatures:
    """A padded batch of RNAs, without coordinates."""

    bases: Int[Tensor, "B L"]
    """Codes over `rnagen.structure.BASES`."""
    residue_index: Int[Tensor, "B L"]
    """Position in the full sequence; a jump is a gap or a crop."""
    mask: Bool[Tensor, "B L"]
    """False on padding."""
    pair_probabilities: Float[Tensor, "B L L"]
    """Base-pair probabilities of the full sequence, cropped; symmetric."""

    def to(self, device: torch.device | str) -> "RNAFeatures":
        """The same features on another device."""
        return RNAFeatures(*(value.to(device) for value in vars(self).values()))

    def without_condition(self, hidden: Bool[Tensor, " B"] | None = None) -> "RNAFeatures":
        """The same RNAs, or the hidden ones of them, as if only their length were known: bases N, no base pairs."""
        if hidden is None:
            hidden = torch.ones(len(self.bases), dtype=torch.bool, device=self.bases.device)
        unknown = torch.where(self.mask, BASES.index("N"), self.bases)
        bases = torch.where(hidden[:, None], unknown, self.bases)
        pairs = self.pair_probabilities.masked_fill(hidden[:, None, None], 0)
        return RNAFeatures(bases.to(self.bases.dtype), self.residue_index, self.mask, pairs)
