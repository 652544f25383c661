"""The trunk reads the sequence and its base-pair probabilities, once per RNA."""

from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from rnagen.config.structure import ModelConfig
from rnagen.features import RNAFeatures
from rnagen.model.blocks import BiasedAttention, PairBias, Transition, TriangleMultiplication
from rnagen.model.embeddings import RelativePosition, sinusoidal
from rnagen.model.products import Linear
from rnagen.model.reference import ReferencePairs
from rnagen.model.rows import add_by_rows, by_rows
from rnagen.structure import BASES, PAIR_FEATURES, UNPAIRED


@dataclass(frozen=True)
class TrunkOutput:
    """What is known of an RNA before any coordinate exists."""

    single: Float[Tensor, "B L d"]
    pair: Float[Tensor, "B L L c"]


@dataclass(frozen=True)
class TrunkCondition:
    """What is added to the representations before the first block."""

    single: Float[Tensor, "B L d"]
    pair: Float[Tensor, "B L L c"] | None


class TrunkBlock(nn.Module):
    """Pair-biased attention, transition, outer product into the pairs, triangle multiplication."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim, pair_dim = config.embed_dim, config.pair_dim
        self.bias = PairBias(pair_dim, config.mha_heads, layers=1)
        self.attention_norm = nn.LayerNorm(dim)
        self.attention = BiasedAttention(dim, config.mha_heads)
        self.transition_norm = nn.LayerNorm(dim)
        self.transition = Transition(dim, config.mlp_ratio)
        self.outer_norm = nn.LayerNorm(dim)
        self.outer = Linear(dim, 2 * pair_dim, bias=False)
        self.outer_out = Linear(pair_dim, pair_dim, bias=False)
        self.triangle = TriangleMultiplication(pair_dim)
        self.pair_norm = nn.LayerNorm(pair_dim)
        self.pair_transition = Transition(pair_dim, 2)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        single: Float[Tensor, "B L d"],
        pair: Float[Tensor, "B L L c"],
        mask: Bool[Tensor, "B L"],
        pair_mask: Float[Tensor, "B L L 1"],
    ) -> tuple[Float[Tensor, "B L d"], Float[Tensor, "B L L c"]]:
        """Single and pair representation after the block; without gradients, `pair` itself is changed."""
        attended = self.attention(self.attention_norm(single)[:, None], self.bias(pair, mask)[0])[:, 0]
        single = single + self.dropout(attended)
        single = single + self.dropout(self.transition(self.transition_norm(single)))
        left, right = self.outer(self.outer_norm(single)).chunk(2, dim=-1)
        pair = add_by_rows(pair, lambda rows: self.outer_out(left[:, rows, None] * right[:, None, :]))
        pair = self.triangle.add_to(pair, pair_mask)
        before = pair
        pair = add_by_rows(pair, lambda rows: self.pair_transition(self.pair_norm(before[:, rows])))
        return single, pair


class Trunk(nn.Module):
    """Sequence, residue index, base-pair probabilities and what else is known → single and pair representation."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim, pair_dim = config.embed_dim, config.pair_dim
        self.abs_pos_emb = config.abs_pos_emb
        self.grad_checkpointing = config.grad_checkpointing
        self.base = nn.Embedding(len(BASES), dim)
        self.chain_break = Linear(1, dim, bias=False)
        self.paired = Linear(3, dim, bias=False)
        self.base_left = nn.Embedding(len(BASES), pair_dim)
        self.base_right = nn.Embedding(len(BASES), pair_dim)
        self.relative_position = RelativePosition(pair_dim, config.max_relative_position)
        self.pair_probability = Linear(1, pair_dim, bias=False)
        self.blocks = nn.ModuleList(TrunkBlock(config) for _ in range(config.trunk_layers))
        self.single_norm = nn.LayerNorm(dim)
        # Zero at first: a model begins as the one without them, trained or not.
        self.pair_feature_columns = [PAIR_FEATURES.index(channel) for channel in config.pair_features]
        self.pair_features = zero_linear(len(config.pair_features), pair_dim) if config.pair_features else None
        self.secondary_structure = SecondaryStructure(dim, pair_dim) if config.secondary_structure else None
        self.other_strand = zero_linear(1, pair_dim) if config.strands else None
        self.references = ReferencePairs(config) if config.references else None

    def forward(self, features: RNAFeatures, condition: TrunkCondition | None = None) -> TrunkOutput:
        mask = features.mask
        single = self.base(features.bases) + self.paired(paired_upstream_downstream(features))
        single = single + self.chain_break(follows_gap(features)[..., None])
        if self.abs_pos_emb:
            single = single + sinusoidal(features.residue_index.float(), single.shape[-1])
        if self.secondary_structure is not None and features.pair_table is not None:
            single = single + self.secondary_structure(features.pair_table)
        if condition is not None:
            single = single + condition.single
        pair = by_rows(lambda rows: self._pairs(features, condition, rows), mask.shape[1])
        if self.references is not None and features.references is not None:
            pair = self.references.add_to(pair, features.references, mask)
        pair_mask = (mask[:, :, None] & mask[:, None, :])[..., None].to(pair.dtype)
        for block in self.blocks:
            if self.grad_checkpointing and torch.is_grad_enabled():
                single, pair = checkpoint(block, single, pair, mask, pair_mask, use_reentrant=False)
            else:
                single, pair = block(single, pair, mask, pair_mask)
        return TrunkOutput(self.single_norm(single), pair)

    def _pairs(
        self, features: RNAFeatures, condition: TrunkCondition | None, rows: slice
    ) -> Float[Tensor, "B rows L c"]:
        """Some rows of the pair representation before the first block."""
        pair = (
            self.base_left(features.bases[:, rows])[:, :, None]
            + self.base_right(features.bases)[:, None, :]
            + self.relative_position(features.residue_index, rows)
            + self.pair_probability(features.pair_probabilities[:, rows, :, None])
        )
        if self.pair_features is not None:
            if features.pair_features is None:
                raise ValueError("this model reads pair features, but the RNAFeatures carry none")
            pair = pair + self.pair_features(features.pair_features[:, rows][..., self.pair_feature_columns])
        if self.secondary_structure is not None and features.pair_table is not None:
            pair = pair + self.secondary_structure.pairs(features.pair_table, rows)
        if self.other_strand is not None and features.strand is not None:
            other = features.strand[:, rows, None] != features.strand[:, None, :]
            pair = pair + self.other_strand(other[..., None].to(pair.dtype))
        return pair if condition is None or condition.pair is None else pair + condition.pair[:, rows]


