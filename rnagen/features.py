"""What the model sees of an RNA before it makes coordinates."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


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
