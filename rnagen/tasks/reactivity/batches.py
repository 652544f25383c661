"""The order of batches: RNAs of similar length together, and an epoch that resumes where it stopped."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import islice

import numpy as np
from jaxtyping import Int
from torch.utils.data import Sampler


class LengthMatchedBatchSampler(Sampler[list[int]]):
    """Group the indices of a sampler into batches of one length bucket; each index is in exactly one batch.

    A bucket holds the lengths of equal `length // bucket` and becomes a batch as soon as it has `batch_size` indices.
    The rest is sorted by length at the end and cut into batches. The batches are thus a function of the sampler's order
    alone, and their number is len(sampler) / batch_size, rounded up, whatever the lengths: every rank of a
    `DistributedSampler` yields equally many batches. Each rank is matched by itself, so that one step may have batches
    of different lengths on different ranks.

    Args:
        sampler: yields indices; `DistributedSampler` and weighted samplers with repeats work. Lightning must not wrap
            it in another (`use_distributed_sampler=False`).
        lengths: residues of each example, by index.
        batch_size: examples per batch.
        bucket: residues by which the lengths in a batch may differ, except in the batches of the rest.
        drop_last: drop the latest indices of the rest that do not fill a batch.
    """

    def __init__(
        self,
        sampler: Sampler[int],
        lengths: Int[np.ndarray, " N"],
        batch_size: int,
        bucket: int = 16,
        drop_last: bool = False,
    ) -> None:
        if batch_size < 1 or bucket < 1:
            raise ValueError(
                f"batches of {batch_size} in buckets of {bucket} residues are impossible: both must be at least 1"
            )
        self.sampler = sampler
        self.lengths = lengths
        self.batch_size = batch_size
        self.bucket = bucket
        self.drop_last = drop_last

    def __len__(self) -> int:
        """Batches in an epoch."""
        full, rest = divmod(len(self.sampler), self.batch_size)  # type: ignore[arg-type]
        return full + (rest > 0 and not self.drop_last)

    def set_epoch(self, epoch: int) -> None:
        """Pass the epoch on to a sampler that takes one (as `DistributedSampler` does)."""
        if hasattr(self.sampler, "set_epoch"):
            self.sampler.set_epoch(epoch)

    def __iter__(self) -> Iterator[list[int]]:
        waiting: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for place, index in enumerate(self.sampler):
            bucket = int(self.lengths[index]) // self.bucket
            waiting[bucket].append((place, index))
            if len(waiting[bucket]) == self.batch_size:
                yield [index for _, index in waiting.pop(bucket)]
        rest = sorted(pair for bucket in waiting.values() for pair in bucket)
        if self.drop_last:
            rest = rest[: len(rest) // self.batch_size * self.batch_size]
        rest.sort(key=lambda pair: self.lengths[pair[1]])
        for start in range(0, len(rest), self.batch_size):
            yield [index for _, index in rest[start : start + self.batch_size]]


class EpochStream(Sampler[list[int]]):
    """The remaining batches of the current epoch; `position` counts batches since the start of training.

    Args:
        batches: a batch sampler with `set_epoch`, whose order is a function of the epoch.
        per_epoch: batches taken of each epoch.
    """

    def __init__(self, batches: LengthMatchedBatchSampler, per_epoch: int) -> None:
        self.batches = batches
        self.per_epoch = per_epoch
        self.position = 0

    def __len__(self) -> int:
        return self.per_epoch

    def __iter__(self) -> Iterator[list[int]]:
        epoch, start = divmod(self.position, self.per_epoch)
        self.batches.set_epoch(epoch)
        for batch in islice(self.batches, start, self.per_epoch):
            self.position += 1
            yield batch