class SecondaryStructure(nn.Module):
    """Adds the secondary structure that the conformers are conditioned on to residues and pairs: nothing where it is
    unknown, and nothing at all before training."""

    def __init__(self, dim: int, pair_dim: int) -> None:
        super().__init__()
        self.residue = zero_linear(2, dim)
        self.paired = zero_linear(1, pair_dim)

    def forward(self, pair_table: Int[Tensor, "B L"]) -> Float[Tensor, "B L d"]:
        """What residues get."""
        known = torch.stack([pair_table >= 0, pair_table == UNPAIRED], dim=-1)
        return self.residue(known.to(self.residue.weight.dtype))

    def pairs(self, pair_table: Int[Tensor, "B L"], rows: slice) -> Float[Tensor, "B rows L c"]:
        """What some rows of the pairs get."""
        paired = pair_table[:, rows, None] == torch.arange(pair_table.shape[1], device=pair_table.device)
        return self.paired(paired[..., None].to(self.paired.weight.dtype))


def zero_linear(inputs: int, outputs: int) -> nn.Linear:
    """A projection that starts at zero and adds nothing then."""
    linear = Linear(inputs, outputs, bias=False)
    nn.init.zeros_(linear.weight)
    return linear


def follows_gap(features: RNAFeatures) -> Float[Tensor, "B L"]:
    """1 where the residue index jumps from the residue before (a gap in the chain or the edge of a crop piece)."""
    jump = (features.residue_index[:, 1:] - features.residue_index[:, :-1]) != 1
    return F.pad(jump.float(), (1, 0))


def paired_upstream_downstream(features: RNAFeatures) -> Float[Tensor, "B L 3"]:
    """Probability that a residue is paired at all, with a residue 5' of it, and with one 3' of it."""
    probabilities = features.pair_probabilities
    upstream = torch.tril(probabilities).sum(-1)
    downstream = torch.triu(probabilities).sum(-1)
    return torch.stack([upstream + downstream, upstream, downstream], dim=-1)


class Distogram(nn.Module):
    """Symmetric logits over C1'–C1' distance bins."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.pair_dim)
        self.project = Linear(config.pair_dim, config.distogram_bins)

    def forward(self, pair: Float[Tensor, "B L L c"]) -> Float[Tensor, "B L L bins"]:
        logits = self.project(self.norm(pair))
        return logits + rearrange(logits, "b i j bins -> b j i bins")
