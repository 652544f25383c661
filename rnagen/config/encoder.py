"""Every option of the reactivity task, once. No heavy import here: `--help` must answer at once."""

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

from rnagen.config.files import refuse_unless
from rnagen.errors import ConfigError

EncoderName = Literal["transformer", "squeezeformer", "convformer", "language-model"]
BasePairs = Literal["none", "projection", "bias"]

LAYERS = {"transformer": 8, "squeezeformer": 4, "convformer": 5}
"""Blocks that bring each encoder to 3 to 4 M parameters at width 192, so that they compare at about equal size."""
KERNEL_SIZES = {"squeezeformer": 31, "convformer": 5}
SHAPE_OPTIONS = (
    *("encoder_dim", "encoder_pair_dim", "encoder_layers", "encoder_heads", "encoder_mlp_ratio", "kernel_size"),
    *("max_offset", "encoder_dropout"),
)
"""Options that a language model answers by its own configuration."""


@dataclass(frozen=True)
class EncoderConfig:
    """Shape of the encoder and of its output."""

    encoder: EncoderName = "transformer"
    """Kind of encoder."""
    language_model: Path | None = None
    """Folder of a pretrained RNA language model (config.json and *.safetensors, as RNA-FM, RiNALMo or RibonanzaNet of
    multimolecule), for the encoder language-model: it brings its own shape and dropout, and sees the sequence only."""
    language_model_shape: str | None = field(default=None, compare=False)
    """Its config.json and tokens as JSON, which rnagen writes into checkpoints. With it the folder is not read, and the
    model starts without pretrained weights."""
    encoder_dim: int = 192
    """Width d of the encoder's single representation."""
    encoder_pair_dim: int = 16
    """Width c of the encoder's pair representation (convformer); most of its time goes there, in proportion to c."""
    encoder_layers: int | None = None
    """Blocks; by default 8 in the transformer, 4 in the squeezeformer, 5 in the convformer: 3 to 4 M parameters."""
    encoder_heads: int = 8
    """Attention heads."""
    encoder_mlp_ratio: int = 4
    """Hidden width of a feed-forward layer is this times its width, times 2/3 for the gate."""
    kernel_size: int | None = None
    """Residues that a convolution spans, odd; by default 31 in the squeezeformer (one filter per channel), 5 in the
    convformer (across channels)."""
    max_offset: int = 32
    """Relative positions are clipped to ± this (squeezeformer, convformer)."""
    encoder_dropout: float = 0.1
    """Dropout on the residual branches."""
    base_pairs: BasePairs = "projection"
    """How base-pair probabilities P enter: not at all, as I + P mixing the residues before every block (projection), or
    as attention bias (in the convformer: through the pair representation)."""
    sigmoid: bool = False
    """Squash the predicted reactivity to (0, 1)."""

    def __post_init__(self) -> None:
        checks = {
            "encoder_dim": self.encoder_dim > 0 and self.encoder_dim % 2 == 0,
            "encoder_pair_dim": self.encoder_pair_dim > 0,
            "encoder_layers": self.encoder_layers is None or self.encoder_layers >= 1,
            "encoder_heads": self.encoder_heads >= 1 and self.encoder_dim % self.encoder_heads == 0,
            "encoder_mlp_ratio": self.encoder_mlp_ratio >= 1,
            "kernel_size": self.kernel_size is None or (self.kernel_size >= 1 and self.kernel_size % 2 == 1),
            "max_offset": self.max_offset >= 1,
            "encoder_dropout": 0 <= self.encoder_dropout < 1,
        }
        refuse_unless(self, checks)
        if self.encoder == "language-model":
            self._check_language_model()
        for name in ("language_model", "language_model_shape"):
            if self.encoder != "language-model" and getattr(self, name) is not None:
                raise ConfigError(f"{name}: is for the encoder language-model, not for the {self.encoder}")

    def _check_language_model(self) -> None:
        if self.language_model is None:
            raise ConfigError("language_model: the encoder language-model needs the folder of one")
        if self.base_pairs != "none":
            raise ConfigError(
                f"base_pairs: {self.base_pairs!r} cannot be used: a language model sees the sequence only"
            )
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name in SHAPE_OPTIONS and value != item.default:
                raise ConfigError(f"{item.name}: {value!r} is not for a language model, which brings its own shape")

    @property
    def layers(self) -> int:
        """Number of blocks; of a language model where its shape is known."""
        if self.language_model_shape is not None:
            return int(json.loads(self.language_model_shape)["config"]["num_hidden_layers"])
        return LAYERS[self.encoder] if self.encoder_layers is None else self.encoder_layers

    @property
    def kernel(self) -> int:
        """Residues that a convolution of the squeezeformer or convformer spans."""
        return KERNEL_SIZES[self.encoder] if self.kernel_size is None else self.kernel_size
