"""Bootstrap interval of a mean over targets."""

import numpy as np
from jaxtyping import Float

RESAMPLES = 10_000
COVERAGE = 0.95


def bootstrap_interval(values: Float[np.ndarray, " n"], seed: int) -> tuple[float, float]:
    """95 % percentile interval of the mean of `values`, one per target, over resampled sets of targets.

    For a paired comparison give the differences. One value has no spread: both ends are that value.

    Raises:
        ValueError: no value.
    """
    if len(values) == 0:
        raise ValueError("no value to resample")
    plans = np.random.default_rng(seed).integers(len(values), size=(RESAMPLES, len(values)))
    tail = 50 * (1 - COVERAGE)
    low, high = np.percentile(values[plans].mean(1), [tail, 100 - tail])
    return float(low), float(high)
