"""Batches of crops of mixed length under one budget of residues, and what share of the examples each chain gets."""

from collections import defaultdict

import numpy as np
from jaxtyping import Float, Int

from rnagen.data.chains import Chains
from rnagen.data.plans import CHOICES, BatchPlan, chain_weights

CROPS = {64: 0.15, 128: 0.3, 256: 0.3, 384: 0.25}
"""Longest crop of an example: how often."""
VARIANT = 0.65
"""Share of the examples of a chain that show a variant of it, where there are some."""
DOMAIN = 0.25
"""Share of the examples that show a domain of a longer chain, and …"""
MUTATED_DOMAIN = 0.5
"""… how many of these another sequence for it."""
STRETCHED = 8.0
"""Chains whose radius of gyration exceeds this times length^0.45 (Å) have no shape of their own, as in a virus's
capsid, and do not train."""


class MixedPlans:
    """Batches by step. Each has crops of one length, and as many as fit the budget: what is compiled for a length is
    used for the whole training. An example is used as often as its weight demands, whatever its length.

    Args:
        weights: probability of each chain.
        lengths: residues of each chain.
        crop: residues of the longest example.
        tokens: residues of a batch of one process.
        seed: of the run.
        world: processes.
    """

    def __init__(
        self,
        weights: Float[np.ndarray, " N"],
        lengths: Int[np.ndarray, " N"],
        crop: int,
        tokens: int,
        seed: int,
        world: int = 1,
    ) -> None:
        self.seed = seed
        crops = {length: share for length, share in CROPS.items() if length < crop}
        crops[crop] = sum(CROPS.values()) - sum(crops.values()) or CROPS[max(CROPS)]
        self.shapes = np.array(sorted(crops))
        self.sizes = np.maximum(1, tokens // self.shapes) * world
        table = np.zeros((len(self.shapes), len(weights)))
        for length, share in crops.items():
            shape = np.searchsorted(self.shapes, np.minimum(lengths, length))
            table[shape, np.arange(len(weights))] += share * weights
        per_shape = table.sum(1) / self.sizes
        self._shapes = _cumulative(per_shape)
        self._rows = np.stack([_cumulative(row) for row in table])

    def at(self, step: int) -> BatchPlan:
        """The batch of a step, counted from the start of training."""
        rng = np.random.default_rng([self.seed, step])
        shape = int(np.searchsorted(self._shapes, rng.random(), side="right"))
        size = int(self.sizes[shape])
        rows = np.searchsorted(self._rows[shape], rng.random(size), side="right")
        choices = rng.random((size, CHOICES), dtype=np.float32)
        return BatchPlan(rows, choices, int(self.shapes[shape]), int(rng.integers(2**62)))


def example_weights(
    chains: Chains, variants: Chains | None, length_power: float, cluster_power: float
) -> Float[np.ndarray, " N"]:
    """Probability of each chain and each of its variants, which follow the chains. A variant PARENT/START/NUMBER of the
    parent's length shares its examples, one that is shorter is a domain (number 0) or another sequence for it."""
    lengths, clusters = chains.lengths.numpy(), chains.clusters.numpy()
    clusters = np.where(clusters < 0, -1 - np.arange(len(clusters)), clusters)
    radii = np.array([info.radius_of_gyration for info in chains.infos])
    is_stretched = radii > STRETCHED * lengths**0.45
    weights = np.where(is_stretched, 0, chain_weights(lengths, clusters, length_power, cluster_power))
    weights = weights / weights.sum()
    if variants is None:
        return weights
    of_chain: dict[int, list[int]] = defaultdict(list)
    domains: dict[tuple[int, int, int], list[int]] = defaultdict(list)
    for row, (name, length) in enumerate(zip(variants.names, variants.lengths.tolist())):
        parent, start, _ = name.rsplit("/", 2)
        of = chains.rows.get(parent)
        if of is None or is_stretched[of]:
            continue
        if length == lengths[of]:
            of_chain[of].append(row)
        else:
            domains[of, int(start), length].append(row)
    further = np.zeros(len(variants))
    for of, rows in of_chain.items():
        further[rows] = VARIANT * weights[of] / len(rows)
        weights[of] *= 1 - VARIANT
    if domains:
        share = _domain_shares(domains, clusters)
        for (_, rows), part in zip(domains.items(), share):
            further[rows[0]] += DOMAIN * part * (1 - MUTATED_DOMAIN if rows[1:] else 1)
            further[rows[1:]] += DOMAIN * part * MUTATED_DOMAIN / max(1, len(rows) - 1)
        in_domains = sum(further[rows].sum() for rows in domains.values())
        weights *= 1 - in_domains
        further[[row for rows in of_chain.values() for row in rows]] *= 1 - in_domains
    both = np.concatenate([weights, further])
    return both / both.sum()


def _domain_shares(
    domains: dict[tuple[int, int, int], list[int]], clusters: Int[np.ndarray, " N"]
) -> Float[np.ndarray, " D"]:
    _, inverse, sizes = np.unique(clusters[[of for of, _, _ in domains]], return_inverse=True, return_counts=True)
    shares = np.array([length for _, _, length in domains]) ** 0.5 / sizes[inverse] ** 0.3
    return shares / shares.sum()


def _cumulative(weights: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
    """Sums that end at 1, or above every number in [0, 1) where all weights are 0."""
    total = np.cumsum(weights / max(weights.sum(), np.finfo(float).tiny))
    # Rounded, the last sum could be below a random number; rows of weight 0 at the end must not be reached.
    total[np.flatnonzero(weights)[-1:] if weights.any() else slice(-1, None)] = 1.0
    return np.minimum(total, 1.0)
