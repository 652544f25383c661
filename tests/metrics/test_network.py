"""Interaction network fidelity, closed form."""

import pytest

from rnagen.metrics import network_fidelity


def test_geometric_mean_of_precision_and_sensitivity() -> None:
    native, predicted = {(0, 9), (1, 8), (2, 7), (3, 6)}, [(0, 9), (1, 8), (4, 5)]
    assert network_fidelity(predicted, native) == pytest.approx((2 / 3 * 2 / 4) ** 0.5)
    assert network_fidelity(native, native) == 1
    assert network_fidelity([], native) == network_fidelity([(5, 6)], native) == 0
    assert network_fidelity(predicted, []) is None


def test_an_interaction_counts_once() -> None:
    assert network_fidelity([(0, 9), (0, 9)], [(0, 9)]) == 1
