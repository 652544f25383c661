"""The pretrained encoder of a run: of a reactivity checkpoint, or the one that the run goes on with."""

from dataclasses import dataclass
from pathlib import Path

import torch

from rnagen.checkpoints.files import assign_weights
from rnagen.checkpoints.reactivity import load_reactivity_checkpoint
from rnagen.checkpoints.structure import Checkpoint, EncoderSource, read_encoder_source
from rnagen.errors import ConfigError
from rnagen.model.encoders import Encoder, build_encoder
from rnagen.training.state import read_state

STATE_KEY = "pretrained"
"""Entry of a training state that describes its encoder."""
PREFIX = "model.encoder."
"""Of the encoder's tensors in a training state."""


@dataclass(frozen=True)
class Pretrained:
    """An encoder and where it comes from."""

    encoder: Encoder
    source: EncoderSource


def choose_encoder(
    option: Path | None, rate: float, state: Path | None, weights: Checkpoint | None
) -> Pretrained | None:
    """The encoder of a run, with its weights; None for a run without.

    The encoder of the training state or weights that the run starts from comes first: it may have been fine-tuned. For
    a state the file of the option is not needed.

    Args:
        option: reactivity checkpoint, as given by the user.
        rate: `encoder_rate`.
        state: training state to be resumed.
        weights: structure checkpoint to start from.

    Raises:
        InputError: the reactivity checkpoint cannot be used.
        ConfigError: it differs from that of the weights, or there is none to train.
    """
    if state is not None:
        return _of_state(state)
    given, held = None, None
    if option is not None:
        loaded = load_reactivity_checkpoint(option)
        given = Pretrained(loaded.model.encoder, EncoderSource(loaded.model.config, loaded.fingerprint))
    if weights is not None and weights.encoder is not None:
        assert weights.model.encoder is not None
        held = Pretrained(weights.model.encoder, weights.encoder)
        if given is not None and given.source.fingerprint != held.source.fingerprint:
            raise ConfigError(f"encoder: {option} differs from the one that {weights.path} was trained with (SHA-256)")
    chosen = held or given
    if chosen is None and rate:
        raise ConfigError("encoder_rate: there is no encoder to train; give one with --encoder")
    return chosen


def _of_state(state: Path) -> Pretrained | None:
    saved = read_state(state)
    source = read_encoder_source(str(state), saved.get(STATE_KEY))
    if source is None:
        return None
    with torch.device("meta"):
        encoder = build_encoder(source.config)
    tensors = {name.removeprefix(PREFIX): t for name, t in saved["state_dict"].items() if name.startswith(PREFIX)}
    # That copies them: the file is mapped, and replaced while the run goes on.
    assign_weights(encoder, tensors, state)
    return Pretrained(encoder, source)
