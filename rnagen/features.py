"""What the model sees of an RNA before it makes coordinates."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int, Int16, Int32
from torch import Tensor

from rnagen.config.structure import ModelConfig
from rnagen.encoded import Encoded, EncodedFile
from rnagen.io.alignment import Alignment
from rnagen.io.pair_matrix import PairMatrix
from rnagen.secondary.pairs import SparsePairs, joined, no_pair_features
from rnagen.strands import strand_numbers, with_separators
from rnagen.structure import ALIGNED, BASES, NO_LABEL, UNKNOWN, encode_sequence

STRAND_GAP = 100
"""Added to the residue index from strand to strand: further than the model distinguishes positions."""


@dataclass(frozen=True)
class References:
    """Structures of each RNA, or of parts of it, that the model reads: templates, drafts, fragments. The first is the
    one of highest trust; all stand in one pose."""

    coords: Float[Tensor, "B R L A 3"]
    """Å; anything where unknown."""
    mask: Bool[Tensor, "B R L A"]
    """Atoms with known coordinates."""
    trust: Float[Tensor, "B R L"]
    """Expected similarity of each residue's surroundings to the truth, from 0 to 1."""

    def to(self, device: torch.device | str) -> "References":
        """The same on another device."""
        return References(self.coords.to(device), self.mask.to(device), self.trust.to(device))

    def without(self, masked: Bool[Tensor, " B"]) -> "References":
        """The same, without the masked RNAs."""
        return References(self.coords, self.mask & ~masked[:, None, None, None], self.trust)

    def of_trust(self, least: float) -> "References":
        """The same, without the residues of lower trust."""
        return References(self.coords, self.mask & (self.trust >= least)[..., None], self.trust)


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
    """Output of the model's encoder for the full sequence, cropped; None where the model runs the encoder itself."""
    pair_features: Float[Tensor, "B L L C"] | None = None
    """Further features of each pair, by the channels of `rnagen.structure.PAIR_FEATURES`, 0 where unknown; None for a
    model that does not read it."""
    pair_table: Int[Tensor, "B L"] | None = None
    """Secondary structure that the conformers are conditioned on: position of the residue that each is paired with,
    `UNPAIRED` or `UNKNOWN`; None without one."""
    references: References | None = None
    """For a model that reads them; None without any."""
    strand: Int[Tensor, "B L"] | None = None
    """Number of the strand of each residue; None where all RNAs have one strand."""
    label: Int[Tensor, " B"] | None = None
    """Number of the category of each RNA (see `rnagen.config.categories`), `NO_LABEL` for none; None for a model that
    does not read it."""

    def to(self, device: torch.device | str) -> "RNAFeatures":
        """The same features on another device."""
        moved = {name: value.to(device) for name, value in vars(self).items() if value is not None}
        return RNAFeatures(**moved)

    def without_condition(self, masked: Bool[Tensor, " B"] | None = None) -> "RNAFeatures":
        """The same RNAs, the masked ones (all by default) as if only their length were known: bases N, no base pairs,
        no references, no label."""
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
            references=None if self.references is None else self.references.without(masked),
        ).without_label(masked)

    def without_label(self, masked: Bool[Tensor, " B"] | None = None) -> "RNAFeatures":
        """The same RNAs, the masked ones (all by default) without their label."""
        if self.label is None:
            return self
        label = torch.full_like(self.label, NO_LABEL)
        return replace(self, label=label if masked is None else torch.where(masked, label, self.label))

    def without_pair_features(self, masked: Bool[Tensor, "B C"]) -> "RNAFeatures":
        """The same RNAs without the masked channels of pair features."""
        if self.pair_features is None:
            return self
        return replace(self, pair_features=self.pair_features.masked_fill(masked[:, None, None, :], 0))

    @property
    def visible(self) -> Bool[Tensor, " B"]:
        """RNAs with a base other than N: more than their length is known."""
        return ((self.bases != BASES.index("N")) & self.mask).any(1)


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
    """Pair tables of the structure, and of a secondary structure that ViennaRNA sampled: see
    `rnagen.data.chains`."""
    encoded: EncodedFile | None = None
    """Output of a frozen encoder."""
    label: int | None = None
    """Number of its category, `NO_LABEL` for none; None for a model that does not read it."""

    @property
    def sequence(self) -> str:
        """Over `BASES`."""
        return "".join(BASES[code] for code in self.bases)


