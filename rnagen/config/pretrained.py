"""Options of the encoder that a structure model may start from."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PretrainedConfig:
    """The encoder, trained on reactivity, whose representations the trunk starts from."""

    encoder: Path | None = None
    """Reactivity checkpoint (.safetensors) with the encoder. It is saved within the structure checkpoint. Experimental:
    no gain measured."""
    encoder_rate: float = 0.0
    """Learning rate of the encoder as a share of `lr`. 0: it is frozen and reads each whole RNA once; its output is
    stored in `run_dir`/encoded. Otherwise it reads the crops."""
