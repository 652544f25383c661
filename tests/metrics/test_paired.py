"""Intervals of paired gains."""

import numpy as np
import pytest

from rnagen.metrics.paired import PairedGain
from rnagen.metrics.statistics import bootstrap_interval


def test_one_seed_has_the_interval_of_its_targets() -> None:
    gains = np.random.default_rng(1).normal(0.1, 0.05, (1, 40))
    gain = PairedGain(gains)
    assert gain.over_seeds() is None
    assert gain.over_targets() == bootstrap_interval(gains[0], 0)
    assert gain.over_both() == pytest.approx(gain.over_targets(), abs=0.003)


def test_seeds_that_disagree_widen_the_interval() -> None:
    targets = np.random.default_rng(2).normal(0, 0.01, 50)
    gain = PairedGain(targets + np.array([[0.1], [-0.1], [0.0]]))
    low, high = gain.over_both()
    assert low < -0.04 < 0.04 < high
    assert gain.over_targets()[0] > -0.01
    # Student's t for three seeds: 4.303.
    assert gain.over_seeds() == pytest.approx(
        (gain.mean - 4.303 * 0.1 / 3**0.5, gain.mean + 4.303 * 0.1 / 3**0.5), 1e-3
    )


def test_the_interval_covers_the_truth_about_as_often_as_it_should() -> None:
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(60):
        gains = rng.normal(0, 0.02, (8, 1)) + rng.normal(0, 0.05, 30) + rng.normal(0, 0.02, (8, 30))
        low, high = PairedGain(gains).over_both()
        covered += low <= 0 <= high
    assert covered >= 48
