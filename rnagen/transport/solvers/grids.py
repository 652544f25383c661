"""Time grids: where a solver with a given number of steps puts them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from rnagen.transport.checks import at_least, one_of

GRIDS: dict[str, Callable[[float], float]] = {
    "uniform": lambda u: u,
    # Steps that shrink a hundredfold on the way: dense towards the data.
    "logarithmic": lambda u: (1 - 10 ** (-2 * u)) / (1 - 10**-2),
    # Dense towards the noise.
    "quadratic": lambda u: u * u,
}
"""The named grids: increasing maps of [0, 1] onto itself, from the share of the steps done to the share of the time."""


@dataclass(frozen=True)
class FixedGrid:
    """The options of every solver whose steps are laid out beforehand.

    Args:
        steps: number of steps N.
        grid: their spacing, one of `GRIDS`.
        start: first time.
        end: last time.

    Raises:
        ValueError: an unknown grid, or less than one step.
    """

    steps: int
    grid: str = "uniform"
    start: float = 0.0
    end: float = 1.0
    adaptive: ClassVar[bool] = False

    def __post_init__(self) -> None:
        one_of("time grid", self.grid, GRIDS)
        at_least("the number of steps", self.steps, 1)

    @property
    def times(self) -> list[float]:
        """The N + 1 times between the steps; the first is `start` and the last is `end`, exactly."""
        spacing, span = GRIDS[self.grid], self.end - self.start
        return [self.start, *(self.start + span * spacing(i / self.steps) for i in range(1, self.steps)), self.end]
