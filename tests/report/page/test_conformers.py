"""Conformers held against each other."""

import numpy as np
import torch
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from rnagen.geometry import a_form_helix, random_rotations
from rnagen.report.page.conformers import (
    SAME_SHAPE,
    c1_of,
    clusters_of,
    compare_conformers,
    fluctuation,
    mean_distances,
    superposed_on,
)
from rnagen.structure import RNAStructure


def structure_of(coords: np.ndarray) -> RNAStructure:
    """Of C1' [n, L, 3]."""
    coords = coords[:, :, None].astype(np.float32)
    return RNAStructure("rna", "A" * coords.shape[1], coords, np.ones(coords.shape[:-1], bool), ("C1'",))


def turned(points: np.ndarray, n: int) -> np.ndarray:
    rotations = random_rotations(n, torch.Generator().manual_seed(0)).numpy()
    return (points @ rotations.transpose(0, 2, 1) + np.arange(n)[:, None, None] * 10).astype(np.float32)


def test_clusters_are_numbered_by_size() -> None:
    tm = np.full((5, 5), 0.2)
    tm[1:4, 1:4] = 0.8
    np.fill_diagonal(tm, 1)
    assert clusters_of(tm).tolist() == [2, 1, 1, 1, 3]


def test_clusters_are_those_of_complete_linkage() -> None:
    rng = np.random.default_rng(0)
    for spread in (0.2, 0.4, 0.8):
        points = rng.normal(size=(30, 2)) * spread
        apart = np.linalg.norm(points[:, None] - points, axis=-1)
        expected = fcluster(linkage(squareform(apart, checks=False), "complete"), 1 - SAME_SHAPE, "distance")
        found = clusters_of(1 - apart)
        assert ((found[:, None] == found) == (expected[:, None] == expected)).all()
        assert 1 < found.max() < 30


def test_equal_conformers_are_one_cluster_and_do_not_fluctuate() -> None:
    structure = structure_of(turned(a_form_helix(12).numpy(), 4))
    compared = compare_conformers(c1_of(structure)[0])
    assert compared.clusters is not None
    assert set(compared.clusters.tolist()) == {1}
    moved = superposed_on(structure, 2)[:, :, 0]
    assert fluctuation(moved).max() < 1e-3
    # Along x, about the origin.
    np.testing.assert_allclose(moved[2].mean(0), 0, atol=1e-4)
    spread = moved[2].std(0)
    assert spread[0] >= spread[1] >= spread[2]


def test_superposing_makes_no_mirror_image() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(6, 3)) * 5
    for seed in range(4):
        structure = structure_of(turned(points, 2 + seed))
        moved = superposed_on(structure, 0)[0, :, 0]
        hands = [np.linalg.det(one[:3] - one[3]) for one in (points, moved)]
        np.testing.assert_allclose(*hands, rtol=1e-3)


def test_two_conformers_have_no_clusters() -> None:
    assert compare_conformers(turned(a_form_helix(12).numpy(), 2)).clusters is None


def test_mean_distances() -> None:
    points = turned(a_form_helix(9).numpy(), 3)
    one = np.linalg.norm(points[0][:, None] - points[0], axis=-1)
    np.testing.assert_allclose(mean_distances(points), one, atol=1e-2)
