"""Transformer encoder with sinusoidal positions: the baseline for the others."""

from jaxtyping import Float
from torch import Tensor, nn

from rnagen.config.encoder import EncoderConfig
from rnagen.features import RNAFeatures
from rnagen.model.blocks import BiasedAttention, Transition
from rnagen.model.embeddings import sinusoidal
from rnagen.model.encoders.blocks import AttentionBias, SequenceEmbedding, masked_pairs, pair_projection
from rnagen.model.encoders.interface import Encoder, EncoderOutput


class TransformerBlock(nn.Module):
    """Attention and feed-forward layer, normalised before each."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        dim = config.encoder_dim
        self.paired = pair_projection(config)
        self.attention_norm = nn.LayerNorm(dim)
        self.attention = BiasedAttention(dim, config.encoder_heads)
        self.transition_norm = nn.LayerNorm(dim)
        self.transition = Transition(dim, config.encoder_mlp_ratio)
        self.dropout = nn.Dropout(config.encoder_dropout)

    def forward(
        self, x: Float[Tensor, "B L d"], bias: Float[Tensor, "B 1 H L L"], pairs: Float[Tensor, "B L L"]
    ) -> Float[Tensor, "B L d"]:
        if self.paired is not None:
            x = self.paired(x, pairs)
        x = x + self.dropout(self.attention(self.attention_norm(x)[:, None], bias)[:, 0])
        return x + self.dropout(self.transition(self.transition_norm(x)))


class TransformerEncoder(Encoder):
    """Vaswani et al. 2017, section 3, with pre-normalisation, gated feed-forward layers and normalised queries and
    keys."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.dim, self.pair_dim, self.num_layers = config.encoder_dim, None, config.layers
        self.embedding = SequenceEmbedding(self.dim)
        self.bias = AttentionBias(config, relative_positions=False)
        self.blocks = nn.ModuleList(TransformerBlock(config) for _ in range(self.num_layers))
        self.norm = nn.LayerNorm(self.dim)

    def forward(self, features: RNAFeatures) -> EncoderOutput:
        mask, pairs = features.mask[..., None], masked_pairs(features)
        x = self.embedding(features) + sinusoidal(features.residue_index.float(), self.dim)
        layers = []
        for block, bias in zip(self.blocks, self.bias(features)):
            x = block(x, bias, pairs) * mask
            layers.append(x)
        return EncoderOutput(self.norm(x) * mask, None, tuple(layers))
