"""How the representations of a pretrained encoder enter the trunk."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from rnagen.config.structure import ModelConfig
from rnagen.encoded import Encoded
from rnagen.features import RNAFeatures, from_residues
from rnagen.model.encoders import Encoder
from rnagen.model.trunk import TrunkCondition, zero_linear
from rnagen.structure import BASES, encode_sequence


class EncoderConditioning(nn.Module):
    """Learned mixture of the encoder's layers, and its pair representation, projected to the widths of the trunk.

    The mixture has one softmax weight per layer and a scale (ELMo, Peters et al. 2018, eq. 1). The projections start at
    zero: training begins at the model without encoder.
    """

    def __init__(self, config: ModelConfig, encoder: Encoder) -> None:
        super().__init__()
        self.layer_logits = nn.Parameter(torch.zeros(encoder.num_layers))
        self.scale = nn.Parameter(torch.ones(()))
        self.single = zero_linear(encoder.dim, config.embed_dim)
        self.pair = None if encoder.pair_dim is None else zero_linear(encoder.pair_dim, config.pair_dim)

    @property
    def layer_weights(self) -> Float[Tensor, " n"]:
        """Share of each layer in the mixture; they sum to 1."""
        return self.layer_logits.softmax(0)

    def forward(self, encoded: Encoded) -> TrunkCondition:
        kind = self.scale.dtype
        mixed = self.scale * (self.layer_weights[:, None] * encoded.layers.to(kind)).sum(2)
        if self.pair is None or encoded.pair is None:
            return TrunkCondition(self.single(mixed), None)
        return TrunkCondition(self.single(mixed), self.pair(encoded.pair.to(kind)))


def read(encoder: Encoder, features: RNAFeatures) -> Encoded:
    """Normalised output of the encoder; zero for RNAs whose length alone is known, because it would read their N as a
    sequence."""
    output = encoder(features)
    layers = torch.stack(output.layers, dim=2)
    pair = None if output.pair is None else F.layer_norm(output.pair, output.pair.shape[-1:])
    return Encoded(F.layer_norm(layers, layers.shape[-1:]), pair).without(~features.visible)


def freeze_unread(encoder: Encoder) -> None:
    """Freeze the parameters that `read` gets no gradient from, as those of the norm after the last layer: several
    processes that train together wait for the gradient of every parameter that is not frozen."""
    training = encoder.training
    encoder.eval()
    device = next(encoder.parameters()).device
    encoded = read(encoder, from_residues(encode_sequence(BASES)).to(device))
    outputs = [output.sum() for output in (encoded.layers, encoded.pair) if output is not None]
    parameters = [p for p in encoder.parameters() if p.requires_grad]
    gradients = torch.autograd.grad(outputs, parameters, allow_unused=True)
    for parameter, gradient in zip(parameters, gradients):
        parameter.requires_grad_(gradient is not None)
    encoder.train(training)
