"""What each batch shows: chains, their variants and domains of long chains, in a few fixed shapes."""

from collections import defaultdict, deque

import numpy as np
import torch

from rnagen.config.structure import DataConfig
from rnagen.data.chains import Chains
from rnagen.data.plans import CHOICES, BatchPlan, chain_weights

SHAPES = {64: 48, 128: 28, 256: 14, 384: 8}
"""Residues of a batch: RNAs in it. What is compiled for a shape is used for the whole training."""
CROPS = {64: 0.15, 128: 0.3, 256: 0.3, 384: 0.25}
"""Longest crop of an example: how often."""
VARIANT = 0.65
"""Share of the examples that show a variant, of chains that have one."""
DOMAIN = 0.25
"""Share of examples that show a domain, and …"""
MUTATED_DOMAIN = 0.5
"""… how many of these a mutant of it."""


class Mixture:
    """Samples examples of all lengths, and plans a batch of one shape when enough of them have come together.

    Args:
        chains: the training set.
        variants: of `variants.py`; their rows follow those of the training set. Perhaps none.
        config: weights of the chains.
        shapes: residues and RNAs of the batches.
        seed: of the run.
    """

    def __init__(
        self, chains: Chains, variants: Chains | None, config: DataConfig, shapes: dict[int, int], seed: int
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.shapes = shapes
        self.examples = 0
        self.waiting: dict[int, deque[int]] = {shape: deque() for shape in shapes}
        lengths, clusters = chains.lengths.numpy(), chains.clusters.numpy()
        clusters = np.where(clusters < 0, -1 - np.arange(len(clusters)), clusters)
        # Chains without a shape of their own, as in a virus's capsid: far wider than any folded RNA.
        radii = np.array([info.radius_of_gyration for info in chains.infos])
        is_stretched = radii > 8 * lengths**0.45
        weights = chain_weights(lengths, clusters, config.length_power, config.cluster_power)
        self.weights = _cumulative(np.where(is_stretched, 0, weights))
        self.lengths = lengths
        self.variants_of: dict[int, list[int]] = defaultdict(list)
        domains: dict[tuple[int, int], list[int]] = defaultdict(list)
        if variants is not None:
            self.lengths = np.concatenate([lengths, variants.lengths.numpy()])
            for row, name in enumerate(variants.names, start=len(chains)):
                parent, start, _ = name.rsplit("/", 2)
                of = chains.rows[parent]
                if self.lengths[row] == lengths[of]:
                    self.variants_of[of].append(row)
                elif not is_stretched[of]:
                    domains[of, int(start)].append(row)
        self.domains = list(domains.values())
        """Of each domain its rows: first the domain itself, then its mutants."""
        if self.domains:
            _, inverse, sizes = np.unique(clusters[[of for of, _ in domains]], return_inverse=True, return_counts=True)
            residues = self.lengths[[rows[0] for rows in self.domains]]
            self.domain_weights = _cumulative(residues**0.5 / sizes[inverse] ** 0.3)

    def next(self) -> tuple[int, BatchPlan]:
        """The shape of the next batch, and what is in it."""
        while True:
            row = self._example()
            crop = self.rng.choice(list(CROPS), p=list(CROPS.values()))
            shape = next(n for n in self.shapes if n >= min(self.lengths[row], crop))
            self.waiting[shape].append(row)
            if len(self.waiting[shape]) == self.shapes[shape]:
                rows = np.array(self.waiting[shape])
                self.waiting[shape].clear()
                self.examples += len(rows)
                return shape, plan(rows, shape, self.rng)

    def _example(self) -> int:
        rng = self.rng
        if self.domains and rng.random() < DOMAIN:
            rows = self.domains[int(np.searchsorted(self.domain_weights, rng.random()))]
            return rows[rng.integers(1, len(rows))] if len(rows) > 1 and rng.random() < MUTATED_DOMAIN else rows[0]
        chain = int(np.searchsorted(self.weights, rng.random()))
        rows = self.variants_of.get(chain, [])
        return rows[rng.integers(len(rows))] if rows and rng.random() < VARIANT else chain


def plan(rows: np.ndarray, shape: int, rng: np.random.Generator) -> BatchPlan:
    """A batch of these rows with random crops and conformers."""
    return BatchPlan(rows, rng.random((len(rows), CHOICES), dtype=np.float32), shape, int(rng.integers(2**62)))


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


def _cumulative(weights: np.ndarray) -> np.ndarray:
    total = np.cumsum(weights / weights.sum())
    # Rounded, the last sum could be below a random number.
    return np.minimum(total / total[-1], 1.0)
