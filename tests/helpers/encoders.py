"""Tiny pretrained encoders, and models with one."""

from dataclasses import replace
from pathlib import Path

import torch

from rnagen.checkpoints.reactivity import save_reactivity_checkpoint
from rnagen.checkpoints.structure import EncoderSource
from rnagen.config.encoder import EncoderConfig
from rnagen.config.structure import TrainConfig
from rnagen.model.model import RNAFlowModel
from rnagen.model.reactivity import ReactivityModel
from tests.helpers.tiny import TINY, stirred
from tests.model.encoders.test_encoders import KINDS, encoder
from tests.model.encoders.test_encoders import TINY as TINY_ENCODER

FINGERPRINT = "ab" * 32


def encoder_config(kind: str = "convformer") -> EncoderConfig:
    """Of a tiny encoder."""
    return replace(TINY_ENCODER, encoder=kind)


def encoder_source(kind: str = "convformer") -> EncoderSource:
    """Of a tiny encoder."""
    return EncoderSource(encoder_config(kind), FINGERPRINT)


def model_with_encoder(kind: str = "convformer", config: TrainConfig = TINY) -> RNAFlowModel:
    """A model in which everything acts, the encoder too."""
    torch.manual_seed(1)
    return stirred(RNAFlowModel(config.model, encoder(encoder_config(kind)))).eval()


def save_encoder(path: Path, kind: str = "convformer", seed: int = 1, dropout: float = 0.0) -> Path:
    """A reactivity checkpoint of a tiny encoder."""
    torch.manual_seed(seed)
    model = ReactivityModel(replace(encoder_config(kind), encoder_dropout=dropout), ("2A3_MaP", "DMS_MaP"))
    save_reactivity_checkpoint(path, stirred(model, seed), {})
    return path


__all__ = ["FINGERPRINT", "KINDS", "encoder", "encoder_config", "encoder_source", "model_with_encoder", "save_encoder"]
