"""Solvers of the stochastic equation dx = [v + w(t)·s] dt + √(2·τ·w(t)) dW.

At temperature τ = 1 it has the marginals of dx = v dt for every w ≥ 0 (Song et al., arXiv:2011.13456; Ma et al., SiT,
arXiv:2401.08740).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from rnagen.transport.checks import at_least, one_of
from rnagen.transport.flow import Problem, euler_maruyama
from rnagen.transport.interpolants import Coefficients, Interpolant, clamp_time
from rnagen.transport.solvers.grids import FixedGrid
from rnagen.transport.solvers.solver import Solution

LAST_STEPS = ("none", "mean", "tweedie", "euler")

MAX_RENEWAL = 0.5
"""Largest dt·w/σ² of a step: the share of the noise in x that the score may remove (and fresh noise replace) at once.

Near the noise or the data the named w make the equation stiff (SBDM grows as 1/t, a constant w meets σ → 0), and from
dt·w/σ² = 2 an explicit step amplifies what it should damp. A smaller w has the same marginals, so that w is lowered
if a step is too long for it; at any time before the end it is untouched once the steps are short enough. With ½ a
chain of Euler–Maruyama steps holds at most 1/(1 − ¼) times the noise's variance, and 10 to 20 steps are sane for every
form.
"""


DIFFUSIONS: dict[str, Callable[[float, Coefficients], float]] = {
    "constant": lambda t, c: 1.0,
    # Half of the g² of the reverse diffusion (Song et al., arXiv:2011.13456).
    "sbdm": lambda t, c: (c.sigma.square() * c.d_alpha / c.alpha - c.sigma * c.d_sigma).item(),
    "sigma": lambda t, c: c.sigma.item(),
    "linear": lambda t, c: 1 - t,
    "decreasing": lambda t, c: 0.25 * (math.cos(math.pi * t) + 1) ** 2,
    "increasing-decreasing": lambda t, c: math.sin(math.pi * t) ** 2,
    # Strong at first, none near the data, where the score is singular.
    "annealed": lambda t, c: (1 - t) / (t + 0.01) if t < 0.99 else 0.0,
}
"""The named diffusion coefficients w of a time and the path's coefficients there (Ma et al., SiT, arXiv:2401.08740)."""


def coefficients_at(path: Interpolant, t: float) -> Coefficients:
    """α, σ, α', σ' of one time, moved inside `clamp_time`; float64 scalars."""
    return path(clamp_time(torch.tensor(t, dtype=torch.float64)))


@dataclass(frozen=True)
class EulerMaruyama(FixedGrid):
    """Euler–Maruyama steps on a fixed grid: weak order 1, one evaluation each.

    Noise that no later step removes stays in the result, so that the last interval has a rule of its own. Except for
    "none" it takes one evaluation and no noise.

    Args:
        tau: temperature τ ≥ 0 of the noise; below 1 samples are less diverse and nearer to the modes.
        diffusion: the form of w, one of `DIFFUSIONS`. During a step w is constant: its value at the start, lowered to
            `MAX_RENEWAL`·σ²/dt at the last time at which the step takes the score.
        last_step: "none", a step like the others; "mean", a step without its noise; "tweedie", the expected data x̂1 at
            the start of the interval; "euler", a step of dx = v dt.

    Raises:
        ValueError: an unknown name, less than one step, a negative τ, or an end that is not later than the start.
    """

    tau: float = 1.0
    diffusion: str = "annealed"
    last_step: str = "tweedie"

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("the temperature tau", self.tau, 0)
        one_of("diffusion form", self.diffusion, DIFFUSIONS)
        one_of("last step", self.last_step, LAST_STEPS)
        if not self.start < self.end:
            raise ValueError(f"a stochastic equation runs from noise to data, not from {self.start} to {self.end}")

    def w(self, path: Interpolant, t: float) -> float:
        """w(t) of the form on a path, evaluated at the clamped time: finite on all of [0, 1]."""
        return DIFFUSIONS[self.diffusion](t, coefficients_at(path, t))

    def lowered(self, path: Interpolant, start: float, end: float, last: float) -> float:
        """w(start), lowered until a step to `end` that takes the score until `last` resolves it (see `MAX_RENEWAL`)."""
        return min(self.w(path, start), MAX_RENEWAL * coefficients_at(path, last).sigma.item() ** 2 / (end - start))

    def solve(self, problem: Problem) -> Solution:
        """The problem's samples at `end`."""
        times = self.times
        if self.last_step == "none":
            return Solution(self.noisy_steps(problem, times), problem.evaluations)
        x, start, dt = self.noisy_steps(problem, times[:-1]), times[-2], times[-1] - times[-2]
        here = problem.estimate(x, start)
        if self.last_step == "tweedie":
            x = here.data
        elif self.last_step == "euler":
            x = x + dt * here.velocity
        else:
            x = x + dt * (here.velocity + self.lowered(problem.path, start, times[-1], start) * here.score)
        return Solution(problem.project(x), problem.evaluations)

    def noisy_steps(self, problem: Problem, times: list[float]) -> Tensor:
        """The samples at the last of the times."""
        return euler_maruyama(
            problem, times, lambda start, end: self.lowered(problem.path, start, end, start), self.tau
        )


@dataclass(frozen=True)
class SdeHeun(EulerMaruyama):
    """Heun's method for the stochastic equation: weak order 2, two evaluations a step.

    To an Euler–Maruyama step it adds the trapezoidal correction ½·dt·(drift at the end − drift at the start), with the
    same noise in the predicted end: the noise is additive (Kloeden and Platen, Numerical Solution of Stochastic
    Differential Equations, chapter 15).
    """

    def noisy_steps(self, problem: Problem, times: list[float]) -> Tensor:
        """The samples at the last of the times."""
        x = problem.x0
        for start, end in pairwise(times):
            dt, w, here = end - start, self.lowered(problem.path, start, end, end), problem.estimate(x, start)
            drift = here.velocity + w * here.score
            x = x + dt * drift
            x = x + (2 * self.tau * w * dt) ** 0.5 * problem.draw_noise(x.shape)
            there = problem.estimate(x, end)
            x = x + 0.5 * dt * (there.velocity + w * there.score - drift)
            x = problem.project(x)
        return x
