"""Convolution, pair-biased attention and triangle updates: the shape of RibonanzaNet (He et al. 2024)."""

from jaxtyping import Bool, Float
from torch import Tensor, nn

from rnagen.config.encoder import EncoderConfig
from rnagen.features import RNAFeatures
from rnagen.model.blocks import BiasedAttention, PairBias, Transition, TriangleMultiplication
from rnagen.model.embeddings import RelativePosition
from rnagen.model.encoders.blocks import SequenceEmbedding, masked_pairs, pair_projection
from rnagen.model.encoders.interface import Encoder, EncoderOutput
from rnagen.structure import BASES


class PairEmbedding(nn.Module):
    """Both bases, clipped relative position and base-pair probabilities (if used as bias) → pair representation."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        dim = config.encoder_pair_dim
        self.left = nn.Embedding(len(BASES), dim)
        self.right = nn.Embedding(len(BASES), dim)
        self.relative = RelativePosition(dim, config.max_offset)
        self.paired = nn.Linear(1, dim, bias=False) if config.base_pairs == "bias" else None

    def forward(self, features: RNAFeatures, pairs: Float[Tensor, "B L L"]) -> Float[Tensor, "B L L c"]:
        bases = self.left(features.bases)[:, :, None] + self.right(features.bases)[:, None, :]
        pair = bases + self.relative(features.residue_index)
        return pair if self.paired is None else pair + self.paired(pairs[..., None])


class ConvformerBlock(nn.Module):
    """Convolution, then an update of the pair representation, then attention under its bias.

    The pairs are updated first (as in Abramson et al. 2024, supplementary algorithm 8), so that a loss on the single
    representation also trains the pair update of the last block.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        dim, pair_dim = config.encoder_dim, config.encoder_pair_dim
        self.paired = pair_projection(config)
        self.convolution_norm = nn.LayerNorm(dim)
        self.convolution = nn.Conv1d(dim, dim, config.kernel, padding=config.kernel // 2)
        self.outer_norm = nn.LayerNorm(dim)
        self.outer = nn.Linear(dim, 2 * pair_dim, bias=False)
        self.outer_out = nn.Linear(pair_dim, pair_dim, bias=False)
        self.triangle = TriangleMultiplication(pair_dim)
        self.pair_norm = nn.LayerNorm(pair_dim)
        self.pair_transition = Transition(pair_dim, 2)
        self.bias = PairBias(pair_dim, config.encoder_heads, layers=1)
        self.attention_norm = nn.LayerNorm(dim)
        self.attention = BiasedAttention(dim, config.encoder_heads)
        self.transition_norm = nn.LayerNorm(dim)
        self.transition = Transition(dim, config.encoder_mlp_ratio)
        self.dropout = nn.Dropout(config.encoder_dropout)

    def forward(
        self,
        x: Float[Tensor, "B L d"],
        pair: Float[Tensor, "B L L c"],
        pairs: Float[Tensor, "B L L"],
        mask: Bool[Tensor, "B L"],
        pair_mask: Float[Tensor, "B L L 1"],
    ) -> tuple[Float[Tensor, "B L d"], Float[Tensor, "B L L c"]]:
        if self.paired is not None:
            x = self.paired(x, pairs)
        near = self.convolution((self.convolution_norm(x) * mask[..., None]).transpose(1, 2))
        x = x + self.dropout(near.transpose(1, 2))
        left, right = self.outer(self.outer_norm(x)).chunk(2, dim=-1)
        pair = pair + self.outer_out(left[:, :, None] * right[:, None, :])
        pair = pair + self.triangle(pair, pair_mask)
        pair = pair + self.pair_transition(self.pair_norm(pair))
        bias = self.bias(pair, mask)[0]
        x = x + self.dropout(self.attention(self.attention_norm(x)[:, None], bias)[:, 0])
        return x + self.dropout(self.transition(self.transition_norm(x))), pair


class ConvformerEncoder(Encoder):
    """RibonanzaNet (He et al. 2024), normalised before each layer; the pair representation is updated as in rnagen's
    trunk."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.dim, self.pair_dim, self.num_layers = config.encoder_dim, config.encoder_pair_dim, config.layers
        self.embedding = SequenceEmbedding(self.dim)
        self.pair_embedding = PairEmbedding(config)
        self.blocks = nn.ModuleList(ConvformerBlock(config) for _ in range(self.num_layers))
        self.norm = nn.LayerNorm(self.dim)

    def forward(self, features: RNAFeatures) -> EncoderOutput:
        mask, pairs = features.mask[..., None], masked_pairs(features)
        x = self.embedding(features)
        pair = self.pair_embedding(features, pairs)
        pair_mask = (mask & mask.transpose(1, 2))[..., None].to(pair.dtype)
        layers = []
        for block in self.blocks:
            x, pair = block(x, pair, pairs, features.mask, pair_mask)
            x = x * mask
            layers.append(x)
        return EncoderOutput(self.norm(x) * mask, pair, tuple(layers))
