"""Solver of the stochastic equation with the marginals of the flow (at temperature τ = 1)."""

from collections.abc import Callable
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from rnagen.transport.solvers import Projection, Solution, time_grid

VelocityScoreFn = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""(v, s)(x [n, ...], t [n]): velocity and score, from one evaluation of the network."""


def annealed(t: float) -> float:
    """w = (1 − t)/(t + 0.01), and 0 for t ≥ 0.99: strong at first, none near the data, where the score is singular."""
    return (1 - t) / (t + 0.01) if t < 0.99 else 0.0


DIFFUSIONS: dict[str, Callable[[float], float]] = {"annealed": annealed}
"""The named diffusion coefficients w(t)."""


def integrate_sde(
    velocity_score_fn: VelocityScoreFn,
    x0: Float[Tensor, " n *dims"],
    draw_noise: Callable[[torch.Size], Tensor],
    *,
    steps: int,
    tau: float = 1.0,
    diffusion: str = "annealed",
    t0: float = 0.0,
    t1: float = 1.0,
    grid: str = "uniform",
    project: Projection | None = None,
) -> Solution:
    """x(t1) of dx = [v + w(t)·s] dt + √(2·τ·w(t)) dW by Euler–Maruyama, N evaluations for N steps.

    With τ = 1 and any w ≥ 0 the marginals are those of dx = v dt (Song et al., arXiv:2011.13456; Ma et al., SiT,
    arXiv:2401.08740); τ < 1 samples at low temperature, less diverse and nearer to the modes.

    The last step is dx = v dt, without score and noise: noise that no later step removes would stay in the result. On
    the Linear path that step ends exactly on the network's estimate of the data.

    Args:
        velocity_score_fn: takes x [n, ...] and t [n].
        x0: n samples.
        draw_noise: standard normal noise of the given shape, on x0's device; called steps − 1 times.
        steps: number of steps N. The annealed form is stiff at t = 0: use 20 or more.
        tau: temperature τ ≥ 0 of the noise.
        diffusion: one of `DIFFUSIONS`.
        t0: first time.
        t1: last time.
        grid: spacing of the steps, one of `GRIDS`.
        project: applied after every step, for instance re-centring.

    Raises:
        ValueError: an unknown name, less than one step, or a negative τ.
    """
    if diffusion not in DIFFUSIONS:
        raise ValueError(f"unknown diffusion {diffusion!r}: choose one of {', '.join(DIFFUSIONS)}")
    if not tau >= 0:
        raise ValueError(f"the temperature tau is at least 0, not {tau}")
    times = time_grid(grid, steps, t0, t1)
    x = x0
    for i, (start, end) in enumerate(pairwise(times)):
        dt = end - start
        velocity, score = velocity_score_fn(x, x.new_full((len(x),), start))
        if i == steps - 1:
            x = x + dt * velocity
        else:
            w = DIFFUSIONS[diffusion](start)
            x = x + dt * (velocity + w * score) + (2 * tau * w * dt) ** 0.5 * draw_noise(x.shape)
        x = x if project is None else project(x)
    return Solution(x, steps)
