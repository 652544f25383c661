"""Training and validation data: splits without similar sequences, batches of similar lengths, a fixed order."""

import os
from typing import Any

import numpy as np
from jaxtyping import Bool
from torch.utils.data import DataLoader, DistributedSampler

from rnagen.config.reactivity import ReactivityConfig
from rnagen.errors import InputError
from rnagen.io.reactivity_table import ReactivityTable
from rnagen.tasks.reactivity.batches import EpochStream, LengthMatchedBatchSampler
from rnagen.tasks.reactivity.cv_splits import assign_splits
from rnagen.tasks.reactivity.dataset import ReactivityDataset, ReactivityExample, reactivity_batch, trainable
from rnagen.tasks.reactivity.pairs import MappedPairs
from rnagen.training.processes import processes_of
from rnagen.training.stream import ResumableData


class ReactivityDataModule(ResumableData):
    """Training batches and validation batches of one table of profiles."""

    table: ReactivityTable
    train: ReactivityDataset
    val: ReactivityDataset | None

    def __init__(self, config: ReactivityConfig, experiments: tuple[str, ...] = ()) -> None:
        """`experiments`: those of the model that training starts from; by default those of the file."""
        super().__init__()
        self.config = config
        self.experiments = experiments

    def prepare_data(self) -> None:
        """Convert the table, compute base pairs and compare sequences, in one process only; results go to the cache."""
        table = self._open()
        self._pairs(table)
        self._held_out(table)

    def setup(self, stage: str) -> None:
        """Map the profiles and split them.

        Raises:
            InputError: the file cannot be used, or no profile remains to train on.
        """
        options = self.config.dataset
        self.table = self._open()
        pairs = self._pairs(self.table)
        good, held_out = trainable(self.table, options.min_signal_to_noise), self._held_out(self.table)
        trains = good & ~held_out[:, None]
        if options.max_length is not None:
            trains = trains & (self.table.lengths <= options.max_length)[:, None]
        self.train = ReactivityDataset(self.table, trains, pairs, options.sn_weights)
        if not len(self.train) >= options.batch_size * processes_of(self.config.run).number:
            raise InputError(
                options.data,
                None,
                f"{len(self.train)} examples remain for training: too few for a batch; lower batch_size",
            )
        validates = bool((good & held_out[:, None]).any())
        self.val = ReactivityDataset(self.table, good & held_out[:, None], pairs, weights=False) if validates else None

    @property
    def batches_per_epoch(self) -> int:
        """Batches in an epoch and process."""
        return self.config.run.train_batches or len(self._batches(0, processes_of(self.config.run).number))

    @property
    def validates(self) -> bool:
        """Whether profiles are held out."""
        return self.val is not None

    @property
    def contents(self) -> str:
        """What trains and validates."""
        return (
            f"{int(self.train.used.sum()):,} profiles of {len(self.train):,} examples train, "
            f"{0 if self.val is None else int(self.val.used.sum()):,} profiles validate"
        )

    @property
    def contents_hash(self) -> str:
        """Hash of the data."""
        return self.table.fingerprint

    def train_dataloader(self) -> DataLoader[ReactivityExample]:
        """Batches from `position` on."""
        assert self.trainer is not None
        batches = self._batches(self.trainer.global_rank, self.trainer.world_size)
        stream = EpochStream(batches, min(self.batches_per_epoch, len(batches)))
        stream.position = self.position
        return self._loader(self.train, stream)

    def val_dataloader(self) -> list[DataLoader[ReactivityExample]]:
        """Batches sorted by length, distributed over the processes."""
        assert self.trainer is not None
        if self.val is None:
            return []
        size = self.config.dataset.batch_size
        order = np.argsort(self.val.lengths, kind="stable").tolist()
        batches = [order[start : start + size] for start in range(0, len(order), size)]
        return [self._loader(self.val, batches[self.trainer.global_rank :: self.trainer.world_size])]

    def _open(self) -> ReactivityTable:
        return ReactivityTable.open(self.config.dataset.data, self.config.dataset.cache, self.experiments)

    def _pairs(self, table: ReactivityTable) -> MappedPairs | None:
        """Base pairs, if the model reads them."""
        if self.config.model.base_pairs == "none":
            return None
        return MappedPairs.of(table.sequences(), self.config.dataset.cache, os.cpu_count() or 1)

    def _held_out(self, table: ReactivityTable) -> Bool[np.ndarray, " N"]:
        options = self.config.dataset
        if options.cv_split is None:
            return np.zeros(len(table), dtype=bool)
        try:
            cv_splits = assign_splits(table.sequences(), options.cv_splits, self.config.run.seed, options.cache)
        except ValueError as error:
            raise InputError(options.data, None, str(error)) from error
        return cv_splits == options.cv_split

    def _batches(self, rank: int, world: int) -> LengthMatchedBatchSampler:
        sampler: DistributedSampler[Any] = DistributedSampler(self.train, world, rank, seed=self.config.run.seed)
        return LengthMatchedBatchSampler(sampler, self.train.lengths, self.config.dataset.batch_size, drop_last=True)

    def _loader(self, dataset: ReactivityDataset, batches: Any) -> DataLoader[ReactivityExample]:
        assert self.trainer is not None
        return DataLoader(
            dataset,
            batch_sampler=batches,
            collate_fn=reactivity_batch,
            num_workers=self.config.dataset.num_workers,
            pin_memory=self.trainer.strategy.root_device.type == "cuda",
        )
