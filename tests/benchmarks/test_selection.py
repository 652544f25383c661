"""Ways to select, and what agreement adds, on candidates whose truth is known."""

import numpy as np
import pytest


def pool(seed: int, n: int = 12, noise: float = 0.0):
    from selection import Candidates

    rng = np.random.default_rng(seed)
    tm = rng.random(n)
    points = rng.normal(size=(n, 3))
    distances = np.linalg.norm(points[:, None] - points, axis=-1)
    return Candidates(tm, distances / distances.max(), tm + noise * rng.normal(size=n))


def test_expected_best_is_that_of_all_choices() -> None:
    from itertools import combinations

    from selection import expected_best

    scores = np.random.default_rng(0).random(7)
    expected = np.mean([max(chosen) for chosen in combinations(scores, 3)])
    assert expected_best(scores, 3) == pytest.approx(expected)


def test_farthest_points_of_a_line() -> None:
    from selection import farthest_points

    places = np.array([0.0, 0.1, 0.5, 0.55, 1.0])
    assert farthest_points(abs(places[:, None] - places), 3)[0] in (2, 3)
    assert set(farthest_points(abs(places[:, None] - places), 3)[1:]) == {0, 4}


def test_ways_select_five_different_ones_and_templates_by_their_score() -> None:
    from dataclasses import replace

    from selection import ways_of

    found = ways_of(replace(pool(0), templates=(0.2, 0.4, 0.3)), (0.0, 0.1))
    assert all(len(set(chosen)) == 5 for chosen in found.values())
    assert found["5 by template score"] == [1, 2, 0, 3, 4]
    assert found["mixed: on templates, then by confidence"][:3] == [0, 1, 2]
    best = pool(0)
    assert found["5 by confidence, weight 0.0"] == np.argsort(-best.predicted)[:5].tolist()


def test_agreement_that_means_nothing_gains_nothing_and_a_perfect_confidence_is_kept() -> None:
    from selection import combined, fitted

    pools = [pool(seed, noise=0.01) for seed in range(20)]
    weights = fitted(pools)
    assert weights[0] == pytest.approx(1, abs=0.05)
    assert abs(weights[1]) < 0.2
    found = combined(pools, 0.0)
    assert found["best1"]["gain"] == pytest.approx(0, abs=0.02)
    assert found["rank_correlation"]["confidence"] > 0.95
