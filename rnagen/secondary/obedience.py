"""How well conformers obey the secondary structure that they were conditioned on."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int16

from rnagen.secondary.native import CANONICAL, SEPARATION, bead_pair_table
from rnagen.structure import BEADS, UNKNOWN, RNAStructure


@dataclass(frozen=True)
class Obedience:
    """The base pairs of one conformer against a given secondary structure."""

    given: int
    """Pairs that are given and could be found: Watson-Crick and GU pairs, of residues `SEPARATION` or more apart."""
    present: int
    """Pairs of the conformer, without those of two residues of which nothing is given."""
    both: int
    """Pairs that are given and present."""

    @property
    def given_present(self) -> float | None:
        """Share of the given pairs that are present; None where none is given."""
        return self.both / self.given if self.given else None

    @property
    def present_not_given(self) -> float | None:
        """Share of the present pairs that are not given; None where none is present."""
        return 1 - self.both / self.present if self.present else None

    @property
    def shares(self) -> dict[str, float | None]:
        """Both by name."""
        return {"given_present": self.given_present, "present_not_given": self.present_not_given}


def obedience(structure: RNAStructure, pair_table: Int16[np.ndarray, " L"]) -> list[Obedience]:
    """Of each conformer of an RNA, how many given pairs its beads form, and how many others.

    Pairs are found by `bead_pair_table`, which misses about a tenth, lone pairs above all: a structure that obeys fully
    has a share of about 0.9.

    Args:
        structure: the conformers as models, in Å.
        pair_table: the given secondary structure; residues that are `UNKNOWN` in it may pair with each other.

    Raises:
        ValueError: the pair table is of another length.
    """
    if len(pair_table) != len(structure):
        raise ValueError(f"a pair table of {len(pair_table)} residues for a structure of {len(structure)}")
    beads = structure.select_atoms(BEADS)
    given = given_pairs(structure.sequence, pair_table)
    found = []
    for coords, mask in zip(beads.coords, beads.mask):
        present = {
            (i, j)
            for i, j in _pairs(bead_pair_table(structure.sequence, coords, mask))
            if not pair_table[i] == pair_table[j] == UNKNOWN
        }
        found.append(Obedience(len(given), len(present), len(given & present)))
    return found


def given_pairs(sequence: str, pair_table: Int16[np.ndarray, " L"]) -> set[tuple[int, int]]:
    """Pairs (i < j) of a pair table that can be found in a structure of beads."""
    return {(i, j) for i, j in _pairs(pair_table) if j - i >= SEPARATION and sequence[i] + sequence[j] in CANONICAL}


def _pairs(pair_table: Int16[np.ndarray, " L"]) -> set[tuple[int, int]]:
    return {(i, j) for i, j in enumerate(pair_table.tolist()) if j > i}
