"""Statistics of scores: intervals of their means, calibration and ranking of predicted ones."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from jaxtyping import Float

T = TypeVar("T")

RESAMPLES = 10_000
STATISTIC_RESAMPLES = 1_000
"""Where each resampled set is computed by itself."""
COVERAGE = 0.95


FEWEST = 3
"""Values whose interval is printed: that of one has no width, and that of two is their difference."""


def bootstrap_interval(values: Float[np.ndarray, " n"], seed: int) -> tuple[float, float]:
    """95 % percentile interval of the mean of `values`, one per target, over resampled sets of targets.

    For a paired comparison give the differences. One value has no spread: both ends are that value.

    Raises:
        ValueError: no value.
    """
    if len(values) == 0:
        raise ValueError("no value to resample")
    sampled = np.random.default_rng(seed).integers(len(values), size=(RESAMPLES, len(values)))
    tail = 50 * (1 - COVERAGE)
    low, high = np.percentile(values[sampled].mean(1), [tail, 100 - tail])
    return float(low), float(high)


def bootstrap_statistic(
    values: Sequence[T], statistic: Callable[[Sequence[T]], float], seed: int
) -> tuple[float, float]:
    """95 % percentile interval of any statistic of `values`, one per target, over resampled sets of targets. Sets in
    which it is not defined (NaN) are left out; NaN where it is in none.

    Raises:
        ValueError: no value.
    """
    if len(values) == 0:
        raise ValueError("no value to resample")
    sampled = np.random.default_rng(seed).integers(len(values), size=(STATISTIC_RESAMPLES, len(values)))
    found = np.array([statistic([values[row] for row in rows]) for rows in sampled])
    found = found[~np.isnan(found)]
    if len(found) == 0:
        return float("nan"), float("nan")
    tail = 50 * (1 - COVERAGE)
    low, high = np.percentile(found, [tail, 100 - tail])
    return float(low), float(high)


def expected_calibration_error(
    predicted: Float[np.ndarray, " n"], true: Float[np.ndarray, " n"], bins: int = 20
) -> float:
    """Mean over the values of |mean predicted − mean true| of the bin that the prediction falls into.

    Guo et al., ICML 2017, eq. 3, for numbers between 0 and 1 instead of classes.
    """
    place = np.clip((predicted * bins).astype(int), 0, bins - 1)
    surplus = np.bincount(place, predicted - true, minlength=bins)
    return float(np.abs(surplus).sum() / len(predicted))


def reliability_slope(predicted: Float[np.ndarray, " n"], true: Float[np.ndarray, " n"]) -> float:
    """Slope of the least-squares line of the true values over the predicted: 1 where differences can be believed, less
    where they are exaggerated; NaN where the predictions are all the same."""
    variance = float(np.var(predicted))
    if variance == 0:
        return float("nan")
    return float(np.mean((predicted - predicted.mean()) * (true - true.mean())) / variance)


def pearson(predicted: Float[np.ndarray, " n"], true: Float[np.ndarray, " n"]) -> float:
    """Linear correlation; NaN where one of them does not vary."""
    scale = float(np.std(predicted) * np.std(true))
    if scale == 0:
        return float("nan")
    return float(np.mean((predicted - predicted.mean()) * (true - true.mean())) / scale)


def rank_correlation(predicted: Float[np.ndarray, " n"], true: Float[np.ndarray, " n"]) -> float:
    """Spearman's correlation; NaN where one of them does not vary."""
    if min(len(np.unique(predicted)), len(np.unique(true))) < 2:
        return float("nan")
    # Metrics that train need no scipy.
    from scipy.stats import spearmanr

    return float(spearmanr(predicted, true).statistic)
