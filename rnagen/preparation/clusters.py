"""Greedy sequence clusters: chains so alike that they must not be on both sides of a split."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence

from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

IDENTITY = 0.8
MINIMUM_LENGTH = 20
"""Shorter sequences match by chance: they share a cluster only when they are equal."""


def identity(first: str, second: str) -> float:
    """Sequence identity, 0 to 1: one minus the edit distance over the length of the longer sequence.

    A fragment thus differs from its whole by what it lacks.
    """
    return Levenshtein.normalized_similarity(first, second)


def greedy_clusters(sequences: Sequence[str], given: Sequence[int | None]) -> list[int]:
    """Cluster number of each sequence.

    Numbers in `given` stay. A sequence without one (None) joins the cluster of an equal sequence. The others, the
    longest first, join the longest numbered sequence of at least `IDENTITY`, or else found a cluster of their own under
    the next free number. The result does not depend on the order of the sequences.
    """
    cluster_of: dict[str, int] = {}
    for sequence, cluster in zip(sequences, given, strict=True):
        if cluster is not None:
            cluster_of[sequence] = min(cluster, cluster_of.get(sequence, cluster))
    next_cluster = max(cluster_of.values(), default=-1) + 1
    founders = sorted(cluster_of, key=_longest_first)
    for sequence in sorted(set(sequences) - set(founders), key=_longest_first):
        alike = _first_alike(sequence, founders)
        if alike is None:
            cluster_of[sequence] = next_cluster
            next_cluster += 1
            insort(founders, sequence, key=_longest_first)
        else:
            cluster_of[sequence] = cluster_of[alike]
    return [cluster_of[s] if c is None else c for s, c in zip(sequences, given, strict=True)]


def _longest_first(sequence: str) -> tuple[int, str]:
    return -len(sequence), sequence


def _first_alike(sequence: str, founders: list[str]) -> str | None:
    if len(sequence) < MINIMUM_LENGTH:
        return None
    # Lengths alone rule out the others.
    start = bisect_left(founders, -len(sequence) / IDENTITY, key=lambda founder: -len(founder))
    stop = bisect_right(founders, -len(sequence) * IDENTITY, key=lambda founder: -len(founder))
    candidates = [founder for founder in founders[start:stop] if len(founder) >= MINIMUM_LENGTH]
    # The cut-off leaves room for rounding: 80 of 100 equal residues are enough.
    scores = process.cdist(
        [sequence], candidates, scorer=Levenshtein.normalized_similarity, score_cutoff=IDENTITY - 1e-6
    )
    matches = scores[0].nonzero()[0] if candidates else []
    return candidates[matches[0]] if len(matches) else None
