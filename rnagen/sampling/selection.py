"""Which of many conformers of an RNA to select: never an average of them, and never the same one twice.

With a confidence, the one first whose confidence and agreement with the others are largest together, then always the
one whose confidence and distance to those chosen are (maximal marginal relevance, Carbonell and Goldstein 1998).
Without one, the medoids of k clusters (k-medoids by the steps BUILD and SWAP of PAM, Kaufman and Rousseeuw 1990), that
of the largest cluster first: what the model samples often is its best guess.
"""

import numpy as np
from jaxtyping import Float, Int

DIVERSITY_WEIGHT = 0.1
"""TM-score of confidence that a distance of 1 to those chosen is worth; `benchmarks/selection.py` compares."""
AGREEMENT_WEIGHT = 0.22
"""TM-score of confidence that a mean TM-score of 1 to the other conformers is worth, for the first;
`benchmarks/selection.py` fits it."""
SAME = 1e-3
"""Distance (1 − TM) under which two conformers are one."""
ROUNDING = 1e-9
"""Differences of sums of distances below this mean nothing."""
FAR = 1e3
"""More than any distance."""


def choose(
    distances: Float[np.ndarray, "N N"],
    k: int,
    confidence: Float[np.ndarray, " N"] | None = None,
    weight: float = DIVERSITY_WEIGHT,
    agreement: float = AGREEMENT_WEIGHT,
) -> list[int]:
    """Positions of the k selected conformers, the best guess first.

    Args:
        distances: 1 − TM between conformers; symmetric.
        k: how many, at most N.
        confidence: predicted TM-score of each, if there is one.
        weight: of the distance beside the confidence.
        agreement: of the agreement beside the confidence.

    Raises:
        ValueError: there are fewer than k conformers.
    """
    if not 1 <= k <= len(distances):
        raise ValueError(f"{k} of {len(distances)} conformers cannot be chosen")
    if confidence is None:
        return _medoids(distances, k)
    first = int(np.argmax(confidence + agreement * agreement_of(distances)))
    return _confident_and_different(distances, k, confidence, weight, first)


def agreement_of(distances: Float[np.ndarray, "N N"]) -> Float[np.ndarray, " N"]:
    """Mean TM-score of each conformer to the others; 0 for one alone."""
    return ((1 - distances).sum(1) - 1) / max(len(distances) - 1, 1)


def choose_behind(
    first: list[int], distances: Float[np.ndarray, "N N"], k: int, confidence: Float[np.ndarray, " N"] | None = None
) -> list[int]:
    """As `choose`, where the conformers at some positions are selected in any case, first and in their order."""
    fixed = first[:k]
    if len(fixed) == k:
        return fixed
    others = np.setdiff1d(np.arange(len(distances)), first)
    rest = None if confidence is None else confidence[others]
    chosen = choose(distances[np.ix_(others, others)], k - len(fixed), rest)
    return fixed + [int(others[position]) for position in chosen]


def _confident_and_different(
    distances: Float[np.ndarray, "N N"], k: int, confidence: Float[np.ndarray, " N"], weight: float, first: int
) -> list[int]:
    chosen = [first]
    while len(chosen) < k:
        nearest = distances[:, chosen].min(1)
        nearest[chosen] = -1
        new = nearest > SAME
        candidates = np.flatnonzero(new if new.any() else nearest >= 0)
        chosen.append(int(candidates[np.argmax((confidence + weight * nearest)[candidates])]))
    return chosen


def _medoids(distances: Float[np.ndarray, "N N"], k: int) -> list[int]:
    totals = distances.sum(0)

    def least(costs: Float[np.ndarray, " n"], conformers: Int[np.ndarray, " n"]) -> int:
        # A cluster of two has no middle: of equal costs, that of the conformer nearest to all candidates.
        equal = np.flatnonzero(costs < costs.min() + ROUNDING)
        return int(equal[np.argmin(totals[conformers[equal]])])

    everyone = np.arange(len(distances))
    medoids: list[int] = []
    while len(medoids) < k:
        rest = np.setdiff1d(everyone, medoids)
        nearest = distances[:, medoids].min(1, initial=FAR)
        medoids.append(int(rest[least(np.minimum(nearest[:, None], distances[:, rest]).sum(0), rest)]))
    cost = distances[:, medoids].min(1).sum()
    # Costs of all exchanges of one medoid for one conformer, place by place; exchanged for itself, nothing changes.
    newcomers = np.tile(everyone, k)
    while True:
        others = [distances[:, medoids[:place] + medoids[place + 1 :]].min(1, initial=FAR) for place in range(k)]
        costs = np.concatenate([np.minimum(nearest[:, None], distances).sum(0) for nearest in others])
        if not costs.min() < cost - ROUNDING:
            break
        best = least(costs, newcomers)
        medoids[best // len(distances)], cost = int(newcomers[best]), costs[best]
    sizes = np.bincount(distances[:, medoids].argmin(1), minlength=k)
    return [medoids[place] for place in np.argsort(-sizes, kind="stable")]
