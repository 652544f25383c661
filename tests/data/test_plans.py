"""The stream of batch plans: a function of seed and step, weighted, of similar lengths."""

import numpy as np
import pytest

from rnagen.data.plans import BUCKETS, WINDOW, PlansByEpoch, PlanStream, WarmUp, chain_weights, padded_length

LENGTHS = np.arange(20, 80)


def make_stream(seed: int = 3, batch_size: int = 4, crop: int = 60) -> PlanStream:
    return PlanStream(chain_weights(LENGTHS, np.arange(60), 0.7, 0.6), LENGTHS, crop, batch_size, seed)


def test_a_draw_is_a_function_of_seed_and_step() -> None:
    forwards, backwards = make_stream(), make_stream()
    there = [forwards.at(step) for step in range(40)]
    back = [backwards.at(step) for step in reversed(range(40))][::-1]
    for first, again in zip(there, back):
        np.testing.assert_array_equal(first.rows, again.rows)
        np.testing.assert_array_equal(first.choices, again.choices)
        assert (first.length, first.seed) == (again.length, again.seed)
    assert len({plan.seed for plan in there}) == 40
    assert (make_stream(seed=4).at(0).rows != there[0].rows).any()


def test_chains_are_drawn_by_their_weights() -> None:
    stream = make_stream(batch_size=64)
    sampled = np.concatenate([stream.at(step).rows for step in range(20 * WINDOW)])
    frequency = np.bincount(sampled, minlength=60) / len(sampled)
    np.testing.assert_allclose(frequency, stream.weights, atol=5 * np.sqrt(stream.weights.max() / len(sampled)))


def test_weights_follow_length_and_cluster() -> None:
    weights = chain_weights(np.array([10, 40, 40, 40]), np.array([0, 1, 2, 2]), 0.5, 1.0)
    assert weights.sum() == pytest.approx(1)
    np.testing.assert_allclose(weights / weights[0], [1, 2, 1, 1])


def test_batches_hold_chains_of_similar_length_in_no_order() -> None:
    stream = make_stream(crop=200)
    batches = [LENGTHS[stream.at(step).rows] for step in range(64)]
    assert np.mean([np.ptp(lengths) for lengths in batches]) < 10
    means = [lengths.mean() for lengths in batches]
    assert (np.diff(means) < 0).sum() > 16


@pytest.mark.parametrize("steps", [1, WINDOW, 21])
def test_a_warm_up_draws_from_the_second_set_and_leaves_what_follows_as_it_is(steps: int) -> None:
    plain, other = make_stream(), make_stream(seed=9)
    stream = WarmUp(other, steps, plain, len(LENGTHS))
    for step in range(40):
        plan, expected = stream.at(step), (other if step < steps else plain).at(step)
        np.testing.assert_array_equal(plan.rows, expected.rows + (len(LENGTHS) if step < steps else 0))
        np.testing.assert_array_equal(plan.choices, expected.choices)
        assert (plan.length, plan.seed) == (expected.length, expected.seed)


def test_the_size_changes_with_the_epoch() -> None:
    stream = PlansByEpoch(lambda size: make_stream(batch_size=size), lambda epoch: 8 >> min(epoch, 2), batches=10)
    sizes = [len(stream.at(step).rows) for step in range(40)]
    assert sizes == [8] * 10 + [4] * 10 + [2] * 20
    np.testing.assert_array_equal(stream.at(5).rows, make_stream(batch_size=8).at(5).rows)


@pytest.mark.parametrize("crop", [8, 24, 60, 96, 256, 384])
def test_batches_are_padded_to_few_lengths(crop: int) -> None:
    padded = [padded_length(length, crop) for length in range(1, crop + 1)]
    assert len(set(padded)) <= BUCKETS
    assert max(padded) == crop
    assert all(p >= length for length, p in enumerate(padded, 1))
    assert padded == sorted(padded)
    stream = make_stream(crop=crop)
    for step in range(32):
        plan = stream.at(step)
        assert plan.length == padded_length(min(crop, int(LENGTHS[plan.rows].max())), crop)
