"""The canonical base pairs of a structure, from its coordinates."""

import numpy as np
from jaxtyping import Float32, Int16
from scipy.spatial import cKDTree

from rnagen.structure import HEAVY_ATOMS, UNKNOWN, UNPAIRED, RNAStructure

CANONICAL = {"AU", "UA", "GC", "CG", "GU", "UG"}
EDGE_ATOM = {"A": "N1", "G": "N1", "C": "N3", "U": "N3"}
"""The nitrogen in the middle of the Watson-Crick edge."""
EDGE_DISTANCE = 3.9
"""Å between these nitrogens: 2.8 to 3.1 in Watson-Crick pairs, up to 3.7 in GU wobbles."""
C1_DISTANCES = (8.5, 12.5)
"""Å between C1': 10.5 in canonical pairs; less where bases lie in trans or over each other."""
SEPARATION = 4
"""Least difference of the positions of paired residues: no hairpin loop is shorter than three."""


def canonical_pair_table(structure: RNAStructure) -> Int16[np.ndarray, " L"]:
    """Pair table of the Watson-Crick and GU pairs, pseudoknots included: `UNPAIRED` for residues without one, `UNKNOWN`
    for those whose base is not resolved.

    Of the model with the most atoms. Two residues pair if the middles of their Watson-Crick edges are nearest to each
    other and within `EDGE_DISTANCE`, and their C1' as far apart as in a helix.
    """
    full = structure if structure.atoms == HEAVY_ATOMS else structure.select_atoms(HEAVY_ATOMS)
    model = int(full.mask.sum(axis=(1, 2)).argmax())
    coords, mask = full.coords[model], full.mask[model]
    rows = np.arange(len(full))
    edge = np.array([HEAVY_ATOMS.index(EDGE_ATOM.get(base, "N1")) for base in full.sequence])
    c1 = HEAVY_ATOMS.index("C1'")
    known = mask[rows, edge] & mask[:, c1] & np.array([base in EDGE_ATOM for base in full.sequence])
    pair_table = np.where(known, UNPAIRED, UNKNOWN).astype(np.int16)
    best = _nearest_edges(full.sequence, coords[rows, edge], coords[:, c1], np.flatnonzero(known))
    for i, j in best.items():
        if best.get(j) == i:
            pair_table[i] = j
    return pair_table


def _nearest_edges(
    sequence: str, edges: Float32[np.ndarray, "L 3"], c1: Float32[np.ndarray, "L 3"], known: np.ndarray
) -> dict[int, int]:
    """For each residue that could pair, the residue whose edge is nearest."""
    nearest: dict[int, tuple[float, int]] = {}
    for a, b in cKDTree(edges[known]).query_pairs(EDGE_DISTANCE):
        i, j = sorted((int(known[a]), int(known[b])))
        across = float(np.linalg.norm(c1[i] - c1[j]))
        if j - i < SEPARATION or sequence[i] + sequence[j] not in CANONICAL or not _between(across, C1_DISTANCES):
            continue
        distance = float(np.linalg.norm(edges[i] - edges[j]))
        for one, other in ((i, j), (j, i)):
            nearest[one] = min(nearest.get(one, (np.inf, -1)), (distance, other))
    return {i: j for i, (_, j) in nearest.items()}


def _between(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]


def nearest_pair_table(
    pair_table: Int16[np.ndarray, " L"], sampled: Int16[np.ndarray, "n L"]
) -> Int16[np.ndarray, " L"]:
    """Of several sampled pair tables, the one that agrees with `pair_table` in the most of its known residues;
    `UNKNOWN` everywhere if it has none."""
    known = pair_table != UNKNOWN
    if not known.any():
        return np.full(len(pair_table), UNKNOWN, dtype=np.int16)
    return sampled[int((sampled == pair_table)[:, known].sum(1).argmax())]
