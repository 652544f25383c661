"""A model small enough for tests, and chains made by code."""

from dataclasses import replace

import numpy as np
import torch

from rnagen.config.sampling import SamplerConfig
from rnagen.config.structure import DataConfig, LossConfig, ModelConfig, OptimConfig, RunConfig, TrainConfig
from rnagen.data.batches import Batch, DeviceChains
from rnagen.data.chains import ChainInfo, Chains
from rnagen.data.plans import CHOICES, BatchPlan, padded_length
from rnagen.features import Chain
from rnagen.model.model import RNAFlowModel
from rnagen.secondary.pairs import SparsePairs
from rnagen.structure import PAIR_FEATURES, UNPAIRED

TINY_MODEL = ModelConfig(embed_dim=32, pair_dim=8, trunk_layers=1, num_layers=2, mha_heads=4)
TINY = TrainConfig(
    model=TINY_MODEL,
    loss=LossConfig(structure_ramp=1),
    dataset=DataConfig(crop=24, batch_size=2, copies=2),
    optim=OptimConfig(lr_warmup=2),
    sampler=SamplerConfig(steps=4),
    run=RunConfig(accelerator="cpu"),
)
CONDITIONED = replace(TINY, model=replace(TINY_MODEL, secondary_structure=True, pair_features=("langdon2018",)))
"""A model that reads secondary structures and pair features."""
LABELLED = replace(
    TINY,
    model=replace(TINY_MODEL, categories=("riboswitch", "tRNA")),
    dataset=replace(TINY.dataset, labels="family", label_dropout=0.1),
)
"""A model that reads labels."""
TINY_FLAGS = [
    *("--embed-dim", "32", "--pair-dim", "8", "--trunk-layers", "1", "--num-layers", "2", "--mha-heads", "4"),
    *("--crop", "24", "--batch-size", "2", "--copies", "2", "--steps", "4", "--accelerator", "cpu"),
]
"""TINY as command-line flags, but for the losses."""


def stirred(model: RNAFlowModel, seed: int = 1) -> RNAFlowModel:
    """The model with its zero-initialised layers moved off zero, so that everything acts on its output."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model


def make_chain(length: int, seed: int = 0, models: int = 1, resolved: float = 1.0) -> Chain:
    """A random walk of beads with a hairpin's base pairs."""
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(scale=3.5, size=(models, length, 1, 3)), axis=1)
    coords = (walk + rng.normal(scale=2, size=(models, length, 4, 3))).astype(np.float32)
    mask = rng.random((models, length, 4)) < resolved
    pairs = np.array([[i, length - 1 - i] for i in range(length // 3)], dtype=np.int16).reshape(-1, 2)
    pair_features = rng.random((len(pairs), len(PAIR_FEATURES)), dtype=np.float32)
    hairpin = np.full(length, UNPAIRED, dtype=np.int16)
    hairpin[pairs[:, 0]], hairpin[pairs[:, 1]] = pairs[:, 1], pairs[:, 0]
    return Chain(
        name=f"chain{length}_{seed}",
        bases=rng.integers(0, 4, length).astype(np.int32),
        residue_index=np.arange(1, length + 1, dtype=np.int32),
        coords=np.where(mask[..., None], coords, 0).astype(np.float32),
        mask=mask,
        pairs=SparsePairs(length, pairs, np.full(len(pairs), 0.9, dtype=np.float32), pair_features),
        pair_tables=np.stack([hairpin, hairpin], axis=-1),
    )


def stacked(chains: list[Chain]) -> Chains:
    """Chains without dates, one cluster each, of good quality."""
    infos = [ChainInfo(chain.name, chain.name, cluster=k, resolution=2.0) for k, chain in enumerate(chains)]
    return Chains.stack(TINY_MODEL.atoms, infos, chains)


def make_draw(chains: list[Chain], crop: int = 64, seed: int = 3) -> BatchPlan:
    """A draw of each chain in turn."""
    choices = np.random.default_rng(seed).random((len(chains), CHOICES), dtype=np.float32)
    longest = min(max(len(chain.bases) for chain in chains), crop)
    return BatchPlan(np.arange(len(chains)), choices, padded_length(longest, crop), seed)


def make_batch(chains: list[Chain], crop: int = 64, seed: int = 3) -> Batch:
    """One batch of the whole chains, or of stretches of them."""
    encodings = [chain.encoded for chain in chains if chain.encoded is not None]
    on_device = DeviceChains(stacked(chains), 0.0, pair_features=True, encodings=encodings or None)
    return on_device.batch(make_draw(chains, crop, seed))


def tiny_model(config: TrainConfig = TINY) -> RNAFlowModel:
    torch.manual_seed(1)
    return stirred(RNAFlowModel(config.model)).eval()


__all__ = [
    "CONDITIONED",
    "LABELLED",
    "TINY",
    "TINY_FLAGS",
    "TINY_MODEL",
    "make_batch",
    "make_chain",
    "make_draw",
    "replace",
    "stacked",
    "stirred",
    "tiny_model",
]
