"""Quality of a chain as a training example, from its coordinates alone."""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float32
from scipy.spatial import cKDTree

from rnagen.bead_ranges import FIXED, NEAREST, TO_NEXT_RESIDUE, chain_distances
from rnagen.data.chains import ChainInfo
from rnagen.metrics.bonds import is_outside
from rnagen.structure import BEADS, RNAStructure

STEP_DISTANCES = TO_NEXT_RESIDUE["C1'", "C1'"].possible
"""Å between C1' of neighbours in the sequence."""

CONTACT_DISTANCE = 12.0
"""Å between C1': base pairs are at 10.6, stacked neighbours of a pair at 8 to 12."""

CONTACT_SEPARATION = 4
"""Least separation in the sequence of a contact that counts."""


def with_quality(info: ChainInfo, structure: RNAStructure) -> ChainInfo:
    """The record of a chain with its quality; geometry is that of the first of the models with the most C1' atoms.

    - `resolved`: fraction of residues with C1' in at least one model;
    - `breaks`: neighbours in the chain farther apart than `STEP_DISTANCES`, or with unresolved residues or a jump of
      the residue number between them;
    - `bond_outliers`: fraction of bead distances outside the range that is possible (`rnagen.bead_ranges`);
    - `clashes`: pairs of C1' under `NEAREST`, per resolved residue;
    - `contacts`: fraction of resolved residues within `CONTACT_DISTANCE` of one at least `CONTACT_SEPARATION` away
      in the sequence: near zero for a strand that pairs with another chain;
    - `radius_of_gyration`: Å, over C1'.
    """
    beads = structure.select_atoms(BEADS)
    has_c1 = beads.mask[:, :, BEADS.index("C1'")]
    model = int(np.argmax(has_c1.sum(axis=1)))
    present = has_c1[model]
    points = beads.coords[model, present, BEADS.index("C1'")]
    count = len(points)
    numbers = structure.residue_index[present]
    clashing = _close_pairs(points, numbers, NEAREST, 2)
    touching = np.unique(_close_pairs(points, numbers, CONTACT_DISTANCE, CONTACT_SEPARATION))
    spread = ((points - points.mean(axis=0)) ** 2).sum(axis=1).mean() if count else 0.0
    return replace(
        info,
        resolved=float(has_c1.any(axis=0).mean()),
        breaks=float(_breaks(points, numbers)),
        bond_outliers=_bond_outliers(beads.coords[model], beads.mask[model]),
        clashes=len(clashing) / max(count, 1),
        contacts=len(touching) / max(count, 1),
        radius_of_gyration=float(np.sqrt(spread)),
    )


def bonds_out_of_range(structure: RNAStructure) -> float:
    """Share of what holds a chain together that covalent geometry does not allow: distances of beads in a residue
    outside the range that is possible, and steps between C1' of neighbours outside `STEP_DISTANCES`; of the model with
    most C1'. 0 where nothing can be measured."""
    beads = structure.select_atoms(BEADS)
    has_c1 = beads.mask[:, :, BEADS.index("C1'")]
    model = int(np.argmax(has_c1.sum(axis=1)))
    wrong, total = _count_bond_outliers(beads.coords[model], beads.mask[model])
    present = has_c1[model]
    steps = np.linalg.norm(np.diff(beads.coords[model, present, BEADS.index("C1'")], axis=0), axis=1)
    steps = steps[np.diff(structure.residue_index[present]) == 1]
    low, high = STEP_DISTANCES
    return (wrong + int(((steps < low) | (steps > high)).sum())) / max(total + len(steps), 1)


def _breaks(points: Float32[np.ndarray, "R 3"], numbers: np.ndarray) -> int:
    far = np.linalg.norm(np.diff(points, axis=0), axis=1) > STEP_DISTANCES[1]
    return int((far | (np.diff(numbers) != 1)).sum())


def _close_pairs(points: np.ndarray, numbers: np.ndarray, distance: float, separation: int) -> np.ndarray:
    """Pairs [P, 2] of resolved residues within `distance` Å and at least `separation` apart in the sequence."""
    if len(points) == 0:
        return np.zeros((0, 2), dtype=np.int64)
    pairs = cKDTree(points).query_pairs(distance, output_type="ndarray")
    return pairs[np.abs(numbers[pairs[:, 0]] - numbers[pairs[:, 1]]) >= separation]


def _bond_outliers(coords: Float32[np.ndarray, "L 4 3"], mask: Bool[np.ndarray, "L 4"]) -> float:
    wrong, total = _count_bond_outliers(coords, mask)
    return wrong / max(total, 1)


def _count_bond_outliers(coords: Float32[np.ndarray, "L 4 3"], mask: Bool[np.ndarray, "L 4"]) -> tuple[int, int]:
    """(distances within residues that are not possible, all that can be measured)."""
    apart = np.zeros(len(coords) - 1, dtype=bool)
    pairs, limits = chain_distances(apart, BEADS, "possible", FIXED)
    both = mask.reshape(-1)[pairs].all(1)
    outside = is_outside(coords, pairs[both], limits[both])
    return int(outside.sum()), len(outside)
