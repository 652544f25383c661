"""Splits for cross-validation in which no two sequences of different splits are similar."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Int64
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from rnagen.io.files import atomic_write
from rnagen.preparation.clusters import IDENTITY
from rnagen.progress import progress_bar

BLOCK = 256
"""Sequences compared at a time with all that are at least as long."""
LEAST = IDENTITY - 1e-6
"""Smallest identity of similar sequences; the margin is for rounding: 80 of 100 equal residues make 80 %."""


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
    clusters may be closer to each other than to their representatives. Identity as in `rnagen.preparation.clusters`.
    All pairs whose lengths allow it are compared, so time grows with the square of N.
    """
    order = np.argsort([len(sequence) for sequence in sequences], kind="stable")
    by_length, lengths = [sequences[n] for n in order], np.array([len(sequences[n]) for n in order])
    edges = [np.zeros((2, 0), dtype=np.int64)]
    with progress_bar("Comparing sequences", len(sequences)) as advance:
        for start in range(0, len(sequences), BLOCK):
            stop = min(start + BLOCK, len(sequences))
            # The identity of two sequences is at most the ratio of their lengths.
            end = np.searchsorted(lengths, lengths[stop - 1] / LEAST, side="right")
            identities = process.cdist(
                by_length[start:stop],
                by_length[start:end],
                scorer=Levenshtein.normalized_similarity,
                score_cutoff=LEAST,
                dtype=np.float32,
            )
            edges.append(order[start + np.stack(identities.nonzero())])
            advance(stop - start, "Comparing sequences")
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
