"""Squeezeformer encoder: attention at long range, convolution at short range."""

from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from rnagen.config.encoder import EncoderConfig
from rnagen.features import RNAFeatures
from rnagen.model.blocks import BiasedAttention, Transition
from rnagen.model.encoders.blocks import AttentionBias, SequenceEmbedding, masked_pairs, pair_projection
from rnagen.model.encoders.interface import Encoder, EncoderOutput


class GatedConvolution(nn.Module):
    """Gate, depthwise convolution along the sequence, projection (Gulati et al. 2020, section 2.2).

    Layer instead of batch normalisation: each residue is normalised alone, so that padding has no effect.
    """

    def __init__(self, dim: int, kernel_size: int) -> None:
        super().__init__()
        self.inward = nn.Linear(dim, 2 * dim)
        self.depthwise = nn.Conv1d(dim, dim, kernel_size, padding=kernel_size // 2, groups=dim)
        self.norm = nn.LayerNorm(dim)
        self.outward = nn.Linear(dim, dim)

    def forward(self, x: Float[Tensor, "B L d"], mask: Bool[Tensor, "B L 1"]) -> Float[Tensor, "B L d"]:
        gated = F.glu(self.inward(x), dim=-1) * mask
        mixed = self.depthwise(gated.transpose(1, 2)).transpose(1, 2)
        return self.outward(F.silu(self.norm(mixed)))


class SqueezeformerBlock(nn.Module):
    """Attention, feed-forward, convolution, feed-forward (Kim et al. 2022, section 3.1.2), normalised before each."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        dim = config.encoder_dim
        self.paired = pair_projection(config)
        self.attention_norm = nn.LayerNorm(dim)
        self.attention = BiasedAttention(dim, config.encoder_heads)
        self.first_norm = nn.LayerNorm(dim)
        self.first_transition = Transition(dim, config.encoder_mlp_ratio)
        self.convolution_norm = nn.LayerNorm(dim)
        self.convolution = GatedConvolution(dim, config.kernel)
        self.second_norm = nn.LayerNorm(dim)
        self.second_transition = Transition(dim, config.encoder_mlp_ratio)
        self.dropout = nn.Dropout(config.encoder_dropout)

    def forward(
        self,
        x: Float[Tensor, "B L d"],
        bias: Float[Tensor, "B 1 H L L"],
        pairs: Float[Tensor, "B L L"],
        mask: Bool[Tensor, "B L 1"],
    ) -> Float[Tensor, "B L d"]:
        if self.paired is not None:
            x = self.paired(x, pairs)
        x = x + self.dropout(self.attention(self.attention_norm(x)[:, None], bias)[:, 0])
        x = x + self.dropout(self.first_transition(self.first_norm(x)))
        x = x + self.dropout(self.convolution(self.convolution_norm(x), mask))
        return x + self.dropout(self.second_transition(self.second_norm(x)))


class SqueezeformerEncoder(Encoder):
    """Squeezeformer (Kim et al. 2022) with relative positions as attention bias, at full resolution throughout:
    every residue has an output."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.dim, self.pair_dim, self.num_layers = config.encoder_dim, None, config.layers
        self.embedding = SequenceEmbedding(self.dim)
        self.bias = AttentionBias(config, relative_positions=True)
        self.blocks = nn.ModuleList(SqueezeformerBlock(config) for _ in range(self.num_layers))
        self.norm = nn.LayerNorm(self.dim)

    def forward(self, features: RNAFeatures) -> EncoderOutput:
        mask, pairs = features.mask[..., None], masked_pairs(features)
        x = self.embedding(features)
        layers = []
        for block, bias in zip(self.blocks, self.bias(features)):
            x = block(x, bias, pairs, mask) * mask
            layers.append(x)
        return EncoderOutput(self.norm(x) * mask, None, tuple(layers))
