"""Base pairs of an RNA: predicted or given, and found in its conformers; and where the plane drawing puts residues."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import RNA
from jaxtyping import Float, Int16

from rnagen.io.dot_bracket import format_dot_bracket, parse_dot_bracket
from rnagen.secondary.cached import base_pairs
from rnagen.secondary.native import bead_pair_table, canonical_pair_table
from rnagen.secondary.pairs import SparsePairs
from rnagen.secondary.vienna import mfe_dot_bracket
from rnagen.strands import SEPARATOR
from rnagen.structure import BEADS, HEAVY_ATOMS, UNPAIRED, RNAStructure

LONGEST_MFE = 1000
"""nt; of a longer RNA, pairs above `LIKELY` stand for it, which takes no further folding."""
LIKELY = 0.5
"""Probability above which pairs cannot cross."""
LEAST_ATOMS = 20
"""Atoms per residue from which a structure has its bases."""


@dataclass(frozen=True)
class PlanePairs:
    """The secondary structure of the plane drawing."""

    pair_table: Int16[np.ndarray, " L"]
    """With pseudoknots, where they are given."""
    source: str
    """A few words: where it is from."""
    probabilities: SparsePairs | None
    """ViennaRNA's; None where it cannot fold the sequence, or others were given."""

    def probability(self, i: int, j: int) -> float | None:
        """Of a pair; None where probabilities are not known."""
        if self.probabilities is None:
            return None
        return self._by_pair.get((min(i, j), max(i, j)), 0.0)

    @cached_property
    def _by_pair(self) -> dict[tuple[int, int], float]:
        if self.probabilities is None:
            return {}
        return dict(zip(map(tuple, self.probabilities.pairs.tolist()), self.probabilities.probabilities.tolist()))


def plane_pairs(entry: dict[str, Any]) -> PlanePairs:
    """The secondary structure of an entry of run.json: the one that was given, else ViennaRNA's.

    Base-pair probabilities that were given for the RNA are not in the folder of a run: then there are none.
    """
    sequence, given = entry["sequence"], entry.get("secondary_structure")
    length = len(sequence.replace(SEPARATOR, ""))
    probabilities = None if entry.get("pair_probabilities_sha256") else _probabilities(sequence)
    if given:
        table = parse_dot_bracket(given.replace(SEPARATOR, ""))
        return PlanePairs(table, "given for this RNA", probabilities)
    if length <= LONGEST_MFE:
        table = parse_dot_bracket(mfe_dot_bracket(sequence))
        return PlanePairs(table, "minimum free energy, ViennaRNA", probabilities)
    table = np.full(length, UNPAIRED, np.int16)
    if probabilities is None:
        return PlanePairs(table, "nothing, for no base-pair probabilities of this RNA are there", None)
    for i, j in probabilities.pairs[probabilities.probabilities > LIKELY].tolist():
        table[i], table[j] = j, i
    return PlanePairs(table, f"pairs more probable than {LIKELY}, ViennaRNA", probabilities)


def _probabilities(sequence: str) -> SparsePairs | None:
    try:
        return base_pairs(sequence)
    except ValueError:
        return None


def found_pairs(structure: RNAStructure) -> list[Int16[np.ndarray, " L"]]:
    """A pair table for each conformer: its Watson-Crick and GU pairs, by atoms of the bases where there are any."""
    if has_bases(structure):
        tables = [canonical_pair_table(structure.models([k])) for k in range(structure.num_models)]
    else:
        beads = structure.select_atoms(BEADS)
        tables = [bead_pair_table(beads.sequence, *one) for one in zip(beads.coords, beads.mask)]
    return [np.where(table < 0, UNPAIRED, table).astype(np.int16) for table in tables]


def has_bases(structure: RNAStructure) -> bool:
    """Whether the files have whole residues, and not beads alone."""
    return len(set(structure.atoms) & set(HEAVY_ATOMS)) >= LEAST_ATOMS


def as_text(pair_table: Int16[np.ndarray, " L"]) -> str:
    """Dot-bracket notation; dots alone where more pairs cross than there are brackets for."""
    try:
        return format_dot_bracket(np.where(pair_table < 0, UNPAIRED, pair_table).tolist())
    except ValueError:
        return "." * len(pair_table)


def pair_shares(tables: Sequence[Int16[np.ndarray, " L"]]) -> dict[tuple[int, int], float]:
    """Share of the conformers that have each pair (i < j, from 0) that any has."""
    counts: dict[tuple[int, int], int] = {}
    for table in tables:
        for i, j in enumerate(table.tolist()):
            if j > i:
                counts[i, j] = counts.get((i, j), 0) + 1
    return {pair: count / len(tables) for pair, count in sorted(counts.items())}


def plane_layout(pair_table: Int16[np.ndarray, " L"]) -> Float[np.ndarray, "L 2"]:
    """Where the residues are in a plane drawing, by ViennaRNA's naview; pairs in brackets other than round ones do not
    count."""
    text = "".join(symbol if symbol in "()" else "." for symbol in as_text(pair_table))
    points = RNA.naview_xy_coordinates(text)
    return np.array([(points[k].X, -points[k].Y) for k in range(len(text))], dtype=float).reshape(-1, 2)
