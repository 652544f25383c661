"""Options of the encoders. No heavy import here: `--help` must answer at once."""

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

from rnagen.config.files import Basic, refuse_unless
from rnagen.config.shared import LARGEST_WIDTH, MOST_LAYERS
from rnagen.errors import ConfigError

EncoderName = Literal["transformer", "squeezeformer", "convformer", "language-model"]
BasePairs = Literal["none", "projection", "bias"]

LAYERS = {"transformer": 8, "squeezeformer": 4, "convformer": 5}
"""Blocks that bring each encoder to 3 to 4 M parameters at width 192, so that they are compared at about equal size."""
KERNEL_SIZES = {"squeezeformer": 31, "convformer": 5}
SHAPE_OPTIONS = (
    *("encoder_dim", "encoder_pair_dim", "encoder_layers", "encoder_heads", "encoder_mlp_ratio", "kernel_size"),
    *("max_offset", "encoder_dropout"),
)
"""Options that the configuration of a language model replaces."""


@dataclass(frozen=True)
class EncoderConfig:
    """Shape of the encoder and of its output."""

    encoder: Basic[EncoderName] = "transformer"
    """Kind of encoder."""
    language_model: Basic[Path | None] = None
    """Folder of a pretrained RNA language model (config.json and *.safetensors, such as RNA-FM, RiNALMo or RibonanzaNet
    from multimolecule) for the encoder language-model. It has its own shape and dropout, and reads only bases."""
    language_model_shape: str | None = field(default=None, compare=False)
    """The model's config.json and tokens as JSON, written into checkpoints by rnagen. If given, the folder is not read,
    and the model starts without pretrained weights."""
    encoder_dim: int = 192
    """Width d of the encoder's single representation."""
    encoder_pair_dim: int = 16
    """Width c of the encoder's pair representation (convformer), which takes most of its time, in proportion to c."""
    encoder_layers: int | None = None
    """Number of blocks; by default 8 (transformer), 4 (squeezeformer) or 5 (convformer): 3 to 4 M parameters."""
    encoder_heads: int = 8
    """Attention heads."""
    encoder_mlp_ratio: int = 4
    """Hidden width of a feed-forward layer as a multiple of its width; gated layers use 2/3 of it."""
    kernel_size: int | None = None
    """Residues that a convolution spans, odd; by default 31 in the squeezeformer (depthwise), 5 in the convformer
    (across channels)."""
    max_offset: int = 32
    """Relative positions are clipped to ± this (squeezeformer, convformer)."""
    encoder_dropout: float = 0.1
    """Dropout on the residual branches."""
    base_pairs: Basic[BasePairs] = "projection"
    """How base-pair probabilities P enter: not at all (none), as I + P mixing the residues before every block
    (projection), or as attention bias (bias; in the convformer through the pair representation)."""
    sigmoid: bool = False
    """Squash the predicted reactivity to (0, 1)."""

    def __post_init__(self) -> None:
        checks = {
            "encoder_dim": 0 < self.encoder_dim <= LARGEST_WIDTH and self.encoder_dim % 2 == 0,
            "encoder_pair_dim": 0 < self.encoder_pair_dim <= LARGEST_WIDTH,
            "encoder_layers": self.encoder_layers is None or 1 <= self.encoder_layers <= MOST_LAYERS,
            "encoder_heads": self.encoder_heads >= 1 and self.encoder_dim % self.encoder_heads == 0,
            "encoder_mlp_ratio": 1 <= self.encoder_mlp_ratio <= LARGEST_WIDTH,
            "kernel_size": self.kernel_size is None
            or (0 < self.kernel_size <= LARGEST_WIDTH and self.kernel_size % 2 == 1),
            "max_offset": 1 <= self.max_offset <= LARGEST_WIDTH,
            "encoder_dropout": 0 <= self.encoder_dropout < 1,
        }
        refuse_unless(self, checks)
        if self.encoder == "language-model":
            self._check_language_model()
        for name in ("language_model", "language_model_shape"):
            if self.encoder != "language-model" and getattr(self, name) is not None:
                raise ConfigError(f"{name}: applies to the encoder language-model only, not to {self.encoder}")

    def _check_language_model(self) -> None:
        if self.language_model is None:
            raise ConfigError("language_model: the encoder language-model needs the folder of a model")
        if self.base_pairs != "none":
            raise ConfigError(
                f"base_pairs: {self.base_pairs!r} is not available: a language model reads the sequence only (use none)"
            )
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name in SHAPE_OPTIONS and value != item.default:
                raise ConfigError(f"{item.name}: {value!r} cannot be set: a language model has its own shape")

    @property
    def layers(self) -> int:
        """Number of blocks, of a language model once its shape is known."""
        if self.language_model_shape is not None:
            return int(json.loads(self.language_model_shape)["config"]["num_hidden_layers"])
        return LAYERS[self.encoder] if self.encoder_layers is None else self.encoder_layers

    @property
    def kernel(self) -> int:
        """Residues that a convolution of the squeezeformer or convformer spans."""
        return KERNEL_SIZES[self.encoder] if self.kernel_size is None else self.kernel_size
