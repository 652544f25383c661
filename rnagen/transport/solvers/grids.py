"""Time grids: where a solver with a fixed number of steps puts them."""

from collections.abc import Callable


def uniform(u: float) -> float:
    """Equal steps."""
    return u


def logarithmic(u: float) -> float:
    """1 − 10^(−2u), rescaled to end at 1: steps that shrink a hundredfold on the way, dense towards the data."""
    return (1 - 10 ** (-2 * u)) / (1 - 10**-2)


def quadratic(u: float) -> float:
    """u²: dense towards the noise."""
    return u * u


GRIDS: dict[str, Callable[[float], float]] = {
    "uniform": uniform,
    "logarithmic": logarithmic,
    "quadratic": quadratic,
}
"""The named grids: increasing maps of [0, 1] onto itself, from the share of the steps done to the share of the time."""


def time_grid(grid: str, steps: int, t0: float, t1: float) -> list[float]:
    """The steps + 1 times of a solve with `steps` steps; the first is t0 and the last is t1, exactly.

    Raises:
        ValueError: an unknown grid, or less than one step.
    """
    if grid not in GRIDS:
        raise ValueError(f"unknown time grid {grid!r}: choose one of {', '.join(GRIDS)}")
    if steps < 1:
        raise ValueError(f"a solver needs at least one step, not {steps}")
    return [t0, *(t0 + (t1 - t0) * GRIDS[grid](i / steps) for i in range(1, steps)), t1]
