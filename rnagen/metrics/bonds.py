"""Physical sanity of a conformer on its beads: distances that the chain fixes, and beads that overlap.

The ranges hold 99.9 % of the distances in 22,800 residues of 553 chains from crystal structures better than 2.5 Å
(bonded neighbours by O3'–P), widened by about 0.1 Å where covalent geometry leaves under an ångström.
"""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from rnagen.strands import strand_numbers
from rnagen.structure import BEADS, RNAStructure

WITHIN_RESIDUE = {("P", "C4'"): (3.0, 4.2), ("C4'", "C1'"): (2.1, 2.5), ("C1'", "N"): (1.3, 1.6)}
"""Å between two beads of one residue. Observed medians: 3.91, 2.34, 1.47."""

TO_NEXT_RESIDUE = {("C4'", "P"): (2.8, 4.2), ("P", "P"): (4.2, 7.7), ("C1'", "C1'"): (3.7, 10.3)}
"""Å between a bead and one of the next residue. Observed medians: 3.87, 5.84, 5.55."""

CLASH_DISTANCE = 3.3
"""Å between beads of residues that are not neighbours; of the structures above, 12 residues in 22,800 have one."""

_BLOCK = 128
"""Beads whose distances are held at once."""


def conformer_geometry(structure: RNAStructure) -> list[dict[str, Any]]:
    """For each model, as plain numbers: what of its bead distances and contacts no RNA has.

    - `bonds`: distances checked (both beads present; across residues only where the residue numbers follow in one
      strand);
    - `bond_outliers`: fraction of them outside `WITHIN_RESIDUE` and `TO_NEXT_RESIDUE`;
    - `clashes`: pairs of beads under `CLASH_DISTANCE`, of residues at least two apart;
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
    bonds, outliers = 0, 0
    follows = np.diff(residue_index) == 1
    for offset, ranges in ((0, WITHIN_RESIDUE), (1, TO_NEXT_RESIDUE)):
        for (first, second), (low, high) in ranges.items():
            a, b = BEADS.index(first), BEADS.index(second)
            stop = len(coords) - offset
            both = mask[:stop, a] & mask[offset:, b] & (follows if offset else True)
            distances = np.linalg.norm(coords[:stop, a][both] - coords[offset:, b][both], axis=-1)
            bonds += len(distances)
            outliers += int(((distances < low) | (distances > high)).sum())
    clashing = _clashes(coords, mask, residue_index)
    return {
        "bonds": bonds,
        "bond_outliers": outliers / max(bonds, 1),
        "clashes": len(clashing),
        "clashing_residues": len(np.unique(clashing)) / max(int(mask.any(-1).sum()), 1),
    }


def _clashes(
    coords: Float[np.ndarray, "L 4 3"], mask: Bool[np.ndarray, "L 4"], residue_index: Int[np.ndarray, " L"]
) -> Int[np.ndarray, "C 2"]:
    """Residue numbers of each pair of overlapping beads, by a sweep along x: metrics that train need no scipy."""
    points = coords[mask].astype(np.float64)
    order = np.argsort(points[:, 0])
    numbers = np.broadcast_to(residue_index[:, None], mask.shape)[mask][order].astype(np.int64)
    points = np.ascontiguousarray(points[order].T)
    # Beads from here on are too far from a bead along x alone.
    ends = np.searchsorted(points[0], points[0] + CLASH_DISTANCE, side="right")
    found = [np.zeros((0, 2), dtype=np.int64)]
    for start in range(0, len(numbers), _BLOCK):
        block, rest = slice(start, start + _BLOCK), slice(start, ends[start : start + _BLOCK][-1])
        squares = np.square(points[:, block, None] - points[:, None, rest]).sum(0)
        first, second = np.nonzero(squares <= CLASH_DISTANCE**2)
        pairs = numbers[rest][np.stack([first, second], -1)[first < second]]
        found.append(pairs[np.abs(pairs[:, 0] - pairs[:, 1]) > 1])
    return np.concatenate(found)