def from_residues(
    bases: Int32[np.ndarray, " L"],
    pairs: SparsePairs | None = None,
    residue_index: Int32[np.ndarray, " L"] | None = None,
    pair_table: Int16[np.ndarray, " L"] | None = None,
    encoded: Encoded | None = None,
    label: int | None = None,
    strands: Sequence[int] = (),
) -> RNAFeatures:
    """Features [1, L] of one RNA. Every other maker goes through this one.

    Args:
        bases: codes over `rnagen.structure.BASES`.
        pairs: base pairs of the whole sequence, with pair features where they have columns; no pairs by default.
        residue_index: 1 to L by default.
        pair_table: secondary structure that the conformers are conditioned on.
        encoded: output of the model's encoder, where it is known.
        label: number of its category, for a model that reads it.
        strands: residues of each strand, for an RNA of several.
    """
    length = len(bases)
    index = np.arange(1, length + 1, dtype=np.int32) if residue_index is None else residue_index
    strand = strand_numbers(strands, length) if len(strands) > 1 else None
    if strand is not None:
        index = index + STRAND_GAP * strand
    probabilities = np.zeros((length, length), dtype=np.float32) if pairs is None else pairs.dense()
    has_features = pairs is not None and pairs.pair_features.shape[1] > 0
    return RNAFeatures(
        bases=torch.from_numpy(bases)[None],
        residue_index=torch.from_numpy(index)[None],
        mask=torch.ones(1, length, dtype=torch.bool),
        pair_probabilities=torch.from_numpy(probabilities)[None],
        encoded=encoded,
        pair_features=torch.from_numpy(pairs.dense_features())[None] if pairs is not None and has_features else None,
        label=None if label is None else torch.tensor([label]),
        pair_table=None if pair_table is None else torch.from_numpy(pair_table).long()[None],
        strand=None if strand is None else torch.from_numpy(strand)[None],
    )


def from_chain(chain: Chain) -> RNAFeatures:
    """Features [1, L] of a whole chain, without a secondary structure to be conditioned on."""
    encoded = None if chain.encoded is None else chain.encoded.whole().batch()
    return from_residues(chain.bases, chain.pairs, chain.residue_index, encoded=encoded, label=chain.label)


def from_sequence(
    config: ModelConfig,
    sequence: str,
    pair_table: Int16[np.ndarray, " L"] | None = None,
    alignment: Alignment | None = None,
    label: int = NO_LABEL,
    strands: Sequence[int] = (),
    pair_matrix: PairMatrix | None = None,
) -> RNAFeatures:
    """Features [1, L] of a sequence, with all that a model of this configuration reads; pairs by ViennaRNA.

    Args:
        config: of the model.
        sequence: over `rnagen.structure.BASES`.
        pair_table: secondary structure that the conformers are conditioned on.
        alignment: whose query is the sequence, for a model that reads alignments.
        label: number of its category, for a model that reads labels.
        strands: residues of each strand, for an RNA of several.
        pair_matrix: base-pair probabilities that replace those of ViennaRNA; further pair features stay its own.

    Raises:
        ValueError: the sequence is too long to be folded.
    """
    # A machine that only trains reads its base pairs from the dataset and has no ViennaRNA.
    from rnagen.secondary.cached import base_pairs

    pairs = base_pairs(with_separators(sequence, strands), bool(config.pair_features), pair_matrix)
    if config.pair_features:
        from rnagen.secondary.coevolution import alignment_features

        aligned = no_pair_features(len(sequence), len(ALIGNED)) if alignment is None else alignment_features(alignment)
        pairs = joined(pairs, aligned)
    known = label if config.categories else None
    return from_residues(encode_sequence(sequence), pairs, pair_table=pair_table, label=known, strands=strands)


def collate(parts: Sequence[RNAFeatures], length: int) -> RNAFeatures:
    """One padded batch [B, length] of features [1, L] that carry the same fields."""

    def stacked(name: str, axes: int, fill: int = 0) -> Any:
        values = [getattr(part, name) for part in parts]
        return None if values[0] is None else _padded(values, length, axes, fill)

    encoded = None
    if parts[0].encoded is not None:
        known = [part.encoded for part in parts if part.encoded is not None]
        pairs = [one.pair for one in known if one.pair is not None]
        layers = _padded([one.layers for one in known], length, 1)
        encoded = Encoded(layers, _padded(pairs, length, 2) if pairs else None)
    return RNAFeatures(
        bases=stacked("bases", 1),
        residue_index=stacked("residue_index", 1),
        mask=stacked("mask", 1),
        pair_probabilities=stacked("pair_probabilities", 2),
        encoded=encoded,
        pair_features=stacked("pair_features", 2),
        label=stacked("label", 0),
        pair_table=stacked("pair_table", 1, UNKNOWN),
        strand=stacked("strand", 1),
    )


def _padded(values: Sequence[Tensor], length: int, axes: int, fill: int = 0) -> Tensor:
    """Tensors [1, L, ...] as one [B, length, ...]; their first `axes` axes after the batch are padded."""
    out = values[0].new_full((len(values), *[length] * axes, *values[0].shape[1 + axes :]), fill)
    for row, value in zip(out, values):
        row[tuple(slice(n) for n in value.shape[1 : 1 + axes])] = value[0]
    return out
