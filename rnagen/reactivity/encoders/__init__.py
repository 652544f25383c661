"""Encoders: sequence and base-pair probabilities → representations, behind one interface."""

from collections.abc import Callable

from rnagen.reactivity.config import EncoderConfig
from rnagen.reactivity.encoders.convformer import ConvformerEncoder
from rnagen.reactivity.encoders.interface import Encoder, EncoderOutput
from rnagen.reactivity.encoders.squeezeformer import SqueezeformerEncoder
from rnagen.reactivity.encoders.transformer import TransformerEncoder

__all__ = ["Encoder", "EncoderOutput", "build_encoder"]


def build_encoder(config: EncoderConfig) -> Encoder:
    """A new encoder of the kind and shape that the options name."""
    kinds: dict[str, Callable[[EncoderConfig], Encoder]] = {
        "transformer": TransformerEncoder,
        "squeezeformer": SqueezeformerEncoder,
        "convformer": ConvformerEncoder,
    }
    return kinds[config.encoder](config)
