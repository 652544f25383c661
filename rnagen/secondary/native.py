"""The canonical base pairs of a structure, from its coordinates."""

import numpy as np
from jaxtyping import Bool, Float32, Int16, Int64

from rnagen.structure import BEADS, HEAVY_ATOMS, UNKNOWN, UNPAIRED, RNAStructure

CANONICAL = {"AU", "UA", "GC", "CG", "GU", "UG"}
EDGE_ATOM = {"A": "N1", "G": "N1", "C": "N3", "U": "N3"}
"""The nitrogen in the middle of the Watson-Crick edge."""
EDGE_DISTANCE = 3.9
"""Å between these nitrogens: 2.8 to 3.1 in Watson-Crick pairs, up to 3.7 in GU wobbles."""
C1_DISTANCES = (8.5, 12.5)
"""Å between C1': 10.5 in canonical pairs; less where bases lie in trans or over each other."""
BEAD_DISTANCES = {"P": (14.4, 21.7), "C4'": (12.7, 16.3), "C1'": (9.6, 11.4), "N": (7.6, 9.9)}
"""Å between the same beads of paired residues: the 1st to the 99th percentile of 6,000 pairs of the PDB; but for C1',
wider by what beads that were rebuilt are off."""
C1_IDEAL = 10.6
"""Å; the median."""
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


def bead_pair_table(
    sequence: str, coords: Float32[np.ndarray, "L 4 3"], mask: Bool[np.ndarray, "L 4"]
) -> Int16[np.ndarray, " L"]:
    """Pair table of a chain of which only `rnagen.structure.BEADS` are known, or some of these: `UNPAIRED` for residues
    without a pair, `UNKNOWN` for those without C1'.

    Two residues pair if all of their beads are within `BEAD_DISTANCES`, and the pair of the residues next to them, on
    one side or the other, is too. Of 400 chains with C1' alone, whose other beads were rebuilt, 96 % of the pairs are
    those of `canonical_pair_table`, and 89 % of these are found.
    """
    c1 = BEADS.index("C1'")
    known = np.flatnonzero(mask[:, c1])
    low, high = np.array([BEAD_DISTANCES[bead] for bead in BEADS]).T
    paired = np.array(sorted(CANONICAL)).view("<U1").reshape(-1, 2)
    bases = np.array(list(sequence))
    # All at once: a crowded conformer of a ribosomal RNA has millions of such neighbours.
    i, j = _within(high[c1], coords[:, c1], known)
    canonical = ((bases[i, None] == paired[:, 0]) & (bases[j, None] == paired[:, 1])).any(1)
    i, j = (rows[canonical & (j - i >= SEPARATION)] for rows in (i, j))
    distances = np.linalg.norm(coords[i] - coords[j], axis=-1)
    fits = (((low <= distances) & (distances <= high)) | ~(mask[i] & mask[j])).all(1)
    off = np.abs(distances[:, c1].astype(float) - C1_IDEAL)
    apart = dict(zip(zip(i[fits].tolist(), j[fits].tolist()), off[fits].tolist()))
    stacked = [(i, j) for i, j in apart if (i + 1, j - 1) in apart or (i - 1, j + 1) in apart]
    pair_table = np.where(mask[:, c1], UNPAIRED, UNKNOWN).astype(np.int16)
    for i, j in sorted(stacked, key=lambda pair: (apart[pair], pair)):
        if pair_table[i] == pair_table[j] == UNPAIRED:
            pair_table[i], pair_table[j] = j, i
    return pair_table


def _nearest_edges(
    sequence: str, edges: Float32[np.ndarray, "L 3"], c1: Float32[np.ndarray, "L 3"], known: Int64[np.ndarray, " N"]
) -> dict[int, int]:
    """For each residue that could pair, the residue whose edge is nearest."""
    nearest: dict[int, tuple[float, int]] = {}
    for i, j in zip(*(rows.tolist() for rows in _within(EDGE_DISTANCE, edges, known))):
        across = float(np.linalg.norm(c1[i] - c1[j]))
        if j - i < SEPARATION or sequence[i] + sequence[j] not in CANONICAL or not _between(across, C1_DISTANCES):
            continue
        distance = float(np.linalg.norm(edges[i] - edges[j]))
        for one, other in ((i, j), (j, i)):
            nearest[one] = min(nearest.get(one, (np.inf, -1)), (distance, other))
    return {i: j for i, (_, j) in nearest.items()}


def _within(
    distance: float, points: Float32[np.ndarray, "L 3"], known: Int64[np.ndarray, " N"]
) -> tuple[Int64[np.ndarray, " P"], Int64[np.ndarray, " P"]]:
    """Known points i < j that are so close, in Å. Without a search tree, whose import takes longer than a thousand
    residues do here."""
    there = points[known].astype(np.float64)
    nearer = [
        known[place + 1 :][np.square(there[place + 1 :] - there[place]).sum(-1) <= distance**2]
        for place in range(len(known))
    ]
    first = np.repeat(known, [len(some) for some in nearer])
    return first, np.concatenate([known[:0], *nearer])


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
