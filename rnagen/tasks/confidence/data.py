"""The conformers that train and validate a confidence head: chains filtered by date, few of each cluster."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.utils.data import DataLoader

from rnagen.checkpoints.structure import Checkpoint
from rnagen.config.confidence import ConfidenceConfig, ConformerSetConfig
from rnagen.data.chains import Chains
from rnagen.data.dataset import read_data
from rnagen.data.filters import trainable
from rnagen.data.padding import pad
from rnagen.data.plans import BatchPlan, PlanStream, chain_weights
from rnagen.errors import InputError
from rnagen.features import Chain, RNAFeatures, collate, from_chain
from rnagen.tasks.confidence.conformers import ConformerPlan, ScoredConformers, conformers_file, sample_conformer_set
from rnagen.tasks.confidence.report import Consensus, LengthBaseline, consensus
from rnagen.training.stream import BatchStream, ResumableData


@dataclass(frozen=True)
class ScoredChain:
    """A chain and its conformers."""

    chain: Chain
    scores: ScoredConformers

    @cached_property
    def consensus(self) -> Consensus:
        """How far the conformers agree."""
        return consensus(self.scores.c1)


@dataclass(frozen=True)
class ScoredBatch:
    """K conformers of each of B chains, padded to one length."""

    features: RNAFeatures
    c1: Float[Tensor, "B K L 3"]
    lddt: Float[Tensor, "B K L"]
    scored: Bool[Tensor, "B K L"]
    tm: Float[Tensor, "B K"]

    def to(self, device: torch.device | str) -> "ScoredBatch":
        """The same batch on another device; Lightning moves batches by calling this."""
        return ScoredBatch(**{name: value.to(device) for name, value in vars(self).items()})


class ScoredChains:
    """Chains with scored conformers, as a source of a `BatchStream`."""

    def __init__(self, chains: list[ScoredChain], copies: int) -> None:
        self.chains = chains
        self.copies = copies

    def batch(self, plan: BatchPlan, rank: int = 0, world: int = 1) -> ScoredBatch:
        """Some of the conformers of each chain in a process's share of the batch."""
        known = [self.chains[row] for row in plan.rows[rank::world]]
        rng = np.random.default_rng([plan.seed, rank])
        return scored_batch([(one.chain, some_of(one.scores, self.copies, rng)) for one in known], plan.length)


def some_of(scores: ScoredConformers, count: int, rng: np.random.Generator) -> ScoredConformers:
    """Conformers at random; some twice where there are not so many."""
    there = len(scores.tm)
    rows = torch.from_numpy(rng.choice(there, count, replace=there < count))
    return ScoredConformers(**{name: value[rows] for name, value in vars(scores).items()})


def scored_batch(examples: list[tuple[Chain, ScoredConformers]], length: int) -> ScoredBatch:
    """Examples with equally many conformers, padded to `length` residues."""
    chains, scores = zip(*examples)

    def padded(name: str) -> Tensor:
        # The residues are the second axis: the first of what is padded.
        return pad([getattr(one, name).transpose(0, 1).numpy() for one in scores], length).transpose(1, 2)

    features = collate([from_chain(chain) for chain in chains], length)
    return ScoredBatch(
        features, padded("c1"), padded("lddt"), padded("scored"), torch.stack([one.tm for one in scores])
    )


