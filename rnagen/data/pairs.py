"""Base-pair probabilities as a list of pairs: what the dataset stores and the model's dense matrix is filled from."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int16

MINIMUM_PROBABILITY = 1e-4
"""Pairs less probable than this are not kept; a residue of 100 nt loses less than 1 % of its pairing mass."""


@dataclass(frozen=True)
class SparsePairs:
    """Base pairs (i < j, from 0) of a sequence of `length` residues, with their probabilities."""

    length: int
    pairs: Int16[np.ndarray, "P 2"]
    probabilities: Float32[np.ndarray, " P"]

    def dense(self) -> Float32[np.ndarray, "L L"]:
        """The symmetric matrix of probabilities [L, L], zero on its diagonal and where no pair is kept."""
        matrix = np.zeros((self.length, self.length), dtype=np.float32)
        i, j = self.pairs.T
        matrix[i, j] = self.probabilities
        matrix[j, i] = self.probabilities
        return matrix
