"""Which chains and crops make up each batch: a stream of global batches that depends on the seed and the step alone."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32, Int

WINDOW = 16
"""Global batches whose examples are sorted by length together, so that padding is low."""
BUCKETS = 6
"""Number of lengths that batches are padded to: a compiled model sees few shapes."""
BUCKET_STEP = 16
"""Padded lengths are multiples of this, except the longest."""
CHOICES = 6
"""Uniform numbers per example: conformer, kind of crop, anchor and start of a stretch, centre of a spatial crop,
secondary structure."""


@dataclass(frozen=True)
class BatchPlan:
    """One global batch: B rows of the training set, and the numbers that choose conformers and crops."""

    rows: Int[np.ndarray, " B"]
    choices: Float32[np.ndarray, "B choices"]
    """In [0, 1)."""
    length: int
    """Length in residues that the crops are padded to."""
    seed: int
    """Seed of poses, times, noise and dropout."""


def chain_weights(
    lengths: Int[np.ndarray, " N"], clusters: Int[np.ndarray, " N"], length_power: float, cluster_power: float
) -> Float[np.ndarray, " N"]:
    """Probability of each chain: length^length_power / (size of its cluster)^cluster_power, normalised."""
    _, inverse, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    weights = lengths.astype(float) ** length_power / sizes[inverse].astype(float) ** cluster_power
    return weights / weights.sum()


def padded_length(length: int, crop: int) -> int:
    """The shortest of the `BUCKETS` lengths up to `crop` that holds `length` residues."""
    step = -(-crop // (BUCKETS * BUCKET_STEP)) * BUCKET_STEP
    return min(-(-length // step) * step, crop)


@runtime_checkable
class BatchPlans(Protocol):
    """Global batches by step."""

    def at(self, step: int) -> BatchPlan: ...


class PlanStream:
    """Global batches by step, of chains of similar length, weighted by chain.

    Args:
        weights: probability of each chain.
        lengths: residues of each chain.
        crop: residues of the longest example.
        batch_size: examples of a global batch.
        seed: of the run.
    """

    def __init__(
        self,
        weights: Float[np.ndarray, " N"],
        lengths: Int[np.ndarray, " N"],
        crop: int,
        batch_size: int,
        seed: int,
    ) -> None:
        self.weights = weights
        self.lengths = np.minimum(lengths, crop)
        self.crop = crop
        self.batch_size = batch_size
        self.seed = seed
        self._window = lru_cache(maxsize=1)(self._plan_window)

    def at(self, step: int) -> BatchPlan:
        """The batch of a step, counted from the start of training."""
        window, place = divmod(step, WINDOW)
        return self._window(window)[place]

    def _plan_window(self, window: int) -> list[BatchPlan]:
        rng = np.random.default_rng([self.seed, window])
        rows = rng.choice(len(self.weights), size=WINDOW * self.batch_size, p=self.weights)
        rows = rows[np.argsort(self.lengths[rows], kind="stable")].reshape(WINDOW, self.batch_size)
        rows = rows[rng.permutation(WINDOW)]
        choices = rng.random((WINDOW, self.batch_size, CHOICES), dtype=np.float32)
        seeds = rng.integers(2**62, size=WINDOW)
        longest = self.lengths[rows].max(1)
        return [
            BatchPlan(r, c, padded_length(int(n), self.crop), int(s))
            for r, c, n, s in zip(rows, choices, longest, seeds)
        ]


class PlansByEpoch:
    """Batches whose size changes with the epoch.

    Args:
        of_size: plans of a batch size.
        size_at: the batch size of an epoch.
        batches: in an epoch.
    """

    def __init__(self, of_size: Callable[[int], BatchPlans], size_at: Callable[[int], int], batches: int) -> None:
        self.of_size = lru_cache(maxsize=2)(of_size)
        self.size_at = size_at
        self.batches = batches

    def at(self, step: int) -> BatchPlan:
        """The batch of a step, counted from the start of training."""
        return self.of_size(self.size_at(step // self.batches)).at(step)


class WarmUp:
    """Batches of another set first.

    Args:
        first: plans of the other set, whose rows follow those of the training set.
        steps: number of its batches.
        then: plans of the training set, used from batch `steps` on as they would be without a warm-up.
        rows: number of chains of the training set.
    """

    def __init__(self, first: BatchPlans, steps: int, then: BatchPlans, rows: int) -> None:
        self.first = first
        self.steps = steps
        self.then = then
        self.rows = rows

    def at(self, step: int) -> BatchPlan:
        """The batch of a step, counted from the start of training."""
        if step >= self.steps:
            return self.then.at(step)
        plan = self.first.at(step)
        return replace(plan, rows=plan.rows + self.rows)
