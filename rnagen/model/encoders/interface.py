"""The interface of every encoder."""

from abc import ABC, abstractmethod
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from rnagen.features import RNAFeatures


class EncoderOutput(NamedTuple):
    """Representations of a padded batch of RNAs."""

    single: Float[Tensor, "B L d"]
    """Normalised output of the last layer, zero on padding."""
    pair: Float[Tensor, "B L L c"] | None
    """None if the encoder has no pair representation; undefined on padding."""
    layers: tuple[Float[Tensor, "B L d"], ...]
    """Output of every layer, first to last, not normalised, zero on padding; for a learned mixture of layers."""


class Encoder(nn.Module, ABC):
    """Sequence and base-pair probabilities → representations. The output for an RNA depends neither on padding nor
    on the other RNAs of its batch."""

    dim: int
    """Width d of the single representation."""
    pair_dim: int | None
    """Width c of the pair representation; None without a pair representation."""
    num_layers: int
    """Length of `EncoderOutput.layers`."""

    @abstractmethod
    def forward(self, features: RNAFeatures) -> EncoderOutput:
        """Encode each RNA of the batch."""
