"""Encoders: sequence and base-pair probabilities → representations, behind one interface."""

from collections.abc import Callable

from rnagen.config.encoder import EncoderConfig
from rnagen.model.encoders.convformer import ConvformerEncoder
from rnagen.model.encoders.interface import Encoder, EncoderOutput
from rnagen.model.encoders.language_model import LanguageModelEncoder, LanguageModelShape
from rnagen.model.encoders.squeezeformer import SqueezeformerEncoder
from rnagen.model.encoders.transformer import TransformerEncoder

__all__ = ["Encoder", "EncoderOutput", "LanguageModelEncoder", "LanguageModelShape", "build_encoder"]


def build_encoder(config: EncoderConfig) -> Encoder:
    """A new encoder of the kind and shape that the options name.

    A language model has the weights of its folder; where `language_model_shape` is given, it has none of them, as the
    other encoders, and needs no folder.

    Raises:
        ConfigError: a language model is asked for and multimolecule is not installed.
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
