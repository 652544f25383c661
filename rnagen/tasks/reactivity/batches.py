"""Batches of RNAs of similar length, around any sampler of single examples."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from jaxtyping import Int
from torch.utils.data import Sampler


class LengthMatchedBatchSampler(Sampler[list[int]]):
    """Group what a sampler draws into batches of one length bucket; each draw is in exactly one batch.

    A bucket holds the lengths of equal `length // bucket`; whenever one has `batch_size` draws, they are a batch. What
    is left in the buckets at the end is sorted by length and cut into batches. The batches are thus a function of the
    sampler's order alone, and their number is len(sampler) / batch_size, rounded up, whatever the lengths: every rank
    of a `DistributedSampler`, whose ranks all draw equally many, gives equally many batches. The ranks are matched each
    by itself, so that a step may have batches of different lengths on different ranks.

    Args:
        sampler: draws indices; `DistributedSampler` and weighted samplers with repeats are fine. Lightning must not
            wrap it in another (`use_distributed_sampler=False`).
        lengths: residues of each example, by index.
        batch_size: examples per batch.
        bucket: residues by which the lengths of a batch may differ, but for the batches of what is left.
        drop_last: of what is left at the end, leave out the latest draws that make no full batch.
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
            raise ValueError(f"batches of {batch_size} in buckets of {bucket} residues cannot be made")
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
        """Tell the sampler which epoch comes, if it wants to know (`DistributedSampler` does)."""
        if hasattr(self.sampler, "set_epoch"):
            self.sampler.set_epoch(epoch)

    def __iter__(self) -> Iterator[list[int]]:
        waiting: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for draw, index in enumerate(self.sampler):
            bucket = int(self.lengths[index]) // self.bucket
            waiting[bucket].append((draw, index))
            if len(waiting[bucket]) == self.batch_size:
                yield [index for _, index in waiting.pop(bucket)]
        left = sorted(pair for bucket in waiting.values() for pair in bucket)
        if self.drop_last:
            left = left[: len(left) // self.batch_size * self.batch_size]
        left.sort(key=lambda pair: self.lengths[pair[1]])
        for start in range(0, len(left), self.batch_size):
            yield [index for _, index in left[start : start + self.batch_size]]
