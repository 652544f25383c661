"""Splits for cross-validation in which no two sequences of different splits are similar."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float32, Int64
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein
from rich.console import Console
from rich.progress import track
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from rnagen.io.files import atomic_write
from rnagen.prepare.clusters import IDENTITY

BLOCK = 256
"""Sequences compared at a time with all that are at least as long."""
ROUNDING = 1e-6
"""Room below a threshold: 80 of 100 equal residues are enough for 80 %."""


def assign_splits(sequences: Sequence[str], cv_splits: int, seed: int, cache: Path) -> Int64[np.ndarray, " N"]:
    """The split, 0 to cv_splits − 1, of each sequence: whole groups of `similarity_groups`, distributed evenly.

    The groups, which take nearly all the time, are stored in the folder `cache`, identified by the sequences.
    """
    number, different = pd.factorize(np.array(sequences, dtype=object), sort=True)
    key = hashlib.sha256(f"1 {IDENTITY}\n".encode() + "\n".join(different).encode())
    file = cache / f"groups-{key.hexdigest()[:32]}.npy"
    if not file.is_file():
        found = similarity_groups(list(different))
        with atomic_write(file) as opened:
            np.save(opened, found)
    return deal(np.load(file, allow_pickle=False)[number], cv_splits, seed)


def similarity_groups(sequences: Sequence[str]) -> Int64[np.ndarray, " N"]:
    """Number of each sequence's group: the connected components of the graph of pairs at least `IDENTITY` identical.

    Two sequences of different groups are thus never that similar. Greedy clusters do not guarantee this: members of two
    clusters may be closer to each other than to their representatives. Identity is that of `rnagen.prepare.clusters`.
    All pairs whose lengths allow it are compared, so time grows with the square of N.
    """
    order = np.argsort([len(sequence) for sequence in sequences], kind="stable")
    edges = [np.zeros((2, 0), dtype=np.int64)]
    for rows, columns, identities in _compared([sequences[n] for n in order], IDENTITY - ROUNDING):
        i, j = identities.nonzero()
        edges.append(np.stack([order[rows[i]], order[columns[j]]]))
    i, j = np.concatenate(edges, axis=1)
    graph = coo_matrix((np.ones(len(i), dtype=bool), (i, j)), shape=(len(sequences), len(sequences)))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def deal(groups: Int64[np.ndarray, " N"], cv_splits: int, seed: int) -> Int64[np.ndarray, " N"]:
    """Assign whole groups to splits: the largest first, each to the smallest split so far; the seed breaks ties.

    Raises:
        ValueError: there are fewer groups than splits.
    """
    numbers, member_of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if not 1 <= cv_splits <= len(numbers):
        raise ValueError(f"{len(numbers)} groups of similar sequences cannot fill {cv_splits} splits")
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(numbers))
    filled, split_of = np.zeros(cv_splits, dtype=np.int64), np.empty(len(numbers), dtype=np.int64)
    label = rng.permutation(cv_splits)
    for group in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        smallest = int(np.argmin(filled))
        filled[smallest] += sizes[group]
        split_of[group] = label[smallest]
    return split_of[member_of]


def closest_across(sequences: Sequence[str], cv_splits: Int64[np.ndarray, " N"]) -> tuple[float, int, int]:
    """(identity, i, j) of the two most similar sequences in different splits, i and j their positions.

    Raises:
        ValueError: all are in one split.
    """
    if len(np.unique(cv_splits)) < 2:
        raise ValueError("a single split has no pairs across splits")
    # One of several equal sequences in a split is enough.
    first = {key: n for n, key in reversed(list(enumerate(zip(sequences, cv_splits.tolist(), strict=True))))}
    order = np.array(sorted(first.values(), key=lambda n: (len(sequences[n]), n)))
    best = (-1.0, -1, -1)
    for rows, columns, identities in _compared([sequences[n] for n in order], 0.0):
        identities[cv_splits[order[rows]][:, None] == cv_splits[order[columns]]] = -1
        i, j = np.unravel_index(np.argmax(identities), identities.shape)
        if identities[i, j] > best[0]:
            best = (float(identities[i, j]), int(order[rows[i]]), int(order[columns[j]]))
    return best


def _compared(
    sequences: list[str], least: float
) -> Iterator[tuple[Int64[np.ndarray, " rows"], Int64[np.ndarray, " columns"], Float32[np.ndarray, "rows columns"]]]:
    """Blocks of (rows, columns, identities) that cover all pairs of sequences, sorted by length, with an identity of
    at least `least`; lower ones are given as 0."""
    lengths = np.array([len(sequence) for sequence in sequences])
    console = Console(stderr=True)
    starts = range(0, len(sequences), BLOCK)
    for start in track(starts, "Comparing sequences", console=console, transient=True, disable=not console.is_terminal):
        rows = np.arange(start, min(start + BLOCK, len(sequences)))
        # The identity of two sequences is at most the ratio of their lengths.
        longest = lengths[rows[-1]] / least if least else np.inf
        columns = np.arange(start, np.searchsorted(lengths, longest, side="right"))
        yield (
            rows,
            columns,
            process.cdist(
                [sequences[n] for n in rows],
                [sequences[n] for n in columns],
                scorer=Levenshtein.normalized_similarity,
                score_cutoff=least or None,
                dtype=np.float32,
            ),
        )
