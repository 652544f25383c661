"""Encoders: sequence and base-pair probabilities → representations, behind one interface."""

import json
from collections.abc import Callable

from rnagen.config.encoder import EncoderConfig
from rnagen.model.encoders.convformer import ConvformerEncoder
from rnagen.model.encoders.interface import Encoder, EncoderOutput
from rnagen.model.encoders.language_model import LanguageModelEncoder, LanguageModelShape
from rnagen.model.encoders.squeezeformer import SqueezeformerEncoder
from rnagen.model.encoders.transformer import TransformerEncoder

__all__ = [
    "Encoder",
    "EncoderOutput",
    "LanguageModelEncoder",
    "LanguageModelShape",
    "build_encoder",
    "encoder_memory",
    "pair_width",
]


def build_encoder(config: EncoderConfig) -> Encoder:
    """A new encoder of the configured kind and shape.

    A language model starts with the weights of its folder; given `language_model_shape`, it starts from random weights
    like the other encoders, and needs no folder.

    Raises:
        ConfigError: multimolecule, which a language model needs, is not installed.
        InputError: the folder of the language model cannot be used.
    """
    if config.language_model_shape is not None:
        return LanguageModelEncoder(LanguageModelShape.from_json(config.language_model_shape))
    if config.language_model is not None:
        return LanguageModelEncoder.from_folder(config.language_model)
    kinds: dict[str, Callable[[EncoderConfig], Encoder]] = {
        "transformer": TransformerEncoder,
        "squeezeformer": SqueezeformerEncoder,
        "convformer": ConvformerEncoder,
    }
    return kinds[config.encoder](config)


def encoder_memory(length: int, config: EncoderConfig) -> int:
    """Peak bytes of an encoder for one RNA of `length` residues, in fp32, without gradients.

    Fitted to measurements at 768 nt, per pair of residues: about 16 copies of the pair representation, if there is one;
    otherwise the attention biases of all layers, once per kind and once as their sum; three score matrices per head.
    """
    heads, dim, layers, pair_dim = _sizes(config)
    biases = (config.encoder == "squeezeformer") + (config.base_pairs == "bias")
    held = 16 * pair_dim or ((1 + biases) * layers * heads if biases else 0)
    return 4 * (length * length * (held + 3 * heads + 4) + length * (layers + 16) * dim)


def pair_width(config: EncoderConfig) -> int:
    """Width of the encoder's pair representation, 0 without one."""
    return _sizes(config)[3]


def _sizes(config: EncoderConfig) -> tuple[int, int, int, int]:
    """Heads, width, layers, and width of the pair representation."""
    if config.language_model_shape is not None:
        shape = json.loads(config.language_model_shape)["config"]
        names = ("num_attention_heads", "hidden_size", "num_hidden_layers")
        heads, dim, layers = (int(shape[name]) for name in names)
        return heads, dim, layers, int(shape.get("pairwise_size", 0))
    pair_dim = config.encoder_pair_dim if config.encoder == "convformer" else 0
    return config.encoder_heads, config.encoder_dim, config.layers, pair_dim
