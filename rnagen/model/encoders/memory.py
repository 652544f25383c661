"""How much memory an encoder takes."""

import json

from rnagen.config.encoder import EncoderConfig


def encoder_memory(length: int, config: EncoderConfig) -> int:
    """Bytes that an encoder takes at its peak for one RNA of `length` residues, in fp32, without gradients.

    Measured in numbers per pair of residues at 768 nt: where there is a pair representation, about 16 copies of it are
    held; elsewhere the attention biases of all layers, once per kind and once as their sum; everywhere three score
    matrices per head.
    """
    heads, dim, layers, pair_dim = _sizes(config)
    biases = (config.encoder == "squeezeformer") + (config.base_pairs == "bias")
    held = 16 * pair_dim or ((1 + biases) * layers * heads if biases else 0)
    return 4 * (length * length * (held + 3 * heads + 4) + length * (layers + 16) * dim)


def pair_width(config: EncoderConfig) -> int:
    """Width of the encoder's pair representation, 0 where it has none."""
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
