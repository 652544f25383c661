"""Conformers held against each other: superposition, TM-scores, clusters, fluctuation, distances."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int

from rnagen.geometry import superpose
from rnagen.metrics import tm_matrix
from rnagen.structure import RNAStructure

MOST_COMPARED = 50
"""Conformers that are held against each other: 1,200 pairs of 76 nt take 5 s."""
LEAST_CLUSTERED = 3
SAME_SHAPE = 0.45
"""TM-score of two RNAs of one overall shape (Gong, Zhang and Zhang, Bioinformatics 35, 4459 (2019)): within a cluster,
all pairs have it."""


@dataclass(frozen=True)
class Comparison:
    """The first m conformers held against each other."""

    tm: Float[np.ndarray, "m m"]
    """TM-scores."""
    clusters: Int[np.ndarray, " m"] | None
    """Number of the cluster of each, from 1, the largest first; None for fewer than `LEAST_CLUSTERED`."""


def compare_conformers(c1: Float32[np.ndarray, "n L 3"]) -> Comparison:
    """TM-scores and clusters of the first `MOST_COMPARED` conformers; C1' in Å."""
    scores = tm_matrix(torch.from_numpy(c1[:MOST_COMPARED])).numpy()
    clusters = clusters_of(scores) if len(scores) >= LEAST_CLUSTERED else None
    return Comparison(scores, clusters)


def clusters_of(tm: Float[np.ndarray, "m m"]) -> Int[np.ndarray, " m"]:
    """Clusters by complete linkage at `SAME_SHAPE`, numbered from 1 by size, then by their first conformer."""
    distances = np.clip(1 - (tm + tm.T) / 2, 0, None)
    np.fill_diagonal(distances, np.inf)
    found = np.arange(len(tm))
    # Few enough to look at all pairs each time; the library that does it better takes longer to import.
    while distances.min(initial=np.inf) <= 1 - SAME_SHAPE:
        one, other = sorted(np.unravel_index(distances.argmin(), distances.shape))
        farther = np.maximum(distances[one], distances[other])
        distances[one], distances[:, one] = farther, farther
        distances[other], distances[:, other] = np.inf, np.inf
        found[found == other] = one
    numbers = sorted(set(found.tolist()), key=lambda one: (-(found == one).sum(), (found == one).argmax()))
    return np.array([numbers.index(one) + 1 for one in found.tolist()])


def c1_of(structure: RNAStructure) -> tuple[Float32[np.ndarray, "n L 3"], Bool[np.ndarray, "n L"]]:
    """C1' coordinates in Å and which are known."""
    chosen = structure.select_atoms(("C1'",))
    return chosen.coords[:, :, 0], chosen.mask[:, :, 0]


def superposed_on(structure: RNAStructure, row: int) -> Float32[np.ndarray, "n L A 3"]:
    """All conformers moved rigidly onto one of them by their C1', Å. The middle of that one is the origin, and its
    longest axis x. No mirror images."""
    c1, known = (torch.from_numpy(array) for array in c1_of(structure))
    coords = torch.from_numpy(structure.coords)
    n, length, atoms = coords.shape[:3]
    points = torch.cat([c1, coords.flatten(1, 2)], 1)
    both = known & known[row]
    counts = torch.cat([both, torch.zeros(n, length * atoms, dtype=torch.bool)], 1)
    moved = superpose(points, points[row].expand_as(points), counts)
    reference = moved[row, :length][known[row]]
    middle = reference.mean(0)
    axes = torch.linalg.svd(reference - middle, full_matrices=True).Vh
    axes[2] *= torch.linalg.det(axes)
    return ((moved[:, length:] - middle) @ axes.T).view(n, length, atoms, 3).numpy()


def fluctuation(c1: Float[np.ndarray, "n L 3"]) -> Float[np.ndarray, " L"]:
    """RMSF in Å: root mean square distance of each residue from its mean position, of superposed conformers."""
    return np.sqrt(np.square(c1 - c1.mean(0)).sum(-1).mean(0))


def mean_distances(c1: Float[np.ndarray, "n L 3"]) -> Float[np.ndarray, "L L"]:
    """Distances in Å between residues, mean over the conformers."""
    total = np.zeros((c1.shape[1], c1.shape[1]))
    for one in c1.astype(np.float64):
        squares = np.square(one).sum(-1)
        total += np.sqrt(np.clip(squares[:, None] + squares - 2 * one @ one.T, 0, None))
    return total / len(c1)
