"""Parts that the encoders share, besides those of the structure model."""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from rnagen.config.encoder import EncoderConfig
from rnagen.features import RNAFeatures
from rnagen.model.embeddings import RelativePosition
from rnagen.model.trunk import follows_gap
from rnagen.structure import BASES

MASKED_KEY = torch.finfo(torch.bfloat16).min / 4
"""Attention bias of a padded key; finite, so that outputs stay finite even without any residue."""
STRONGEST_PAIR = 8.0
"""Initial attention bias of a certain base pair in the head most sensitive to base pairs: it outweighs
exp(8) ≈ 3000 other residues."""


class SequenceEmbedding(nn.Module):
    """Base, and whether a gap in the chain precedes it → single representation."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.base = nn.Embedding(len(BASES), dim)
        self.chain_break = nn.Linear(1, dim, bias=False)

    def forward(self, features: RNAFeatures) -> Float[Tensor, "B L d"]:
        return self.base(features.bases) + self.chain_break(follows_gap(features)[..., None])


def masked_pairs(features: RNAFeatures) -> Float[Tensor, "B L L"]:
    """Base-pair probabilities, zero where either residue is padding."""
    real = features.mask[:, :, None] & features.mask[:, None, :]
    return features.pair_probabilities.masked_fill(~real, 0)


class PairProjection(nn.Module):
    """x + (I + P)·W·norm(x): each residue also reads its likely pairing residues (P: base-pair probabilities).

    A graph convolution (Kipf & Welling 2017, eq. 2) on the secondary structure. Rows are not normalised, so that
    unpaired and paired residues differ.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.project = nn.Linear(dim, dim, bias=False)

    def forward(self, x: Float[Tensor, "B L d"], pairs: Float[Tensor, "B L L"]) -> Float[Tensor, "B L d"]:
        own = self.project(self.norm(x))
        return x + own + pairs @ own


def pair_projection(config: EncoderConfig) -> PairProjection | None:
    """The projection of one block, if base pairs enter that way."""
    return PairProjection(config.encoder_dim) if config.base_pairs == "projection" else None


class AttentionBias(nn.Module):
    """Attention bias of every layer and head: relative positions, base pairs (if they enter that way), padding.

    Relative positions as in Shaw et al. 2018, section 3.2 (clipped), but a scalar per head: sequences longer than those
    in training meet no unseen position.
    """

    def __init__(self, config: EncoderConfig, relative_positions: bool) -> None:
        super().__init__()
        self.layers, self.heads = config.layers, config.encoder_heads
        outputs = self.layers * self.heads
        self.relative = RelativePosition(outputs, config.max_offset) if relative_positions else None
        self.paired = nn.Linear(1, outputs, bias=False) if config.base_pairs == "bias" else None
        if self.paired is not None:
            # From heads that ignore base pairs to one that attends to little else. By gradient steps alone, a weight
            # takes thousands of updates to grow so large that one key stands out among a hundred.
            slopes = torch.linspace(0, STRONGEST_PAIR, self.heads).repeat(self.layers)
            self.paired.weight = nn.Parameter(slopes[:, None])

    def forward(self, features: RNAFeatures) -> Float[Tensor, "layers B 1 H L L"]:
        batch, length = features.mask.shape
        padding = torch.zeros(batch, length, device=features.mask.device).masked_fill(~features.mask, MASKED_KEY)
        bias = padding[None, :, None, None, None, :]
        if self.relative is not None:
            bias = bias + self._per_head(self.relative(features.residue_index))
        if self.paired is not None:
            bias = bias + self._per_head(self.paired(features.pair_probabilities[..., None]))
        return bias.expand(self.layers, batch, 1, self.heads, length, length)

    def _per_head(self, bias: Float[Tensor, "B L L outputs"]) -> Float[Tensor, "layers B 1 H L L"]:
        return rearrange(bias, "b i j (n h) -> n b 1 h i j", h=self.heads)
