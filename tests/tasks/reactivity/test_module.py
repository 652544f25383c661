"""The exact mean: whatever the batches, it is the mean of all observed values."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnagen.tasks.reactivity.module import ObservedMean


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
