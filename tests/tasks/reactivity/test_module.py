"""The loss, the schedule and the exact mean, which is that of all observed values, whatever the batches."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnagen.tasks.reactivity.data import ReactivityDataModule
from rnagen.tasks.reactivity.dataset import ReactivityBatch, reactivity_batch
from rnagen.tasks.reactivity.module import ObservedMean, ReactivityModule, weighted_error
from tests.helpers.profiles import config_of


@given(st.integers(0, 10_000), st.integers(1, 6))
def test_mean_is_that_of_the_values_and_not_of_the_batches(seed: int, batches: int) -> None:
    rng = np.random.default_rng(seed)
    metric, values, seen = ObservedMean(3), [], []
    for _ in range(batches):
        shape = (int(rng.integers(1, 4)), int(rng.integers(1, 40)), 3)
        values.append(rng.random(shape, dtype=np.float32) * 10.0 ** rng.integers(-3, 4))
        seen.append(rng.random(shape) < rng.random())
        # What was not observed may be anything.
        given_values = np.where(seen[-1], values[-1], np.float32(np.nan))
        metric.update(torch.from_numpy(given_values), torch.from_numpy(seen[-1]))
    flat, observed = (np.concatenate([part.reshape(-1, 3) for part in parts]) for parts in (values, seen))
    means = metric.compute().numpy()
    if observed.any():
        np.testing.assert_allclose(means[0], flat[observed].astype(np.float64).mean(), rtol=1e-12)
    for channel in range(3):
        chosen = flat[observed[:, channel], channel].astype(np.float64)
        if len(chosen):
            np.testing.assert_allclose(means[1 + channel], chosen.mean(), rtol=1e-12)
        else:
            assert np.isnan(means[1 + channel])


def test_single_precision_sums_would_drift() -> None:
    """A million values of 0.1 and one of a million: in single precision the sum of the small ones is lost in part."""
    metric = ObservedMean(1)
    for chunk in [torch.full((1, 1), 1e6), *[torch.full((1000, 1), 0.1)] * 1000]:
        metric.update(chunk, torch.ones_like(chunk, dtype=torch.bool))
    expected = (1e6 + 1e6 * float(np.float32(0.1))) / 1_000_001
    np.testing.assert_allclose(float(metric.compute()[0]), expected, rtol=1e-12)


def batch_of(profiles: Path) -> ReactivityBatch:
    data = ReactivityDataModule(config_of(profiles))
    data.setup("fit")
    return reactivity_batch([data.train[n] for n in range(4)])


def test_loss_is_the_weighted_mean_of_what_was_observed(profiles: Path) -> None:
    batch = batch_of(profiles)
    predicted = torch.rand(batch.reactivity.shape, generator=torch.Generator().manual_seed(0))
    weight = (batch.weight[:, None] * batch.observed).double().numpy()
    errors = np.abs(predicted.double().numpy() - batch.reactivity.double().numpy().clip(0, 1))
    assert float(weighted_error(predicted, batch)) == pytest.approx((weight * errors).sum() / weight.sum(), rel=1e-5)
    # What was not observed does not count, nor does what lies beyond the clipped range.
    other = replace(batch, reactivity=torch.where(batch.observed, batch.reactivity, torch.tensor(0.7)))
    assert float(weighted_error(predicted, other)) == float(weighted_error(predicted, batch))
    clipped = replace(batch, reactivity=batch.reactivity.clamp(0, 1))
    assert float(weighted_error(predicted, clipped)) == float(weighted_error(predicted, batch))
    assert float(weighted_error(predicted, replace(batch, weight=torch.zeros_like(batch.weight)))) == 0.0


def test_rate_makes_one_cycle(profiles: Path) -> None:
    module = ReactivityModule(config_of(profiles, lr=1e-3, warmup=0.1), ("a",), steps=100)
    optimizers = module.configure_optimizers()
    schedule, rates = optimizers["lr_scheduler"]["scheduler"], []
    for _ in range(100):
        rates.append(optimizers["optimizer"].param_groups[0]["lr"])
        optimizers["optimizer"].step()
        if len(rates) < 100:
            schedule.step()
    assert max(rates) == pytest.approx(1e-3)
    assert int(np.argmax(rates)) == 9
    assert rates[-1] < 1e-7
