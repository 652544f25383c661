"""Sparse lists of base pairs, as the dataset stores them."""

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float32, Int16

from rnagen.io.pair_matrix import PairMatrix

MINIMUM_PROBABILITY = 1e-4
"""Less probable pairs are dropped; a residue of an RNA of 100 nt loses less than 1 % of its pairing probability."""


@dataclass(frozen=True)
class SparsePairs:
    """Base pairs (i < j, from 0) of a sequence of `length` residues, with their probabilities."""

    length: int
    pairs: Int16[np.ndarray, "P 2"]
    probabilities: Float32[np.ndarray, " P"]
    pair_features: Float32[np.ndarray, "P C"] = field(default=None)  # type: ignore[arg-type]
    """Pair features, by the channels of `rnagen.structure.PAIR_FEATURES`; no columns by default."""

    def __post_init__(self) -> None:
        if self.pair_features is None:
            object.__setattr__(self, "pair_features", np.zeros((len(self.pairs), 0), dtype=np.float32))

    @classmethod
    def of(cls, matrix: PairMatrix) -> "SparsePairs":
        """What a user gives, without its pairs under `MINIMUM_PROBABILITY`."""
        enough = matrix.probabilities >= MINIMUM_PROBABILITY
        return cls(matrix.length, matrix.pairs[enough], matrix.probabilities[enough])

    def dense(self) -> Float32[np.ndarray, "L L"]:
        """The symmetric matrix of probabilities [L, L], zero on its diagonal and for pairs that are not listed."""
        return self._dense(self.probabilities)

    def dense_features(self) -> Float32[np.ndarray, "L L C"]:
        """The symmetric matrices of pair features [L, L, C], zero for pairs that are not listed."""
        return self._dense(self.pair_features)

    def _dense(self, values: np.ndarray) -> np.ndarray:
        matrix = np.zeros((self.length, self.length, *values.shape[1:]), dtype=np.float32)
        i, j = self.pairs.T
        matrix[i, j] = values
        matrix[j, i] = values
        return matrix


@dataclass(frozen=True)
class SecondaryStructures:
    """ViennaRNA's predictions for a sequence."""

    pairs: SparsePairs
    """With the pair features of the channels `ENERGIES`."""
    sampled: Int16[np.ndarray, "n L"]
    """Sampled secondary structures, as pair tables."""


def as_pair_features(pairs: SparsePairs) -> SparsePairs:
    """The probabilities as the only column of pair features, and no probabilities."""
    return replace(pairs, probabilities=np.zeros_like(pairs.probabilities), pair_features=pairs.probabilities[:, None])


def no_pair_features(length: int, columns: int) -> SparsePairs:
    """An empty list with so many columns."""
    nothing = np.zeros(0, dtype=np.float32)
    return SparsePairs(length, np.zeros((0, 2), np.int16), nothing, np.zeros((0, columns), np.float32))


def joined(first: SparsePairs, *others: SparsePairs) -> SparsePairs:
    """The pairs of all lists of one sequence: the probabilities of the first, the pair features of all side by side."""
    parts = (first, *others)
    keys = [part.pairs.astype(np.int64) @ np.array([first.length, 1]) for part in parts]
    union = np.unique(np.concatenate(keys))
    rows = [np.searchsorted(union, key) for key in keys]
    probabilities = np.zeros(len(union), dtype=np.float32)
    probabilities[rows[0]] = first.probabilities
    columns = []
    for part, row in zip(parts, rows):
        column = np.zeros((len(union), part.pair_features.shape[1]), dtype=np.float32)
        column[row] = part.pair_features
        columns.append(column)
    pairs = np.stack(np.divmod(union, first.length), axis=-1).astype(np.int16)
    return SparsePairs(first.length, pairs, probabilities, np.concatenate(columns, axis=1))
