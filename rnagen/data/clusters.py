"""Greedy sequence clusters: which chains are so alike that they must not be on both sides of a split."""

from bisect import bisect_left
from collections.abc import Sequence

from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

IDENTITY = 0.8
MINIMUM_LENGTH = 20
"""Shorter sequences match by chance: they share a cluster only when they are equal."""


def identity(first: str, second: str) -> float:
    """Sequence identity, 0 to 1: one minus the edit distance over the length of the longer sequence.

    A fragment is thus as far from its whole as it is shorter.
    """
    return Levenshtein.normalized_similarity(first, second)


def greedy_clusters(sequences: Sequence[str], given: Sequence[int | None]) -> list[int]:
    """Cluster number of each sequence.

    A number in `given` stands. A sequence without one (None) takes the cluster of an equal sequence, else of the first
    sequence so far, the longest first, that it is at least `IDENTITY` identical to, else it founds a cluster of its
    own. Numbers founded here follow the largest given one; the result does not depend on the order of the sequences.
    """
    cluster_of: dict[str, int] = {}
    for sequence, cluster in zip(sequences, given, strict=True):
        if cluster is not None:
            cluster_of[sequence] = min(cluster, cluster_of.get(sequence, cluster))
    next_cluster = max(cluster_of.values(), default=-1) + 1
    by_length = sorted({s for s, c in zip(sequences, given, strict=True)}, key=lambda s: (-len(s), s))
    founders: list[str] = []
    for sequence in by_length:
        if sequence not in cluster_of:
            alike = _first_alike(sequence, founders)
            if alike is None:
                cluster_of[sequence] = next_cluster
                next_cluster += 1
            else:
                cluster_of[sequence] = cluster_of[alike]
                continue
        founders.append(sequence)
    return [cluster_of[s] if c is None else c for s, c in zip(sequences, given, strict=True)]


def _first_alike(sequence: str, founders: list[str]) -> str | None:
    if len(sequence) < MINIMUM_LENGTH:
        return None
    # Sorted by length, so all that are short enough to match stand at the end.
    start = bisect_left(founders, -int(len(sequence) / IDENTITY), key=lambda founder: -len(founder))
    candidates = founders[start:]
    scores = process.cdist(
        [sequence], candidates, scorer=Levenshtein.normalized_similarity, score_cutoff=IDENTITY, workers=1
    )[0]
    matches = scores.nonzero()[0]
    return candidates[matches[0]] if len(matches) else None
