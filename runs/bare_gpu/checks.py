"""The same batches each time, for checks of the losses along the way."""

import numpy as np
import torch

from rnagen.data.chains import Chains
from rnagen.data.plans import CHOICES, BatchPlan


def plan(rows: np.ndarray, length: int, rng: np.random.Generator) -> BatchPlan:
    """A batch of these rows with random crops and conformers."""
    return BatchPlan(rows, rng.random((len(rows), CHOICES), dtype=np.float32), length, int(rng.integers(2**62)))


def fixed_plans(chains: Chains, rows: np.ndarray, shapes: dict[int, int], seed: int) -> list[BatchPlan]:
    """Batches of chains for validation, up to the longest crop; the same each time."""
    rng = np.random.default_rng(seed)
    lengths = np.minimum(chains.lengths.numpy()[rows], max(shapes))
    found, shorter = [], 0
    for shape, size in shapes.items():
        fitting = rows[(lengths <= shape) & (lengths > shorter)]
        found += [plan(fitting[k : k + size], shape, rng) for k in range(0, len(fitting), size)]
        shorter = shape
    return found


def similar_rows(chains: Chains, lengths: torch.Tensor, seed: int) -> np.ndarray:
    """For each length a random one of the chains of nearly that length."""
    rng, own = np.random.default_rng(seed), chains.lengths.numpy()
    return np.array([rng.choice(np.argsort(np.abs(own - n), kind="stable")[:20]) for n in lengths.tolist()])
