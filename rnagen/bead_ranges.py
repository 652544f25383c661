"""Distances between beads that RNA has: what the chain fixes within a residue and to the next, and how near
others come. The one table of them: sampling pulls estimates into it, and metrics and the quality of training chains
count what is outside.

Measured on 583 training chains from crystal structures of 2.5 Å or better, 23,000 residues, neighbours bonded by O3'–P
(`benchmarks/bead_ranges.py`).
"""

from collections.abc import Collection
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int


class Range(NamedTuple):
    """Distances in Å."""

    low: float
    high: float
    """99 % of what is observed."""
    least: float
    most: float
    """99.9 % of it."""

    @property
    def usual(self) -> tuple[float, float]:
        """What 99 % of experimental structures have."""
        return self.low, self.high

    @property
    def possible(self) -> tuple[float, float]:
        """What is outside is wrong: that of 99.9 %, and `MARGIN` more."""
        return self.least - MARGIN, self.most + MARGIN


Ranges = dict[tuple[str, str], Range]
"""By the names of two beads."""
MARGIN = 0.1
"""Å."""
WITHIN_RESIDUE: Ranges = {
    ("P", "C4'"): Range(3.29, 3.99, 3.05, 4.07),
    ("P", "C1'"): Range(4.52, 6.00, 4.17, 6.17),
    ("P", "N"): Range(4.52, 6.81, 4.16, 7.07),
    ("C4'", "C1'"): Range(2.29, 2.38, 2.25, 2.40),
    ("C4'", "N"): Range(3.15, 3.62, 3.02, 3.66),
    ("C1'", "N"): Range(1.44, 1.53, 1.41, 1.55),
}
"""Between two beads of one residue."""
TO_NEXT_RESIDUE: Ranges = {
    ("P", "P"): Range(4.83, 7.18, 4.25, 7.51),
    ("P", "C4'"): Range(5.06, 10.23, 4.27, 10.56),
    ("P", "C1'"): Range(5.45, 11.58, 4.16, 12.02),
    ("P", "N"): Range(5.51, 11.97, 4.54, 12.63),
    ("C4'", "P"): Range(3.12, 3.99, 2.90, 4.04),
    ("C4'", "C4'"): Range(4.20, 7.03, 3.72, 7.24),
    ("C4'", "C1'"): Range(4.32, 8.62, 3.93, 9.01),
    ("C4'", "N"): Range(3.94, 9.23, 3.49, 9.88),
    ("C1'", "P"): Range(4.09, 5.02, 3.59, 5.08),
    ("C1'", "C4'"): Range(4.71, 7.96, 4.17, 8.37),
    ("C1'", "C1'"): Range(4.53, 9.57, 3.84, 10.03),
    ("C1'", "N"): Range(4.38, 10.04, 3.83, 10.78),
    ("N", "P"): Range(5.08, 6.15, 4.78, 6.23),
    ("N", "C4'"): Range(4.88, 8.96, 4.48, 9.30),
    ("N", "C1'"): Range(4.15, 10.58, 3.83, 11.18),
    ("N", "N"): Range(4.05, 11.08, 3.86, 11.90),
}
"""Between a bead and one of the next residue. Together they hold what angles and dihedrals of the backbone allow."""
FIXED = frozenset(
    {(0, ("P", "C4'")), (0, ("C4'", "C1'")), (0, ("C1'", "N")), (1, ("C4'", "P")), (1, ("P", "P")), (1, ("C1'", "C1'"))}
)
"""Step (0 within a residue, 1 to the next one) and beads of the distances that metrics count: covalent geometry fixes
them most."""
OVERLAP = 3.3
"""Å between beads of residues that are not neighbours; of the residues above, 12 have a nearer one."""
NEAREST = 3.5
"""Å between such beads, at least, where something restrains them."""
PAIRED = (9.8, 11.4)
"""Å between C1' of a Watson-Crick or GU pair."""


def chain_distances(
    follows: Bool[np.ndarray, " steps"],
    atoms: tuple[str, ...],
    width: Literal["usual", "possible"],
    only: Collection[tuple[int, tuple[str, str]]] | None = None,
) -> tuple[Int[np.ndarray, "M 2"], Float[np.ndarray, "M 2"]]:
    """All distances of a chain that have a range, as pairs of its points (residue · A + atom), and their bounds in Å.

    Args:
        follows: whether each of the L residues but the last is bonded to the next.
        atoms: names of the A atoms of a residue.
        width: which bounds.
        only: the distances that are wanted, as in `FIXED`; all by default.
    """
    rows = np.arange(len(follows) + 1)
    points, limits = [np.zeros((0, 2), dtype=np.int64)], [np.zeros((0, 2))]
    for step, ranges in ((0, WITHIN_RESIDUE), (1, TO_NEXT_RESIDUE)):
        starts = rows if step == 0 else rows[:-1][follows]
        for (a, b), found in ranges.items():
            if a in atoms and b in atoms and (only is None or (step, (a, b)) in only):
                ends = starts * len(atoms) + atoms.index(a), (starts + step) * len(atoms) + atoms.index(b)
                points.append(np.stack(ends, -1))
                limits.append(np.tile(getattr(found, width), (len(starts), 1)))
    return np.concatenate(points), np.concatenate(limits)
