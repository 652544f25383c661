"""Solvers of the probability-flow equation dx/dt = v(x, t). They know nothing of paths, networks or training."""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torchdiffeq import odeint

VelocityFn = Callable[[Tensor, Tensor], Tensor]
"""v(x [n, ...], t [n]) -> [n, ...]"""
Projection = Callable[[Tensor], Tensor]


class Solution(NamedTuple):
    """The end of a solve, and what it cost."""

    x: Float[Tensor, " n *dims"]
    evaluations: int
    """Calls of the velocity; for dopri5, whose samples are solved one by one, the calls for the most costly sample."""


def uniform_grid(steps: int, t0: float, t1: float) -> list[float]:
    """`steps` + 1 equally spaced times."""
    return [t0 + (t1 - t0) * i / steps for i in range(steps)] + [t1]


GRIDS: dict[str, Callable[[int, float, float], list[float]]] = {"uniform": uniform_grid}


def time_grid(grid: str, steps: int, t0: float, t1: float) -> list[float]:
    """The steps + 1 times of a solve with `steps` steps, from t0 to t1.

    Raises:
        ValueError: an unknown grid, or less than one step.
    """
    if grid not in GRIDS:
        raise ValueError(f"unknown time grid {grid!r}: choose one of {', '.join(GRIDS)}")
    if steps < 1:
        raise ValueError(f"a solver needs at least one step, not {steps}")
    return GRIDS[grid](steps, t0, t1)


def _euler_step(velocity: Callable[[Tensor, float], Tensor], x: Tensor, t: float, dt: float) -> Tensor:
    return x + dt * velocity(x, t)


def _heun_step(velocity: Callable[[Tensor, float], Tensor], x: Tensor, t: float, dt: float) -> Tensor:
    """The explicit trapezoidal rule: order 2, two evaluations."""
    first = velocity(x, t)
    second = velocity(x + dt * first, t + dt)
    return x + 0.5 * dt * (first + second)


STEPS = {"euler": _euler_step, "heun": _heun_step}
"""One step of each method with a fixed grid."""

METHODS = (*STEPS, "dopri5")


def integrate(
    velocity_fn: VelocityFn,
    x0: Float[Tensor, " n *dims"],
    *,
    steps: int,
    method: str = "euler",
    t0: float = 0.0,
    t1: float = 1.0,
    grid: str = "uniform",
    project: Projection | None = None,
    atol: float = 1e-5,
    rtol: float = 1e-5,
) -> Solution:
    """x(t1) of dx/dt = velocity_fn(x, t) with x(t0) = x0.

    Args:
        velocity_fn: takes x [m, ...] and t [m]; dopri5 calls it with single samples, m = 1.
        x0: n independent samples.
        steps: number of steps N. Euler evaluates the velocity N times, Heun 2N times. dopri5 chooses its own steps.
        method: one of `METHODS`.
        t0: first time.
        t1: last time; no time outside [t0, t1] is ever evaluated.
        grid: spacing of the steps, one of `GRIDS`.
        project: applied after every step (for instance re-centring); by dopri5 to the result alone, because a
            multi-stage step that chooses its size by its own error must not be disturbed.
        atol: absolute tolerance of dopri5.
        rtol: relative tolerance of dopri5.

    Raises:
        ValueError: an unknown method or grid, or less than one step.
    """
    times = time_grid(grid, steps, t0, t1)
    if method == "dopri5":
        return _dopri5(velocity_fn, x0, t0, t1, project, atol, rtol)
    if method not in STEPS:
        raise ValueError(f"unknown method {method!r}: choose one of {', '.join(METHODS)}")
    evaluations = 0

    def velocity(x: Tensor, t: float) -> Tensor:
        nonlocal evaluations
        evaluations += 1
        return velocity_fn(x, x.new_full((len(x),), t))

    x = x0
    for start, end in pairwise(times):
        x = STEPS[method](velocity, x, start, end - start)
        x = x if project is None else project(x)
    return Solution(x, evaluations)


def _dopri5(
    velocity_fn: VelocityFn,
    x0: Tensor,
    t0: float,
    t1: float,
    project: Projection | None,
    atol: float,
    rtol: float,
) -> Solution:
    """Dormand–Prince 5(4) through torchdiffeq, one sample at a time.

    The step size follows the error norm of whatever is solved together: samples solved as one batch would depend on
    each other. Its last step is taken past t1 and interpolated back; the time is clamped, because beyond t1 there is no
    path (σ of the VP path is NaN there).
    """
    low, high = min(t0, t1), max(t0, t1)
    calls = 0

    def drift(t: Tensor, x: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return velocity_fn(x, t.clamp(low, high).to(x.dtype).expand(len(x)))

    span = torch.tensor([t0, t1], dtype=x0.dtype, device=x0.device)
    ends, most = [], 0
    for sample in x0.split(1):
        calls = 0
        ends.append(odeint(drift, sample, span, method="dopri5", atol=atol, rtol=rtol)[-1])
        most = max(most, calls)
    x = torch.cat(ends)
    return Solution(x if project is None else project(x), most)
