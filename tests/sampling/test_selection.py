"""Selecting from candidates: the same ones in any order, never twice the same, all where all are asked for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnagen.sampling.selection import agreement_of, choose


def random_pool(seed: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances of random points and a confidence for each, without ties."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(size, 3))
    distances = np.linalg.norm(points[:, None] - points, axis=-1)
    return distances / distances.max(), rng.random(size)


pools = st.tuples(st.integers(0, 10_000), st.integers(3, 12), st.booleans(), st.floats(0, 1))


@settings(max_examples=40, deadline=None)
@given(pools, st.data())
def test_the_order_of_the_pool_does_not_matter(candidates, data) -> None:
    seed, size, confident, weight = candidates
    distances, confidence = random_pool(seed, size)
    k = data.draw(st.integers(1, size))
    order = np.random.default_rng(seed + 1).permutation(size)
    given_ = confidence if confident else None
    chosen = choose(distances, k, given_, weight)
    shuffled = choose(distances[np.ix_(order, order)], k, confidence[order] if confident else None, weight)
    if confident:
        assert [int(order[i]) for i in shuffled] == chosen
    else:
        # Clusters of one size have no order among them.
        assert {int(order[i]) for i in shuffled} == set(chosen)
    assert len(set(chosen)) == k


@pytest.mark.parametrize("confident", [True, False])
def test_a_pool_of_n_is_kept_whole(confident: bool) -> None:
    distances, confidence = random_pool(3, 6)
    assert sorted(choose(distances, 6, confidence if confident else None)) == list(range(6))
    for k in (0, 7):
        with pytest.raises(ValueError, match=f"{k} of 6"):
            choose(distances, k, confidence if confident else None)


@settings(max_examples=20, deadline=None)
@given(pools)
def test_duplicates_are_not_chosen_while_others_exist(candidates) -> None:
    seed, size, confident, weight = candidates
    distances, confidence = random_pool(seed, size)
    # Every conformer twice or three times, the copies more confident than any other.
    copies = np.repeat(np.arange(size), np.random.default_rng(seed).integers(2, 4, size))
    doubled = distances[np.ix_(copies, copies)]
    chosen = choose(doubled, size, confidence[copies] if confident else None, weight)
    assert sorted(copies[chosen]) == list(range(size))
    everything = choose(doubled, len(copies), confidence[copies] if confident else None, weight)
    assert sorted(everything) == list(range(len(copies)))
    if confident:
        assert sorted(copies[everything[:size]]) == list(range(size))


def test_confidence_comes_first_and_distance_is_worth_its_weight() -> None:
    # 0 and 1 are alike and good, 2 is far and worse by 0.3.
    distances = np.array([[0, 0.2, 0.8], [0.2, 0, 0.8], [0.8, 0.8, 0]])
    confidence = np.array([0.6, 0.59, 0.3])
    assert choose(distances, 2, confidence, weight=0.1) == [0, 1]
    assert choose(distances, 2, confidence, weight=1.0) == [0, 2]
    assert choose(distances, 1, confidence, weight=1.0) == [0]


def test_agreement_decides_on_the_first_among_equally_confident_ones_and_is_worth_its_weight() -> None:
    distances = np.array([[0, 0.8, 0.8], [0.8, 0, 0.2], [0.8, 0.2, 0]])
    assert agreement_of(distances) == pytest.approx([0.2, 0.5, 0.5])
    assert agreement_of(np.zeros((1, 1))).tolist() == [0]
    # 0 is more confident by 0.05, and agrees less by 0.3.
    confidence = np.array([0.45, 0.4, 0.39])
    assert choose(distances, 1, confidence, agreement=0.0) == [0]
    assert choose(distances, 1, confidence, agreement=0.16) == [0]
    assert choose(distances, 1, confidence, agreement=0.17) == [1]
    # The others follow by confidence and distance alone.
    assert choose(distances, 2, confidence, weight=0.1, agreement=0.17) == [1, 0]


def test_without_confidence_the_middle_of_the_largest_cluster_is_first() -> None:
    points = np.array([0.0, 10.0, 10.1, 20.0, 20.1, 20.2, 20.4, 9.9])
    distances = np.abs(points[:, None] - points)
    assert choose(distances, 3) == [4, 1, 0]
    assert choose(distances, 1) == [2]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 9))
def test_no_exchange_of_a_medoid_lowers_the_cost(seed: int, size: int) -> None:
    distances, _ = random_pool(seed, size)
    chosen = choose(distances, 2)
    cost = distances[:, chosen].min(1).sum()
    for place in range(2):
        for other in range(size):
            exchanged = [*chosen[:place], other, *chosen[place + 1 :]]
            assert distances[:, exchanged].min(1).sum() >= cost - 1e-9
