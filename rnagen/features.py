"""What the model sees of an RNA before it makes coordinates."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rnagen.structure import BASES, UNKNOWN


@dataclass(frozen=True)
class Encoded:
    """What a pretrained encoder of n layers says of a padded batch of RNAs; anything on padding."""

    layers: Float[Tensor, "B L n d"]
    """Output of every layer, each residue's normalised to mean 0 and variance 1; 0 for an RNA that is not shown."""
    pair: Float[Tensor, "B L L c"] | None
    """Pair representation, normalised likewise; None where the encoder has none."""

    def to(self, device: torch.device | str) -> "Encoded":
        """The same on another device."""
        return Encoded(self.layers.to(device), None if self.pair is None else self.pair.to(device))

    def without(self, masked: Bool[Tensor, " B"]) -> "Encoded":
        """The same, with nothing said of the hidden RNAs."""
        masked = masked[:, None, None, None]
        pair = None if self.pair is None else self.pair.masked_fill(masked, 0)
        return Encoded(self.layers.masked_fill(masked, 0), pair)


@dataclass(frozen=True)
class Reference:
    """A structure, or part of one, that the model is shown of each RNA: its own draft, or one that is known."""

    c1: Float[Tensor, "B L 3"]
    """C1' coordinates in Å, in any pose; anything where unknown."""
    mask: Bool[Tensor, "B L"]
    """Residues of which they are known."""

    @classmethod
    def nothing(cls, residues: Bool[Tensor, "B L"]) -> "Reference":
        """One that says nothing of these residues."""
        return cls(torch.zeros(*residues.shape, 3, device=residues.device), torch.zeros_like(residues))

    def to(self, device: torch.device | str) -> "Reference":
        """The same on another device."""
        return Reference(self.c1.to(device), self.mask.to(device))

    def without(self, masked: Bool[Tensor, " B"]) -> "Reference":
        """The same, with nothing said of the hidden RNAs."""
        return Reference(self.c1, self.mask & ~masked[:, None])


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
    encoded: Encoded | None = None
    """What the model's encoder says of the full sequence, cropped; None where the model is to ask it itself."""
    pair_features: Float[Tensor, "B L L C"] | None = None
    """What else speaks for each pair, by the channels of `rnagen.structure.EVIDENCE`, 0 where nothing does; None for a
    model that does not read it."""
    pair_table: Int[Tensor, "B L"] | None = None
    """Secondary structure that the conformers are to have: position of the residue that each is paired with,
    `UNPAIRED` or `UNKNOWN`; None where nothing is known."""
    reference: Reference | None = None
    """For a model that reads one (`recycling`)."""

    def to(self, device: torch.device | str) -> "RNAFeatures":
        """The same features on another device."""
        moved = {name: value.to(device) for name, value in vars(self).items() if value is not None}
        return RNAFeatures(**moved)

    def without_condition(self, masked: Bool[Tensor, " B"] | None = None) -> "RNAFeatures":
        """The same RNAs, or the hidden ones of them, as if only their length were known: bases N, no base pairs,
        no reference."""
        if masked is None:
            masked = torch.ones(len(self.bases), dtype=torch.bool, device=self.bases.device)
        unknown = torch.where(self.mask, BASES.index("N"), self.bases)
        bases = torch.where(masked[:, None], unknown, self.bases)
        return replace(
            self,
            bases=bases.to(self.bases.dtype),
            pair_probabilities=self.pair_probabilities.masked_fill(masked[:, None, None], 0),
            encoded=None if self.encoded is None else self.encoded.without(masked),
            pair_features=None
            if self.pair_features is None
            else self.pair_features.masked_fill(masked[:, None, None, None], 0),
            pair_table=None if self.pair_table is None else self.pair_table.masked_fill(masked[:, None], UNKNOWN),
            reference=None if self.reference is None else self.reference.without(masked),
        )

    def without_pair_features(self, masked: Bool[Tensor, "B C"]) -> "RNAFeatures":
        """The same RNAs without the hidden channels of evidence."""
        if self.pair_features is None:
            return self
        return replace(self, pair_features=self.pair_features.masked_fill(masked[:, None, None, :], 0))

    @property
    def visible(self) -> Bool[Tensor, " B"]:
        """RNAs of which more is known than their length: they have a base that is not N."""
        return ((self.bases != BASES.index("N")) & self.mask).any(1)
