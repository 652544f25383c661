"""Paired comparison of trainings: how much one setting gains over another, seed by seed and target by target."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from rnagen.metrics.statistics import COVERAGE, RESAMPLES, bootstrap_interval


@dataclass(frozen=True)
class PairedGain:
    """Differences of scores, each of the same target and the same seed."""

    gains: Float[np.ndarray, "seeds targets"]

    @property
    def mean(self) -> float:
        """Mean gain."""
        return float(self.gains.mean())

    @property
    def by_seed(self) -> Float[np.ndarray, " seeds"]:
        """Mean gain of each seed."""
        found: Float[np.ndarray, " seeds"] = self.gains.mean(1)
        return found

    def over_targets(self) -> tuple[float, float]:
        """95 % bootstrap interval: would other targets show the gain, with these trainings?"""
        return bootstrap_interval(self.gains.mean(0), 0)

    def over_seeds(self) -> tuple[float, float] | None:
        """95 % interval by Student's t, because a few seeds are too few to be resampled: would other trainings show the
        gain, on these targets? None for one seed."""
        seeds = len(self.gains)
        if seeds < 2:
            return None
        from scipy import stats

        half = stats.t.ppf((1 + COVERAGE) / 2, seeds - 1) * self.by_seed.std(ddof=1) / seeds**0.5
        return self.mean - half, self.mean + half

    def over_both(self) -> tuple[float, float]:
        """95 % bootstrap interval over resampled seeds and, independently, resampled targets."""
        rng = np.random.default_rng(0)
        seeds, targets = (rng.multinomial(n, np.full(n, 1 / n), RESAMPLES) / n for n in self.gains.shape)
        tail = 50 * (1 - COVERAGE)
        low, high = np.percentile(((seeds @ self.gains) * targets).sum(1), [tail, 100 - tail])
        return float(low), float(high)
