"""Tiny encoders, features for them, and models with one."""

from dataclasses import replace
from pathlib import Path

import torch

from rnagen.checkpoints.reactivity import save_reactivity_checkpoint
from rnagen.checkpoints.structure import EncoderSource
from rnagen.config.encoder import EncoderConfig
from rnagen.config.structure import TrainConfig
from rnagen.features import RNAFeatures
from rnagen.model.encoders import Encoder, EncoderOutput, build_encoder
from rnagen.model.model import RNAFlowModel
from rnagen.model.reactivity import ReactivityModel
from tests.helpers.tiny import TINY, stirred

KINDS = ("transformer", "squeezeformer", "convformer")
TINY_ENCODER = EncoderConfig(
    encoder_dim=16,
    encoder_layers=2,
    encoder_heads=2,
    encoder_pair_dim=8,
    kernel_size=5,
    max_offset=6,
    encoder_dropout=0.0,
)
EXPERIMENTS = ("2A3_MaP", "DMS_MaP", "1M7")
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


def tiny_reactivity_model(kind: str = "transformer", sigmoid: bool = False) -> ReactivityModel:
    torch.manual_seed(1)
    return stirred(ReactivityModel(replace(TINY_ENCODER, encoder=kind, sigmoid=sigmoid), EXPERIMENTS)).eval()


def encoder(config: EncoderConfig) -> Encoder:
    torch.manual_seed(1)
    return stirred(build_encoder(config)).eval()


def random_features(length: int, batch: int = 2, seed: int = 0) -> RNAFeatures:
    """RNAs in which every residue has a probable paired residue."""
    generator = torch.Generator().manual_seed(seed)
    probabilities = torch.rand(batch, length, length, generator=generator)
    probabilities = (probabilities + probabilities.mT) / length
    return RNAFeatures(
        bases=torch.randint(0, 4, (batch, length), generator=generator),
        residue_index=torch.arange(1, length + 1).expand(batch, length),
        mask=torch.ones(batch, length, dtype=torch.bool),
        pair_probabilities=probabilities * (1 - torch.eye(length)),
    )


def padded(features: RNAFeatures, extra: int) -> RNAFeatures:
    """The same RNAs with `extra` padded residues, which hold garbage everywhere, base pairs with real residues too."""
    batch, length = features.bases.shape
    junk = vars(random_features(length + extra, batch, seed=9))
    values = {name: value.clone() for name, value in junk.items() if value is not None}
    for name in values:
        value = getattr(features, name)
        values[name][(slice(None), *[slice(length)] * (value.ndim - 1))] = value
    values["mask"][:, length:] = False
    return RNAFeatures(**values)


def close(first: torch.Tensor, second: torch.Tensor) -> None:
    torch.testing.assert_close(first, second, atol=1e-5, rtol=1e-5)


def same(first: EncoderOutput, second: EncoderOutput) -> None:
    """Equal outputs over the residues and RNAs of the first."""
    batch, length = first.single.shape[:2]
    close(second.single[:batch, :length], first.single)
    for mine, other in zip(first.layers, second.layers, strict=True):
        close(other[:batch, :length], mine)
    assert (first.pair is None) == (second.pair is None)
    if first.pair is not None and second.pair is not None:
        close(second.pair[:batch, :length, :length], first.pair)
