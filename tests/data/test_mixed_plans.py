"""Batches of mixed length: one length and one size each, every example as often as its weight demands."""

from dataclasses import replace

import numpy as np
import pytest

from rnagen.data.chains import Chains
from rnagen.data.mixed_plans import CROPS, DOMAIN, VARIANT, MixedPlans, example_weights
from tests.helpers.tiny import make_chain, stacked

LENGTHS = np.array([20, 60, 64, 65, 100, 200, 300, 500, 900])
WEIGHTS = np.arange(1.0, 10.0) / 45


def plans(crop: int = 384, tokens: int = 512, seed: int = 1, world: int = 1) -> MixedPlans:
    return MixedPlans(WEIGHTS, LENGTHS, crop, tokens, seed, world)


def test_a_batch_is_a_function_of_seed_and_step() -> None:
    there, again = plans(), plans()
    for step in (7, 3, 3, 0):
        first, second = there.at(step), again.at(step)
        np.testing.assert_array_equal(first.rows, second.rows)
        np.testing.assert_array_equal(first.choices, second.choices)
        assert (first.length, first.seed) == (second.length, second.seed)
    assert len({there.at(step).seed for step in range(40)}) == 40
    assert any((plans(seed=2).at(step).seed != there.at(step).seed) for step in range(3))


@pytest.mark.parametrize("world", [1, 3])
def test_each_batch_fills_the_budget_with_crops_of_one_length(world: int) -> None:
    stream = plans(world=world)
    seen = set()
    for step in range(200):
        plan = stream.at(step)
        seen.add(plan.length)
        assert len(plan.rows) == world * (512 // plan.length)
        # The padding of an example is never more than the step to the next shorter crop.
        shorter = max((crop for crop in CROPS if crop < plan.length), default=0)
        assert (np.minimum(LENGTHS[plan.rows], plan.length) > shorter).all()
    assert seen == set(CROPS)


def test_every_example_is_used_as_often_as_its_weight_demands() -> None:
    stream = plans()
    rows = np.concatenate([stream.at(step).rows for step in range(6000)])
    frequency = np.bincount(rows, minlength=len(LENGTHS)) / len(rows)
    np.testing.assert_allclose(frequency, WEIGHTS, atol=0.015)


@pytest.mark.parametrize(("crop", "shapes"), [(384, [64, 128, 256, 384]), (200, [64, 128, 200]), (40, [40])])
def test_the_longest_crop_is_that_of_the_options(crop: int, shapes: list[int]) -> None:
    assert plans(crop=crop).shapes.tolist() == shapes


def test_a_budget_below_the_crop_makes_batches_of_one() -> None:
    assert all(
        len(plans(tokens=100).at(step).rows) == 1 for step in range(20) if plans(tokens=100).at(step).length > 64
    )


def named(*chains: tuple[str, int]) -> Chains:
    made = [replace(make_chain(length, seed=k), name=name) for k, (name, length) in enumerate(chains)]
    return stacked(made)


def test_variants_share_the_examples_of_their_parent_and_domains_have_their_own() -> None:
    chains = named(("a", 30), ("b", 30), ("c", 60))
    variants = named(("a/0/1", 30), ("a/0/2", 30), ("c/5/0", 24), ("c/5/1", 24), ("c/5/2", 24), ("gone/0/1", 30))
    weights = example_weights(chains, variants, 1.0, 0.0)
    assert weights.sum() == pytest.approx(1)
    a, b, c, first, second, domain, mutant, other, gone = weights
    assert a + first + second == pytest.approx((1 - DOMAIN) * 30 / 120)
    assert first == second == pytest.approx(VARIANT * (a + first + second) / 2)
    assert b == pytest.approx((1 - DOMAIN) * 30 / 120)
    assert c == pytest.approx((1 - DOMAIN) * 60 / 120)
    assert domain + mutant + other == pytest.approx(DOMAIN)
    assert domain == pytest.approx(mutant + other)
    assert gone == 0


def test_a_chain_without_a_shape_of_its_own_does_not_train() -> None:
    chains = named(("a", 30), ("b", 30))
    infos = (replace(chains.infos[0], radius_of_gyration=200.0), chains.infos[1])
    assert example_weights(replace(chains, infos=infos), None, 0.7, 0.6).tolist() == [0, 1]