class ConfidenceDataModule(ResumableData):
    """Conformers of training and validation chains, sampled from the structure model if the cache has none.

    Args:
        config: options.
        checkpoint: of the structure model.
        deadline: `time.monotonic()` at which sampling stops, to go on in another run.
    """

    def __init__(self, config: ConfidenceConfig, checkpoint: Checkpoint, deadline: float | None = None) -> None:
        super().__init__()
        self.config = config
        self.checkpoint = checkpoint
        self.deadline = deadline
        self.train_chains: list[ScoredChain] = []
        self.val_chains: list[ScoredChain] = []

    def setup(self, stage: str) -> None:
        """Choose the chains, sample or read their conformers.

        Raises:
            InputError: data, splits, cache or structure model cannot be used, or the time is over.
        """
        if self.train_chains:
            return
        options, atoms = self.config.dataset, self.checkpoint.config.model.atoms
        cutoff = self.checkpoint.metadata.get("cutoff")
        if not cutoff:
            raise InputError(self.checkpoint.path, "cutoff", "missing: it decides which chains may train")
        data = read_data(options.data, options.splits, cutoff, atoms)
        train = chosen(trainable(data.train, options.min_length, options.data), options, self.config.run.seed)
        val = no_longer_than(data.val, options.max_length)
        if not len(val):
            print(f"no validation chain of {data.source} fits: this run does not validate")
        self.fingerprint, self.clusters = data.fingerprint, train.clusters.numpy()
        self.train_chains = self._scored(train.chains(), self._plan(training=True))
        self.val_chains = self._scored(val.chains(), self._plan(training=False))
        # The first conformers are those of `tau`, the temperature of sampling.
        plain = [(len(known.chain.bases), known.scores) for known in self.train_chains]
        self.baseline = LengthBaseline.fit(plain, options.conformers)

    def _plan(self, training: bool) -> ConformerPlan:
        options, sampler, seed = self.config.dataset, self.config.sampler, self.config.run.seed
        if not training:
            return ConformerPlan(sampler, (sampler.tau,), options.val_conformers, 0, seed)
        taus = (sampler.tau, *options.other_taus)
        return ConformerPlan(sampler, taus, options.conformers, options.mirrors, seed, options.templates)

    def _scored(self, chains: list[Chain], plan: ConformerPlan) -> list[ScoredChain]:
        file = conformers_file(self.config.dataset.cache, self.checkpoint, self.fingerprint, plan)
        scores = sample_conformer_set(self.checkpoint, chains, plan, file, self.deadline)
        return [ScoredChain(chain, one) for chain, one in zip(chains, scores)]

    @property
    def batches_per_epoch(self) -> int:
        """Batches in an epoch."""
        return self.config.run.train_batches or max(1, len(self.train_chains) // self.config.dataset.batch_size)

    @property
    def validates(self) -> bool:
        """Whether there are validation chains."""
        return bool(self.val_chains)

    @property
    def contents(self) -> str:
        """What trains and validates."""
        return (
            f"{self.conformers:,} conformers of {len(self.train_chains):,} chains train, "
            f"{len(self.val_chains)} chains validate"
        )

    @property
    def conformers(self) -> int:
        """Conformers to train on."""
        return sum(len(known.scores.tm) for known in self.train_chains)

    @property
    def contents_hash(self) -> str:
        """Hash of the data and of the chains that train."""
        names = [known.chain.name for known in self.train_chains]
        return hashlib.sha256(f"{self.fingerprint} {names}".encode()).hexdigest()

    def train_dataloader(self) -> BatchStream[ScoredBatch]:
        """Batches from `position` on; every cluster is sampled equally often."""
        options = self.config.dataset
        lengths = np.array([len(known.chain.bases) for known in self.train_chains])
        weights = chain_weights(lengths, self.clusters, length_power=0.0, cluster_power=1.0)
        plans = PlanStream(weights, lengths, int(lengths.max()), options.batch_size, self.config.run.seed)
        chains = ScoredChains(self.train_chains, options.copies)
        return BatchStream(chains, plans, self.batches_per_epoch, self.position)

    def val_dataloader(self) -> DataLoader[Any]:
        """One chain with all its conformers at a time."""
        return DataLoader(self.val_chains, batch_size=None, shuffle=False)  # type: ignore[arg-type]


def no_longer_than(chains: Chains, longest: int) -> Chains:
    """The chains of `longest` residues or fewer, perhaps none."""
    return chains.select((chains.lengths <= longest).nonzero()[:, 0].tolist())


def chosen(chains: Chains, options: ConformerSetConfig, seed: int) -> Chains:
    """The chains that are short enough; of each cluster at most `per_cluster`, chosen by the seed.

    Raises:
        InputError: no chain is left.
    """
    short = no_longer_than(chains, options.max_length)
    if not len(short):
        raise InputError(options.data, None, f"none of its training chains has {options.max_length} residues or fewer")
    taken: dict[int, int] = {}
    rows = []
    for row in np.random.default_rng(seed).permutation(len(short)).tolist():
        cluster = int(short.clusters[row])
        taken[cluster] = taken.get(cluster, 0) + 1
        if taken[cluster] <= options.per_cluster:
            rows.append(row)
    return short.select(sorted(rows))
