"""The conformers that train and validate a confidence head: date-gated chains, few of each cluster."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from rnagen.checkpoint import Checkpoint
from rnagen.confidence.baselines import Consensus, LengthBaseline, consensus
from rnagen.confidence.options import ConfidenceConfig, PoolConfig
from rnagen.confidence.pool import Drawing, Judged, draw_pool, pool_file
from rnagen.data.dataset import LENGTH_BUCKET, Chain, Draw, load_chains
from rnagen.data.padding import pad, padded_length
from rnagen.data.sampler import ChainSampler, chain_weights
from rnagen.data.store import StructureStore
from rnagen.features import RNAFeatures
from rnagen.io.errors import InputError
from rnagen.training.datamodule import split_rows, training_rows


@dataclass(frozen=True)
class JudgedChain:
    """A chain and its conformers."""

    chain: Chain
    judged: Judged

    @cached_property
    def consensus(self) -> Consensus:
        """What the conformers say of each other."""
        return consensus(self.judged.c1)


@dataclass(frozen=True)
class JudgedBatch:
    """K conformers of each of B chains, padded to one length."""

    features: RNAFeatures
    c1: Float[Tensor, "B K L 3"]
    lddt: Float[Tensor, "B K L"]
    scored: Bool[Tensor, "B K L"]
    tm: Float[Tensor, "B K"]

    def to(self, device: torch.device | str) -> "JudgedBatch":
        """The same batch on another device; Lightning moves batches by calling this."""
        return JudgedBatch(**{name: value.to(device) for name, value in vars(self).items()})


class JudgedDataset(Dataset[tuple[Chain, Judged]]):
    """Some of the conformers of a chain, by the seed of the draw."""

    def __init__(self, chains: list[JudgedChain], copies: int) -> None:
        self.chains = chains
        self.copies = copies

    def __len__(self) -> int:
        return len(self.chains)

    def __getitem__(self, draw: Draw) -> tuple[Chain, Judged]:
        known = self.chains[draw.row]
        count = len(known.judged.tm)
        rng = np.random.default_rng(draw.seed)
        rows = torch.from_numpy(rng.choice(count, self.copies, replace=count < self.copies))
        return known.chain, Judged(**{name: value[rows] for name, value in vars(known.judged).items()})


def collate(examples: list[tuple[Chain, Judged]]) -> JudgedBatch:
    """Pad examples with equally many conformers to the next length bucket."""
    chains, judged = zip(*examples)
    length = padded_length([len(chain.bases) for chain in chains], LENGTH_BUCKET)

    def padded(name: str) -> Tensor:
        # The residues are the second axis: the first of what is padded.
        return pad([getattr(one, name).transpose(0, 1).numpy() for one in judged], length).transpose(1, 2)

    lengths = torch.tensor([len(chain.bases) for chain in chains])
    features = RNAFeatures(
        bases=pad([chain.bases for chain in chains], length),
        residue_index=pad([chain.residue_index for chain in chains], length),
        mask=torch.arange(length) < lengths[:, None],
        pair_probabilities=pad([chain.pairs.dense() for chain in chains], length, axes=2),
    )
    return JudgedBatch(
        features, padded("c1"), padded("lddt"), padded("scored"), torch.stack([one.tm for one in judged])
    )


class ConfidenceDataModule(L.LightningDataModule):
    """Conformers of training and validation chains, drawn by the structure model where the cache has none.

    Args:
        config: options.
        checkpoint: of the structure model.
        deadline: `time.monotonic()` at which drawing stops, to go on in another run.
    """

    def __init__(self, config: ConfidenceConfig, checkpoint: Checkpoint, deadline: float | None = None) -> None:
        super().__init__()
        self.config = config
        self.checkpoint = checkpoint
        self.deadline = deadline
        self.position = 0
        self.train_chains: list[JudgedChain] = []
        self.val_chains: list[JudgedChain] = []

    def setup(self, stage: str) -> None:
        """Choose the chains, draw or read their conformers.

        Raises:
            InputError: data, splits, cache or structure model cannot be used, or the time is over.
        """
        if self.train_chains:
            return
        options, atoms = self.config.dataset, self.checkpoint.config.model.atoms
        cutoff = self.checkpoint.metadata.get("cutoff")
        if not cutoff:
            raise InputError(self.checkpoint.path, "cutoff", "missing: it says which chains may train")
        store = StructureStore.open(options.data)
        train = chosen_rows(store, options, cutoff, self.config.run.seed)
        val = [row for row in split_rows(store, options.splits / "val.csv") if fits(store, row, options)]
        if not val:
            print(f"no chain of {options.splits / 'val.csv'} fits: this run does not validate")
        self.fingerprint = store.fingerprint
        self.clusters = store.index["cluster"].to_numpy()[train]
        self.train_chains = self._judged(store, load_chains(store, train, atoms), self._drawing(training=True))
        self.val_chains = self._judged(store, load_chains(store, val, atoms), self._drawing(training=False))
        # The first conformers are those of the temperature at which is sampled.
        plain = [(len(known.chain.bases), known.judged) for known in self.train_chains]
        self.baseline = LengthBaseline.fit(plain, options.conformers)

    def _drawing(self, training: bool) -> Drawing:
        options, sampler, seed = self.config.dataset, self.config.sampler, self.config.run.seed
        if not training:
            return Drawing(sampler, (sampler.tau,), options.val_conformers, 0, seed)
        return Drawing(sampler, (sampler.tau, *options.other_taus), options.conformers, options.mirrors, seed)

    def _judged(self, store: StructureStore, chains: list[Chain], drawing: Drawing) -> list[JudgedChain]:
        file = pool_file(self.config.dataset.cache, self.checkpoint, store.fingerprint, drawing)
        judged = draw_pool(self.checkpoint, chains, drawing, file, self.deadline)
        return [JudgedChain(chain, one) for chain, one in zip(chains, judged)]

    @property
    def batches_per_epoch(self) -> int:
        """Batches in an epoch."""
        return self.config.run.train_batches or max(1, len(self.train_chains) // self.config.dataset.batch_size)

    def train_dataloader(self) -> DataLoader[Any]:
        """Batches from `position` on; every cluster is drawn equally often."""
        assert self.trainer is not None
        options = self.config.dataset
        lengths = np.array([len(known.chain.bases) for known in self.train_chains])
        weights = chain_weights(lengths, self.clusters, length_power=0.0, cluster_power=1.0)
        sampler = ChainSampler(weights, lengths, options.batch_size, self.batches_per_epoch, self.config.run.seed)
        sampler.position = self.position
        return DataLoader(
            JudgedDataset(self.train_chains, options.copies),
            batch_sampler=sampler,
            collate_fn=collate,
            num_workers=options.num_workers,
            persistent_workers=options.num_workers > 0,
            pin_memory=self.trainer.strategy.root_device.type == "cuda",
        )

    def val_dataloader(self) -> DataLoader[Any]:
        """One chain with all its conformers at a time."""
        return DataLoader(self.val_chains, batch_size=None, shuffle=False)  # type: ignore[arg-type]

    def state_dict(self) -> dict[str, Any]:
        """Position in the stream of training batches."""
        assert self.trainer is not None
        progress: Any = self.trainer.fit_loop.epoch_loop.batch_progress
        return {"position": progress.total.processed}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where a run stopped."""
        self.position = int(state_dict["position"])


def fits(store: StructureStore, row: int, options: PoolConfig) -> bool:
    """Whether a chain is short enough."""
    return bool(store.value(row, "length") <= options.max_length)


def chosen_rows(store: StructureStore, options: PoolConfig, cutoff: str, seed: int) -> list[int]:
    """Rows of the training chains that pass the date gate and are short enough; of each cluster at most `per_cluster`,
    drawn by the seed.

    Raises:
        InputError: the split breaks the date gate, or no chain is left.
    """
    split: Path = options.splits / "train.csv"
    rows: Int[np.ndarray, " N"] = np.array(
        [row for row in training_rows(store, split, cutoff, options.min_length) if fits(store, row, options)], dtype=int
    )
    if not len(rows):
        raise InputError(split, None, f"no chain of it has {options.max_length} residues or fewer")
    taken: dict[int, int] = {}
    chosen = []
    for row in np.random.default_rng(seed).permutation(rows).tolist():
        cluster = int(store.value(row, "cluster"))
        taken[cluster] = taken.get(cluster, 0) + 1
        if taken[cluster] <= options.per_cluster:
            chosen.append(row)
    return sorted(chosen)
