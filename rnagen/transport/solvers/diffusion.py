"""The discrete view of a variance-preserving path: Gaussian diffusion with ancestral (DDPM) and DDIM sampling.

Ho et al., arXiv:2006.11239; Song et al., DDIM, arXiv:2010.02502; the square-root schedule of Li et al.,
arXiv:2205.14217. A network that predicts noise on the continuous path needs no change: each level is a time.
"""

from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from rnagen.transport.checks import at_least
from rnagen.transport.flow import Problem
from rnagen.transport.interpolants import Interpolant, Sqrt, clamp_time
from rnagen.transport.solvers.solver import Solution


class Step(NamedTuple):
    """A normal distribution with the same variance along every axis."""

    mean: Tensor
    variance: float


@dataclass(frozen=True)
class GaussianDiffusion:
    """x_i = √ᾱ_i·x1 + √(1 − ᾱ_i)·ε at levels i = 0 (data) to `levels` (noise), with the marginals of a path.

    Level i has the time t = 1 − i/levels, inside `clamp_time`: of 1000 levels, the last two have the same time, and the
    step between them does nothing.

    Args:
        path: a variance-preserving interpolant, α² + σ² = 1.
        levels: number of noise levels T.

    Raises:
        ValueError: a path that does not preserve the variance, or less than one level.
    """

    path: Interpolant = field(default_factory=Sqrt)
    levels: int = 1000

    def __post_init__(self) -> None:
        at_least("the number of levels", self.levels, 1)
        c = self.path(self.times)
        if not torch.allclose(c.alpha.square() + c.sigma.square(), torch.ones_like(self.times)):
            name = type(self.path).__name__
            raise ValueError(f"discrete diffusion needs a variance-preserving path, which {name} is not")

    @cached_property
    def times(self) -> Float[Tensor, " levels_and_data"]:
        """Clamped times of levels 0 … T, float64."""
        # (T − i)/T rather than 1 − i/T: exact at the clamp, so that no step goes backwards by a rounding error.
        return clamp_time(torch.arange(self.levels, -1, -1, dtype=torch.float64) / self.levels)

    @cached_property
    def alpha_bars(self) -> Float[Tensor, " levels_and_data"]:
        """ᾱ of levels 0 … T, float64: exactly 1 at the data, α² of the path at all other levels."""
        alpha_bars = self.path(self.times).alpha.square()
        alpha_bars[0] = 1
        return alpha_bars

    def step(
        self, x_i: Float[Tensor, " n *dims"], noise: Float[Tensor, " n *dims"], i: int, j: int, eta: float
    ) -> Step:
        """From level i to j < i: √ᾱ_j·x̂1 + √(1 − ᾱ_j − v)·noise with variance v (Song et al., equation 12).

        x̂1 are the data that `noise` implies at x_i; at j = 0 the step is x̂1 with variance 0. η = 0 follows the
        probability flow without noise. η = 1 is the posterior q(x_j | x_i, x̂1) of DDPM (Ho et al., equations 6 and 7,
        with ᾱ_i/ᾱ_j in place of α_i).

        Raises:
            ValueError: not 0 ≤ j < i ≤ T.
        """
        if not 0 <= j < i <= self.levels:
            raise ValueError(f"a step goes down from level i to j with 0 ≤ j < i ≤ {self.levels}, not from {i} to {j}")
        bar_i, bar_j = self.alpha_bars[i].item(), self.alpha_bars[j].item()
        variance = eta**2 * (1 - bar_j) / (1 - bar_i) * (1 - bar_i / bar_j)
        data = (x_i - (1 - bar_i) ** 0.5 * noise) / bar_i**0.5
        return Step(bar_j**0.5 * data + (1 - bar_j - variance) ** 0.5 * noise, variance)


@dataclass(frozen=True)
class Ddim:
    """The reverse chain over some of the levels, one evaluation each: DDIM, and with η = 1 DDPM.

    The last step ends on the network's estimate x̂1, without noise. The spread of the data given the last level visited
    is then missing, and the square-root schedule is noisy there: 1 − ᾱ is 0.03 at level 1 and 0.1 at level 10. On a
    Gaussian with a perfect network and η = 1, 1000 steps sample 95 % of the variance, 100 steps 86 % and 10 steps 61 %.

    Args:
        steps: number of steps N, at most the number of levels.
        eta: share of the noise, from 0 (DDIM, deterministic) to 1 (DDPM).
        tau: temperature τ ≥ 0, a factor on the variance of the noise that a step adds.
        levels: number of noise levels T.

    Raises:
        ValueError: a number of steps not in 1 … T, a negative τ, or an η outside [0, 1].
    """

    steps: int
    eta: float = 0.0
    tau: float = 1.0
    levels: int = 1000
    adaptive: ClassVar[bool] = False
    start: ClassVar[float] = 0.0
    last_step: ClassVar[str] = "tweedie"

    def __post_init__(self) -> None:
        at_least("the temperature tau", self.tau, 0)
        if not 1 <= self.steps <= self.levels:
            raise ValueError(
                f"a diffusion of {self.levels} levels is sampled in 1 to {self.levels} steps, not {self.steps}"
            )
        if not 0 <= self.eta <= 1:
            raise ValueError(f"eta must be from 0 (ddim) to 1 (ddpm), not {self.eta}")

    @property
    def visited(self) -> list[int]:
        """N + 1 evenly spaced levels, strictly decreasing from T to 0."""
        return [self.levels * k // self.steps for k in range(self.steps, -1, -1)]

    def solve(self, problem: Problem) -> Solution:
        """The data at the end of the chain.

        Raises:
            ValueError: the problem's path does not preserve the variance.
        """
        diffusion, x = GaussianDiffusion(problem.path, self.levels), problem.x0
        for i, j in pairwise(self.visited):
            noise = problem.estimate(x, diffusion.times[i].item()).noise
            step = diffusion.step(x, noise, i, j, self.eta)
            x = step.mean
            if step.variance > 0:
                x = x + (self.tau * step.variance) ** 0.5 * problem.draw_noise(x.shape)
            x = problem.project(x)
        return Solution(x, problem.evaluations)
