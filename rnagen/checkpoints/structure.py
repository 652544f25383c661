"""Structure checkpoints: averaged weights, the configuration of their training, and the encoder if there is one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rnagen.checkpoints.files import read_model, save_model
from rnagen.config.encoder import EncoderConfig
from rnagen.config.files import load_config, to_plain
from rnagen.config.structure import TrainConfig
from rnagen.dates import is_date
from rnagen.errors import ConfigError, InputError
from rnagen.messages import one_line, quoted
from rnagen.model.encoders import build_encoder
from rnagen.model.model import RNAFlowModel

TASK = "structure"
ASSETS = Path(__file__).parents[1] / "assets"
SHIPPED = ("informed", "base", "small")
"""Names of the checkpoints that ship with the package."""
DEFAULT_CHECKPOINT = ASSETS / "informed.safetensors"
"""The checkpoint that is used unless another is named."""


@dataclass(frozen=True)
class EncoderSource:
    """The shape of a model's encoder, and where its weights come from."""

    config: EncoderConfig
    fingerprint: str
    """SHA-256 of the weights file of the reactivity model."""

    def to_plain(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {"config": to_plain(self.config), "fingerprint": self.fingerprint}


@dataclass(frozen=True)
class Checkpoint:
    """A loaded model and where it comes from."""

    model: RNAFlowModel
    config: TrainConfig
    metadata: dict[str, Any]
    """`cutoff` (ISO date), `data` (fingerprint of the training set), `step`, `metrics`, `command`, `versions`."""
    path: Path
    fingerprint: str
    """SHA-256 of the weights file."""
    encoder: EncoderSource | None = None
    """None if the model has no pretrained encoder."""


def save_checkpoint(
    path: Path,
    model: RNAFlowModel,
    config: TrainConfig,
    metadata: dict[str, Any],
    encoder: EncoderSource | None = None,
) -> None:
    """Write `path` (.safetensors) and the JSON beside it; an interrupted write leaves the old files whole.

    Raises:
        ValueError: the model has an encoder and `encoder` is None, or the other way round.
    """
    if (model.encoder is None) != (encoder is None):
        raise ValueError("a model is saved with the description of its encoder, if it has one")
    described = {} if encoder is None else {"encoder": encoder.to_plain()}
    save_model(path, model, TASK, to_plain(config), {**metadata, **described})


def find_checkpoint(path: Path) -> Path:
    """The weights that a user named: a file, or one of `SHIPPED` by its name."""
    named = str(path) in SHIPPED and not path.exists()
    return ASSETS / f"{path}.safetensors" if named else path


def load_checkpoint(path: Path, device: torch.device | str = "cpu") -> Checkpoint:
    """Load weights and configuration.

    Args:
        path: of the weights, or the name of a shipped checkpoint.
        device: to load to.

    Raises:
        InputError: a file is missing, truncated, of another format or task, or weights and configuration do not fit;
            the message names the file and the first mismatch. A model is never partly loaded.
    """
    path = find_checkpoint(path)
    if not path.suffix and not path.exists():
        raise InputError(path, None, f"no such file, and no shipped checkpoint has this name ({', '.join(SHIPPED)})")
    saved = read_model(path, TASK)
    cutoff = saved.metadata.get("cutoff")
    if not isinstance(cutoff, str) or not is_date(cutoff):
        reason = "missing" if cutoff is None else f"{quoted(cutoff)} is not a date (expected YYYY-MM-DD)"
        raise InputError(path.with_suffix(".json"), "cutoff", reason)
    config = saved.config(TrainConfig())
    encoder = read_encoder_source(str(path.with_suffix(".json")), saved.metadata.get("encoder"))
    model = saved.build(
        lambda: RNAFlowModel(config.model, None if encoder is None else build_encoder(encoder.config)), device
    )
    return Checkpoint(model, config, saved.metadata, path, saved.fingerprint, encoder)


def read_encoder_source(file: str, described: Any) -> EncoderSource | None:
    """What `EncoderSource.to_plain` gave; None for None.

    Raises:
        InputError: it is not such a description, or has an unknown option or an impossible value.
    """
    if described is None:
        return None
    try:
        return EncoderSource(load_config(EncoderConfig(), described["config"], file), str(described["fingerprint"]))
    except (ConfigError, AttributeError, TypeError, KeyError) as error:
        raise InputError(file, "encoder", one_line(error)) from error
