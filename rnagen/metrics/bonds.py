"""Physical sanity of a conformer on its beads: distances that the chain fixes, and beads that overlap.

`rnagen.bead_ranges` has the ranges.
"""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from rnagen.bead_ranges import FIXED, OVERLAP, chain_distances
from rnagen.strands import strand_numbers
from rnagen.structure import BEADS, RNAStructure

_BLOCK = 128
"""Beads whose distances are held at once."""


def conformer_geometry(structure: RNAStructure) -> list[dict[str, Any]]:
    """For each model, as plain numbers: what of its bead distances and contacts no RNA has.

    - `bonds`: distances checked (both beads present; across residues only where the residue numbers follow in one
      strand);
    - `bond_outliers`: fraction of them outside the range that is possible;
    - `clashes`: pairs of beads under `OVERLAP`, of residues at least two apart;
    - `clashing_residues`: fraction of the residues that are in such a pair.

    Atoms other than `BEADS` are not looked at; beads the structure does not have are not counted.
    """
    beads = structure.select_atoms(BEADS)
    # The end of a strand and the start of the next are neither bonded nor neighbours.
    index = beads.residue_index + 2 * strand_numbers(beads.strands, len(beads))
    return [_of_model(coords, mask, index) for coords, mask in zip(beads.coords, beads.mask)]


def _of_model(
    coords: Float[np.ndarray, "L 4 3"], mask: Bool[np.ndarray, "L 4"], residue_index: Int[np.ndarray, " L"]
) -> dict[str, Any]:
    pairs, limits = chain_distances(np.diff(residue_index) == 1, BEADS, "possible", FIXED)
    both = mask.reshape(-1)[pairs].all(1)
    outside = is_outside(coords, pairs[both], limits[both])
    clashing = _clashes(coords, mask, residue_index)
    return {
        "bonds": len(outside),
        "bond_outliers": float(outside.sum()) / max(len(outside), 1),
        "clashes": len(clashing),
        "clashing_residues": len(np.unique(clashing)) / max(int(mask.any(-1).sum()), 1),
    }


def is_outside(
    coords: Float[np.ndarray, "L A 3"], pairs: Int[np.ndarray, "M 2"], limits: Float[np.ndarray, "M 2"]
) -> Bool[np.ndarray, " M"]:
    """Which distances between pairs of points (residue · A + atom) are outside their limits; both in Å."""
    first, second = np.moveaxis(coords.reshape(-1, 3)[pairs], 1, 0)
    distances = np.linalg.norm(first - second, axis=-1)
    return (distances < limits[:, 0]) | (distances > limits[:, 1])


def _clashes(
    coords: Float[np.ndarray, "L 4 3"], mask: Bool[np.ndarray, "L 4"], residue_index: Int[np.ndarray, " L"]
) -> Int[np.ndarray, "C 2"]:
    """Residue numbers of each pair of overlapping beads, by a sweep along x: metrics that train need no scipy."""
    points = coords[mask].astype(np.float64)
    order = np.argsort(points[:, 0])
    numbers = np.broadcast_to(residue_index[:, None], mask.shape)[mask][order].astype(np.int64)
    points = np.ascontiguousarray(points[order].T)
    # Beads from here on are too far from a bead along x alone.
    ends = np.searchsorted(points[0], points[0] + OVERLAP, side="right")
    found = [np.zeros((0, 2), dtype=np.int64)]
    for start in range(0, len(numbers), _BLOCK):
        block, rest = slice(start, start + _BLOCK), slice(start, ends[start : start + _BLOCK][-1])
        squares = np.square(points[:, block, None] - points[:, None, rest]).sum(0)
        first, second = np.nonzero(squares <= OVERLAP**2)
        pairs = numbers[rest][np.stack([first, second], -1)[first < second]]
        found.append(pairs[np.abs(pairs[:, 0] - pairs[:, 1]) > 1])
    return np.concatenate(found)
