import numpy as np
import pytest
from scipy.spatial import cKDTree

from rnagen.contacts import close_pairs


@pytest.mark.parametrize(("size", "reach"), [(1, 2.0), (2, 9.0), (30, 3.0), (400, 4.15), (9, 100.0)])
def test_close_pairs_are_those_of_a_tree(size: int, reach: float) -> None:
    points = np.random.default_rng(size).normal(scale=8, size=(size, 3))
    expected = np.sort(cKDTree(points).query_pairs(reach, output_type="ndarray"), axis=1)
    found = close_pairs(points.astype(np.float32), reach)
    np.testing.assert_array_equal(found, expected[np.lexsort(expected.T[::-1])])


def test_nothing_is_close_to_nothing() -> None:
    assert close_pairs(np.zeros((0, 3)), 1.0).shape == (0, 2)
