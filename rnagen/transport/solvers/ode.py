"""Solvers of the ordinary (probability-flow) equation dx/dt = v(x, t)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from rnagen.transport.checks import one_of
from rnagen.transport.flow import Problem, Slope, euler, velocity_at_start
from rnagen.transport.solvers.grids import FixedGrid
from rnagen.transport.solvers.solver import Solution


def _midpoint(problem: Problem, x: Tensor, start: float, end: float) -> Tensor:
    """Order 2, two evaluations, neither of them at the end of the step."""
    half = 0.5 * (end - start)
    first = problem.estimate(x, start).velocity
    return problem.estimate(x + half * first, start + half).velocity


def _heun(problem: Problem, x: Tensor, start: float, end: float) -> Tensor:
    """The explicit trapezoidal rule: order 2, two evaluations."""
    first = problem.estimate(x, start).velocity
    second = problem.estimate(x + (end - start) * first, end).velocity
    return 0.5 * (first + second)


def _rk4(problem: Problem, x: Tensor, start: float, end: float) -> Tensor:
    """The classical Runge–Kutta method: order 4, four evaluations."""
    half = 0.5 * (end - start)
    first = problem.estimate(x, start).velocity
    second = problem.estimate(x + half * first, start + half).velocity
    third = problem.estimate(x + half * second, start + half).velocity
    fourth = problem.estimate(x + (end - start) * third, end).velocity
    return (first + 2 * second + 2 * third + fourth) / 6


SLOPES: dict[str, Slope] = {"euler": velocity_at_start, "midpoint": _midpoint, "heun": _heun, "rk4": _rk4}
"""The explicit Runge–Kutta methods, by the mean velocity that each takes a step with (Hairer, Nørsett and Wanner,
Solving Ordinary Differential Equations I, II.1)."""

ODE_LAST_STEPS = ("none", "tweedie")


@dataclass(frozen=True)
class Ode(FixedGrid):
    """A Runge–Kutta method on a fixed grid.

    With N steps Euler takes N evaluations, midpoint and Heun 2N and RK4 4N; a last step "tweedie" takes one.

    Args:
        method: one of `SLOPES`.
        last_step: "tweedie", the expected data x̂1 at the start of the last interval; or "none", a step like the
            others. A stage at t = 1 would meet x with the σ of a clamped time and leave noise in the data.

    Raises:
        ValueError: an unknown name, or less than one step.
    """

    method: str = "euler"
    last_step: str = "tweedie"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("method", self.method, SLOPES)
        one_of("last step", self.last_step, ODE_LAST_STEPS)

    def solve(self, problem: Problem) -> Solution:
        """The problem's samples at `end`."""
        times, slope = self.times, SLOPES[self.method]
        if self.last_step == "none":
            return Solution(euler(problem, times, slope), problem.evaluations)
        x = euler(problem, times[:-1], slope)
        x = problem.project(problem.estimate(x, times[-2]).data)
        return Solution(x, problem.evaluations)


@dataclass(frozen=True)
class Dopri5:
    """Dormand–Prince 5(4), which chooses its own steps, one sample at a time.

    The step size follows the error norm of whatever is solved together: samples that are solved as one batch would
    depend on each other. The projection is applied to the result alone, because it would disturb the estimated error of
    a step, which decides on the size of the next.

    Args:
        atol: absolute tolerance.
        rtol: relative tolerance.
        start: first time.
        end: last time.
        last_step: "none"; or "tweedie", the expected data x̂1 at `end`, for paths that still hold noise there.
    """

    atol: float = 1e-5
    rtol: float = 1e-5
    start: float = 0.0
    end: float = 1.0
    last_step: str = "none"
    adaptive: ClassVar[bool] = True

    def __post_init__(self) -> None:
        one_of("last step", self.last_step, ODE_LAST_STEPS)

    def solve(self, problem: Problem) -> Solution:
        """The problem's samples at `end`, and the evaluations of the sample that needed most."""
        ends, most = [], 0
        for sample in problem.x0.split(1):
            before = problem.evaluations
            ends.append(
                dopri5(
                    lambda x, t: problem.estimate(x, t.item()).velocity,
                    sample,
                    (self.start, self.end),
                    self.atol,
                    self.rtol,
                )
            )
            most = max(most, problem.evaluations - before)
        x = torch.cat(ends)
        if self.last_step == "tweedie":
            x = problem.estimate(x, self.end).data
            most += 1
        return Solution(problem.project(x), most)


def dopri5(drift: Callable[[Any, Tensor], Any], state: Any, span: tuple[float, float], atol: float, rtol: float) -> Any:
    """The state, a tensor or a tuple of tensors, at the end of the span of d state/dt = drift(state, t).

    The time is clamped to the span: the last step is taken past the end and interpolated back, and beyond the end the
    path is undefined (σ of the VP path is NaN there).
    """
    # Imported here because only adaptive solvers need torchdiffeq.
    from torchdiffeq import odeint

    like = state if isinstance(state, Tensor) else state[0]

    def clamped(t: Tensor, state: Any) -> Any:
        return drift(state, t.clamp(min(span), max(span)).to(like.dtype))

    times = torch.tensor(span, dtype=like.dtype, device=like.device)
    solution = odeint(clamped, state, times, method="dopri5", atol=atol, rtol=rtol)
    return solution[-1] if isinstance(solution, Tensor) else tuple(values[-1] for values in solution)
