"""The chains that train and validate: filtered by date, held on the training device, in a reproducible order."""

import hashlib
import logging
import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from rnagen.config.structure import TrainConfig
from rnagen.data.batches import Batch, DeviceChains
from rnagen.data.categories import Labels, read_labels
from rnagen.data.chains import Chains
from rnagen.data.dataset import Dataset, TrainingData, read_data, read_sets
from rnagen.data.encodings import EncodedCache
from rnagen.data.filters import (
    check_atoms,
    counted,
    quality_filter,
    share_of_clusters,
    to_overfit,
    trainable,
    why_not_trainable,
)
from rnagen.data.known import KnownStructures
from rnagen.data.mixed_plans import MixedPlans, example_weights
from rnagen.data.plans import BatchPlans, PlansByEpoch, PlanStream, WarmUp, chain_weights
from rnagen.errors import InputError
from rnagen.features import Chain
from rnagen.messages import one_line
from rnagen.training.processes import processes_of
from rnagen.training.resume import start_from
from rnagen.training.stream import BatchStream, ResumableData

log = logging.getLogger(__name__)


class RNADataModule(ResumableData):
    """Training batches and validation chains of a prepared dataset, or of a sample of public chains without one.

    Args:
        config: options.
        encodings: by a frozen encoder, to be given to every chain; None where the model asks its encoder itself.
    """

    def __init__(self, config: TrainConfig, encodings: EncodedCache | None = None) -> None:
        super().__init__()
        self.config = config
        self.encodings = encodings
        self.val_chains: list[Chain] = []
        self.fingerprint = ""
        self.description = ""
        self.labels: Labels | None = None

    def prepare_data(self) -> None:
        """Make the sample where there are no data, and the synthetic set where it is needed and the dataset does not
        hold it (in one process only).

        Raises:
            InputError: the dataset cannot be read, or a library that makes the sample or the synthetic set is not
            installed.
        """
        options = self.config.dataset
        if self.fingerprint:
            return
        if not options.data.exists():
            if start_from(self.config.run.ckpt)[0] is not None:
                print("no folder data: going on with the sample of public chains")
            else:
                print(
                    "no --data, and no folder data: training on a small sample of public chains, to try the program "
                    "out (too few for a model that predicts)"
                )
        try:
            data = self._path
            if not options.synthetic_steps or Dataset.open(data).has_synthetic:
                return
            from rnagen.preparation.synthetic import synthetic_set
        except ImportError as error:
            reason = f"does not hold what trains, and {error.name}, which makes it, is not installed here; "
            raise InputError(options.data, None, reason + "train on a file of `rnagen prepare --beads`") from error
        synthetic_set()

    @property
    def _path(self) -> Path:
        """The dataset that trains: the one of the options, or the sample, which is made if needed."""
        if self.config.dataset.data.exists():
            return self.config.dataset.data
        from rnagen.preparation.sample_set import sample_set

        return sample_set()

    def setup(self, stage: str) -> None:
        """Read the chains into memory."""
        if self.fingerprint:
            return
        options, path = self.config.dataset, self._path
        data = self._read(path)
        self.fingerprint, self.description = data.fingerprint, data.source
        train, val = data.train, data.val
        if not len(val):
            print(f"no validation chain in {data.source}: this run does not validate")
        limits = options.min_length, options.max_resolution, options.min_contacts
        self.left_out = counted(data.in_no_split + why_not_trainable(train, range(len(train)), *limits))
        train = trainable(train, options.min_length, path)
        train = quality_filter(train, options.max_resolution, options.min_contacts, path)
        check_atoms(train, path)
        train = share_of_clusters(train, options.train_share, self.config.run.seed)
        if options.overfit:
            train = val = to_overfit(train, options.crop, path)
        self.train_chains, self.val_chains = train, val.chains()
        self.synthetic_chains = data.synthetic
        self.variants = None if options.variants is None else variants_of(options.variants, train)
        self.seen_chains = train if self.variants is None else train.followed_by(self.variants)
        self.first_synthetic = len(self.seen_chains)
        if options.synthetic_steps:
            self.seen_chains = self.seen_chains.followed_by(data.synthetic)
        self.train_encodings = None
        if self.encodings is not None:
            seen = self.seen_chains.chains()
            self.train_encodings = self.encodings.encode([(chain.sequence, chain.pairs) for chain in seen])
            self.val_chains = with_encodings(self.val_chains, self.encodings)
        if options.labels is not None:
            self._read_labels(options.labels)
        log.info("%s: %d training chains, %d validation chains", self.description, len(train), len(val))

    def _read_labels(self, column: str) -> None:
        self.labels = read_labels(self.config.dataset.splits, column, self.train_chains.names, self.categories)
        numbers = self.labels.numbers([chain.name for chain in self.val_chains])
        self.val_chains = [replace(chain, label=number) for chain, number in zip(self.val_chains, numbers)]
        unknown = self.labels.unknown([*self.train_chains.names, *(chain.name for chain in self.val_chains)])
        if unknown:
            listed = one_line(", ".join(sorted(unknown)), 80)
            print(
                f"warning: {unknown.total()} chains count as chains without a label: the model does not know their "
                f"{column} ({listed})",
                file=sys.stderr,
            )

    @property
    def categories(self) -> tuple[str, ...]:
        """Labels that the model can be conditioned on: those of the options, or of the training chains."""
        return self.config.model.categories if self.labels is None else self.labels.categories

    def _read(self, path: Path) -> TrainingData:
        options, atoms = self.config.dataset, self.config.model.atoms
        data = read_data(path, options.splits, options.cutoff, atoms)
        if path != options.data:
            data = replace(data, source="the sample of public chains")
        if not options.synthetic_steps or len(data.synthetic):
            return data
        from rnagen.preparation.synthetic import synthetic_set

        made = read_sets(Dataset.open(synthetic_set()), options.splits, atoms)
        return replace(data, synthetic=made.train)

    @property
    def batches_per_epoch(self) -> int:
        """Batches in an epoch and process."""
        options = self.config.dataset
        if self.config.run.train_batches:
            return self.config.run.train_batches
        if options.tokens is not None:
            residues = int(self.train_chains.lengths.clamp(max=options.crop).sum())
            return max(1, residues // (options.tokens * processes_of(self.config.run).number))
        return max(1, len(self.train_chains) // (options.batch_size_at(0) * processes_of(self.config.run).number))

    @property
    def validates(self) -> bool:
        """Whether there are validation chains."""
        return bool(self.val_chains)

    @property
    def contents(self) -> str:
        """What trains and validates, and what does not and why."""
        used = f"{len(self.train_chains):,} chains of {self.description} train, {len(self.val_chains):,} validate"
        used += f" (left out: {self.left_out})" if self.left_out else ""
        return used if self.labels is None else f"{used}; {len(self.categories):,} labels"

    @property
    def contents_hash(self) -> str:
        """Hash of the data, of the chains that train, and of the labels of a run with labels."""
        names = list(self.train_chains.names)
        labels = None if self.labels is None else (self.categories, self.labels.numbers(names))
        return hashlib.sha256(f"{self.fingerprint} {names} {labels}".encode()).hexdigest()

    def train_dataloader(self) -> BatchStream[Batch]:
        """Batches from `position` on, made on the device of the process."""
        assert self.trainer is not None
        options, trainer = self.config.dataset, self.trainer
        plans: BatchPlans = self._plans(self.train_chains)
        if options.tokens is not None:
            plans = self._mixed_plans(options.tokens)
        if options.synthetic_steps:
            batches = options.synthetic_steps * self.config.optim.accumulate_grad
            plans = WarmUp(self._plans(self.synthetic_chains), batches, plans, self.first_synthetic)
        device = trainer.strategy.root_device
        on_device = DeviceChains(
            self.seen_chains,
            options.spatial_crop,
            device,
            options.structure_share if self.config.model.secondary_structure else 0.0,
            bool(self.config.model.pair_features),
            self.train_encodings,
            None if self.labels is None else torch.tensor(self.labels.numbers(self.seen_chains.names)),
            None
            if not self.config.model.references
            else KnownStructures(self.seen_chains, options.templates, self.config.model.references, device),
        )
        on_device.conformers = self.config.model.num_conformers
        return BatchStream(
            on_device,
            plans,
            self.batches_per_epoch,
            self.position,
            trainer.global_rank,
            trainer.world_size,
        )

    def _plans(self, chains: Chains) -> BatchPlans:
        assert self.trainer is not None
        options, lengths = self.config.dataset, chains.lengths.numpy()
        weights = chain_weights(lengths, chains.clusters.numpy(), options.length_power, options.cluster_power)
        world, seed = self.trainer.world_size, self.config.run.seed

        def of_size(size: int) -> PlanStream:
            return PlanStream(weights, lengths, options.crop, size * world, seed)

        return PlansByEpoch(of_size, options.batch_size_at, self.batches_per_epoch)

    def _mixed_plans(self, tokens: int) -> MixedPlans:
        assert self.trainer is not None
        options = self.config.dataset
        weights = example_weights(self.train_chains, self.variants, options.length_power, options.cluster_power)
        lengths = self.seen_chains.lengths.numpy()[: len(weights)]
        return MixedPlans(weights, lengths, options.crop, tokens, self.config.run.seed, self.trainer.world_size)

    def val_dataloader(self) -> DataLoader[Chain]:
        """One whole chain at a time, dealt out among the processes."""
        assert self.trainer is not None
        mine = self.val_chains[self.trainer.global_rank :: self.trainer.world_size]
        return DataLoader(mine, batch_size=None, shuffle=False)  # type: ignore[arg-type]


def variants_of(path: Path, chains: Chains) -> Chains:
    """Variants of the chains that train.

    Raises:
        InputError: the file cannot be read, or has none of them.
    """
    every = Dataset.open(path).chains
    rows = [row for row, name in enumerate(every.names) if name.rsplit("/", 2)[0] in chains.rows]
    if not rows:
        raise InputError(path, None, "has no variant of a training chain; `runs/bare_gpu/variants.py` makes them")
    return every.select(rows, chains.atoms)


def with_encodings(chains: list[Chain], cache: EncodedCache) -> list[Chain]:
    """The same chains with their encodings, computed for those that the cache does not have yet."""
    files = cache.encode([(chain.sequence, chain.pairs) for chain in chains])
    return [replace(chain, encoded=file) for chain, file in zip(chains, files)]
