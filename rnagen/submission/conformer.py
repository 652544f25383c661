"""What is wrong with the coordinates of one conformer, be it a candidate or what a table holds."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from rnagen.io.write import PDB_RANGE

COINCIDENT = 0.1
"""Å; neighbours that are nearer are at one place."""
MEDIAN_STEP = (2.0, 20.0)
"""Å; C1' atoms of neighbours are 4 to 8 Å apart, so that other medians mean other units, or no chain at all."""
MARK = -1e18
"""What marks a missing coordinate in the tables of the benchmark."""
REDO = "predict this conformer again, or let another source fill the slot"


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a conformer."""

    kind: str
    reason: str
    remedy: str = REDO
    row: int | None = None
    """Of the residue, from 0; None for the whole conformer."""


def faults_of(xyz: Float[np.ndarray, "L 3"]) -> list[Fault]:
    """Why a conformer cannot be submitted; empty for one that can.

    Args:
        xyz: C1' coordinates in Å, NaN or `MARK` where there is none.
    """
    xyz = np.where(xyz == MARK, np.nan, xyz)
    finite = np.isfinite(xyz).all(axis=1)
    if np.isnan(xyz).all():
        return [Fault("missing conformer", "has no coordinates")]
    if not finite.all():
        return [_not_finite(xyz[row], int(row)) for row in np.flatnonzero(~finite)]
    if not xyz.any():
        return [Fault("all zero", "all coordinates are zero: nothing was predicted")]
    low, high = PDB_RANGE
    beyond = ((xyz < low) | (xyz > high)).any(axis=1)
    if beyond.any():
        remedy = "centre the structure at the origin"
        reason = f"beyond what the PDB format holds, {low} to {high} Å"
        return [
            Fault("out of range", f"{xyz[row].round(3).tolist()} is {reason}", remedy, int(row))
            for row in np.flatnonzero(beyond)
        ]
    return _step_faults(xyz)


def _not_finite(position: Float[np.ndarray, " 3"], row: int) -> Fault:
    if np.isnan(position).any():
        return Fault("missing coordinate", "a coordinate is empty or not a number", row=row)
    return Fault("infinite coordinate", "a coordinate is infinite", row=row)


def _step_faults(xyz: Float[np.ndarray, "L 3"]) -> list[Fault]:
    """Distances of neighbours that no chain has."""
    steps = np.linalg.norm(np.diff(xyz, axis=0), axis=1)
    if not len(steps):
        return []
    if (steps < COINCIDENT).all():
        return [Fault("impossible step", "all residues are at one point")]
    if (steps < COINCIDENT).any():
        return [
            Fault("impossible step", "at the same place as the residue before it", row=int(row) + 1)
            for row in np.flatnonzero(steps < COINCIDENT)
        ]
    median, (low, high) = float(np.median(steps)), MEDIAN_STEP
    if low <= median <= high:
        return []
    reason = f"C1' atoms of neighbours are {median:.3g} Å apart (median); in RNA they are 4 to 8"
    return [Fault("impossible step", reason, "give Å, and C1' atoms")]
