"""Packed data come back; coordinates lose less than half a step."""

import numpy as np

from rnagen.report.page.pack import MISSING, STEP, packed, to_integers, unpacked


def test_packed_data_come_back() -> None:
    numbers = np.array([[1, -2], [300, MISSING]], dtype=np.int16)
    for name in ("a", "ä</script>", ""):
        header, found = unpacked(packed({"name": name}, numbers))
        assert header == {"name": name}
        np.testing.assert_array_equal(found, numbers.ravel())
    assert unpacked(packed({}))[1].size == 0


def test_coordinates_are_rounded() -> None:
    coords = np.random.default_rng(0).normal(scale=50, size=(2, 5, 4, 3))
    mask = np.ones((2, 5, 4), bool)
    mask[1, 2, 3] = False
    numbers, step = to_integers(coords, mask)
    assert step == STEP
    np.testing.assert_allclose(numbers[mask] * step, coords[mask], atol=0.51 * STEP)
    assert (numbers[~mask] == MISSING).all()


def test_a_large_molecule_has_larger_steps() -> None:
    coords = np.full((1, 1, 1, 3), 2000.0)
    numbers, step = to_integers(coords, np.ones((1, 1, 1), bool))
    np.testing.assert_allclose(numbers * step, coords, atol=step)
    assert step > STEP
