"""Solvers of the probability-flow equation dx/dt = v(x, t). They know nothing of paths, networks or training."""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from rnagen.transport.solvers.churn import Churn
from rnagen.transport.solvers.grids import time_grid

VelocityFn = Callable[[Tensor, Tensor], Tensor]
"""v(x [n, ...], t [n]) -> [n, ...]"""
FinishFn = Callable[[Tensor, Tensor], Tensor]
"""x̂1(x [n, ...], t [n]) -> [n, ...]: the expected data"""
Projection = Callable[[Tensor], Tensor]


class Solution(NamedTuple):
    """The end of a solve, and what it cost."""

    x: Float[Tensor, " n *dims"]
    evaluations: int
    """Calls of the network; for dopri5, whose samples are solved one by one, the calls for the most costly sample."""


VelocityAt = Callable[[Tensor, float], Tensor]


def _euler_step(velocity: VelocityAt, x: Tensor, start: float, end: float) -> Tensor:
    """Order 1, one evaluation."""
    return x + (end - start) * velocity(x, start)


def _midpoint_step(velocity: VelocityAt, x: Tensor, start: float, end: float) -> Tensor:
    """Order 2, two evaluations; none at the end of the step."""
    dt = end - start
    return x + dt * velocity(x + 0.5 * dt * velocity(x, start), start + 0.5 * dt)


def _heun_step(velocity: VelocityAt, x: Tensor, start: float, end: float) -> Tensor:
    """The explicit trapezoidal rule: order 2, two evaluations."""
    dt = end - start
    first = velocity(x, start)
    second = velocity(x + dt * first, end)
    return x + 0.5 * dt * (first + second)


def _rk4_step(velocity: VelocityAt, x: Tensor, start: float, end: float) -> Tensor:
    """The classical Runge–Kutta method: order 4, four evaluations."""
    dt = end - start
    middle = start + 0.5 * dt
    first = velocity(x, start)
    second = velocity(x + 0.5 * dt * first, middle)
    third = velocity(x + 0.5 * dt * second, middle)
    fourth = velocity(x + dt * third, end)
    return x + dt / 6 * (first + 2 * second + 2 * third + fourth)


STEPS = {"euler": _euler_step, "midpoint": _midpoint_step, "heun": _heun_step, "rk4": _rk4_step}
"""One step, from start to end, of each method with a fixed grid (Hairer, Nørsett and Wanner, Solving ODEs I, II.1)."""

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
    finish: FinishFn | None = None,
    churn: Churn | None = None,
    atol: float = 1e-5,
    rtol: float = 1e-5,
) -> Solution:
    """x(t1) of dx/dt = velocity_fn(x, t) with x(t0) = x0.

    Args:
        velocity_fn: takes x [m, ...] and t [m]; dopri5 calls it with single samples, m = 1.
        x0: n independent samples.
        steps: number of steps N: N evaluations by Euler, 2N by midpoint and Heun, 4N by RK4. dopri5 chooses its own.
        method: one of `METHODS`.
        t0: first time.
        t1: last time; no time outside [t0, t1] is ever evaluated.
        grid: spacing of the steps, one of `GRIDS`.
        project: applied after every step (for instance re-centring); by dopri5 to the result alone, because a
            multi-stage step that chooses its size by its own error must not be disturbed.
        finish: the expected data x̂1 at (x [n, ...], t [n]), taken in place of the last step at its start, where it
            costs one evaluation; by dopri5 after its end at t1, as one evaluation more. For paths that still hold
            noise at their end.
        churn: renoises the samples before every step but the first; the step then starts from the earlier time.
        atol: absolute tolerance of dopri5.
        rtol: relative tolerance of dopri5.

    Raises:
        ValueError: an unknown method or grid, less than one step, or churn with dopri5 or towards the noise (t1 < t0).
    """
    times = time_grid(grid, steps, t0, t1)
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}: choose one of {', '.join(METHODS)}")
    if churn is not None and (method == "dopri5" or t1 < t0):
        raise ValueError(
            "churn needs a fixed grid: it does not go with dopri5"
            if method == "dopri5"
            else f"churn goes with solves from noise to data, not from {t0} to {t1}"
        )
    if method == "dopri5":
        return _dopri5(velocity_fn, x0, t0, t1, project, finish, atol, rtol)
    evaluations = 0

    def velocity(x: Tensor, t: float) -> Tensor:
        nonlocal evaluations
        evaluations += 1
        return velocity_fn(x, x.new_full((len(x),), t))

    x = x0
    for i, (start, end) in enumerate(pairwise(times)):
        if churn is not None and i > 0:
            x, start = churn(x, start, end - start, t0)
        if finish is not None and i == steps - 1:
            x = finish(x, x.new_full((len(x),), start))
            evaluations += 1
        else:
            x = STEPS[method](velocity, x, start, end)
        x = x if project is None else project(x)
    return Solution(x, evaluations)


def _dopri5(
    velocity_fn: VelocityFn,
    x0: Tensor,
    t0: float,
    t1: float,
    project: Projection | None,
    finish: FinishFn | None,
    atol: float,
    rtol: float,
) -> Solution:
    """Dormand–Prince 5(4) through torchdiffeq, one sample at a time.

    The step size follows the error norm of whatever is solved together: samples solved as one batch would depend on
    each other. Its last step is taken past t1 and interpolated back; the time is clamped, because beyond t1 there is no
    path (σ of the VP path is NaN there).
    """
    # Only what integrates adaptively needs torchdiffeq.
    from torchdiffeq import odeint

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
    if finish is not None:
        x = finish(x, x.new_full((len(x),), t1))
        most += 1
    return Solution(x if project is None else project(x), most)
