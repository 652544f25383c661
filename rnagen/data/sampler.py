"""Which chains train when: a stream of batches that is a function of the seed and the position alone."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int
from torch.utils.data import Sampler

from rnagen.data.dataset import Draw

POOL = 16
"""Global batches whose draws are sorted by length together, to keep padding low."""


def chain_weights(
    lengths: Int[np.ndarray, " N"], clusters: Int[np.ndarray, " N"], length_power: float, cluster_power: float
) -> Float[np.ndarray, " N"]:
    """Probability of each chain: length^length_power / (size of its cluster)^cluster_power, normalised."""
    _, inverse, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    weights = lengths.astype(float) ** length_power / sizes[inverse].astype(float) ** cluster_power
    return weights / weights.sum()


class ChainSampler(Sampler[list[Draw]]):
    """Batches of draws, of similar length, weighted by chain.

    Iterating gives the rest of the epoch that `position` (batches since the start of training) stands in. A process of
    `world` takes every world-th draw of a global batch of batch_size · world draws, so that two processes see together
    what one with twice the batch sees.
    """

    def __init__(
        self,
        weights: Float[np.ndarray, " N"],
        lengths: Int[np.ndarray, " N"],
        batch_size: int,
        batches: int,
        seed: int,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.weights = weights
        self.lengths = lengths
        self.batch_size = batch_size
        self.batches = batches
        self.seed = seed
        self.rank = rank
        self.world = world
        self.position = 0
        self._epoch = lru_cache(maxsize=1)(self._plan)

    def __len__(self) -> int:
        """Batches in an epoch."""
        return self.batches

    def __iter__(self) -> Iterator[list[Draw]]:
        epoch, start = divmod(self.position, self.batches)
        for batch in range(start, self.batches):
            self.position = epoch * self.batches + batch + 1
            draws = self._epoch(epoch)[batch][self.rank :: self.world]
            yield [Draw(int(row), int(seed)) for row, seed in draws]

    def _plan(self, epoch: int) -> Int[np.ndarray, "batches global_batch 2"]:
        """Rows and seeds of all draws of an epoch."""
        rng = np.random.default_rng([self.seed, epoch])
        size = self.batch_size * self.world
        rows = rng.choice(len(self.weights), size=self.batches * size, p=self.weights)
        for start in range(0, len(rows), POOL * size):
            pool = rows[start : start + POOL * size]
            pool[:] = pool[np.argsort(self.lengths[pool], kind="stable")]
        seeds = rng.integers(2**62, size=len(rows))
        plan = np.stack([rows, seeds], axis=-1).reshape(self.batches, size, 2)
        return plan[rng.permutation(self.batches)]
