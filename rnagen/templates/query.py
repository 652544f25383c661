"""What the search knows of the RNA it looks for, and what an aligned pair of residues is worth."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int16, Int64, UInt8

from rnagen.secondary.native import CANONICAL
from rnagen.structure import UNKNOWN, UNPAIRED, encode_sequence
from rnagen.templates.library import TemplateChain
from rnagen.templates.scoring import Scoring

RIBOSUM = np.array(
    [
        [2.22, -1.86, -1.46, -1.39, 0],
        [-1.86, 1.16, -2.48, -1.05, 0],
        [-1.46, -2.48, 1.03, -1.74, 0],
        [-1.39, -1.05, -1.74, 1.65, 0],
        [0, 0, 0, 0, 0],
    ],
    dtype=np.float32,
)
"""RIBOSUM85-60, unpaired residues A, C, G, U, and N (Klein and Eddy, BMC Bioinformatics 4, 44 (2003))."""
UPSTREAM, DOWNSTREAM, LOOP, NOTHING_KNOWN = range(4)
"""Class of a template residue: it pairs with one before it, with one after it, with none, or nobody knows."""
_COMPLEMENTARY = np.zeros((5, 5), dtype=bool)
for _first, _second in map(encode_sequence, CANONICAL):
    _COMPLEMENTARY[_first, _second] = True


@dataclass(frozen=True)
class Query:
    """An RNA that templates are searched for."""

    bases: UInt8[np.ndarray, " L"]
    pairs: Float32[np.ndarray, "L L"]
    """Base-pair probabilities, symmetric."""

    @classmethod
    def of(cls, sequence: str, pairs: Float32[np.ndarray, "L L"]) -> "Query":
        """The query of a sequence over `rnagen.structure.BASES`."""
        return cls(encode_sequence(sequence).astype(np.uint8), pairs)

    def __len__(self) -> int:
        """Number of residues."""
        return len(self.bases)

    def part(self, where: slice) -> "Query":
        """Some neighbouring residues of it."""
        return Query(self.bases[where], self.pairs[where, where])

    def table(self, structure_weight: float) -> Float32[np.ndarray, "L 20"]:
        """Score of each residue aligned with a template residue of each code (5 bases × 4 classes, class fastest):
        RIBOSUM, and the probability p of the class as 2p − 1 with a weight."""
        before, after = np.tril(self.pairs).sum(1), np.triu(self.pairs).sum(1)
        classes = np.stack([before, after, 1 - before - after], axis=1)
        worth = np.concatenate([structure_weight * (2 * classes - 1), np.zeros((len(self), 1))], axis=1)
        return (RIBOSUM[self.bases][:, :, None] + worth[:, None, :]).reshape(len(self), 20).astype(np.float32)

    def canonical(self, i: Int64[np.ndarray, "*n"], j: Int64[np.ndarray, "*n"]) -> Bool[np.ndarray, "*n"]:
        """Whether residues i and j can form a Watson-Crick or GU pair."""
        return _COMPLEMENTARY[self.bases[i], self.bases[j]]

    def worth(self, scoring: Scoring) -> Float32[np.ndarray, "L L"]:
        """Bonus of aligning residue i with one residue of a template's base pair when i' is aligned with the other."""
        canonical = _COMPLEMENTARY[self.bases[:, None], self.bases[None]]
        base = np.where(canonical, np.float32(scoring.canonical), np.float32(scoring.mismatch))
        return np.float32(scoring.pair) * (np.float32(scoring.probability) * self.pairs + base)


def codes_of(chain: TemplateChain) -> UInt8[np.ndarray, " L"]:
    """Code of each template residue for `Query.table`."""
    return residue_codes(chain.bases, chain.pair_table, np.arange(len(chain)))


def residue_codes(
    bases: UInt8[np.ndarray, " L"], table: Int16[np.ndarray, " L"], position: Int64[np.ndarray, " L"]
) -> UInt8[np.ndarray, " L"]:
    """As `codes_of`, of residues of any chains, with the positions of each and of what it pairs with."""
    classes = np.where(table > position, DOWNSTREAM, UPSTREAM)
    classes[table == UNPAIRED] = LOOP
    classes[table == UNKNOWN] = NOTHING_KNOWN
    return (4 * bases.astype(np.int64) + classes).astype(np.uint8)
