"""Solvers of the stochastic equation dx = [v + w(t)·s] dt + √(2·τ·w(t)) dW.

At temperature τ = 1 it has the marginals of dx = v dt for every w ≥ 0 (Song et al., arXiv:2011.13456; Ma et al., SiT,
arXiv:2401.08740): w only says how much of the noise is renewed on the way, which forgets the solver's earlier errors.
τ < 1 samples at low temperature, less diverse and nearer to the modes.
"""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

from jaxtyping import Float
from torch import Size, Tensor

from rnagen.transport.interpolants import Coefficients, Interpolant
from rnagen.transport.solvers.churn import Churn, coefficients_at
from rnagen.transport.solvers.grids import time_grid
from rnagen.transport.solvers.ode import Projection, Solution

SDE_METHODS = ("euler-maruyama", "sde-heun")
LAST_STEPS = ("none", "mean", "tweedie", "euler")

MAX_RENEWAL = 0.5
"""Largest dt·w/σ² of a step: the share of the noise in x that the score may remove (and fresh noise replace) at once.

Near the noise or the data the named w make the equation stiff (SBDM grows as 1/t, a constant w meets σ → 0), and from
dt·w/σ² = 2 an explicit step amplifies what it should damp. A smaller w has the same marginals, so that w is lowered
where a step is too long for it; at any time before the end it is untouched once the steps are short enough. With ½ a
chain of Euler–Maruyama steps holds at most 1/(1 − ¼) times the noise's variance, and 10 to 20 steps are sane for every
form.
"""


class Estimate(NamedTuple):
    """What one evaluation of the network says at x_t, each [n, ...]."""

    velocity: Tensor
    score: Tensor
    data: Tensor


EstimateFn = Callable[[Tensor, Tensor], Estimate]
"""(x [n, ...], t [n]) -> estimate"""


def constant(t: float, c: Coefficients) -> float:
    """1."""
    return 1.0


def sbdm(t: float, c: Coefficients) -> float:
    """σ²·α'/α − σ·σ', half of the g² of the reverse diffusion (Song et al., arXiv:2011.13456)."""
    return (c.sigma.square() * c.d_alpha / c.alpha - c.sigma * c.d_sigma).item()


def sigma(t: float, c: Coefficients) -> float:
    """σ."""
    return c.sigma.item()


def linear(t: float, c: Coefficients) -> float:
    """1 − t."""
    return 1 - t


def decreasing(t: float, c: Coefficients) -> float:
    """¼·(cos πt + 1)²."""
    return 0.25 * (math.cos(math.pi * t) + 1) ** 2


def increasing_decreasing(t: float, c: Coefficients) -> float:
    """sin² πt."""
    return math.sin(math.pi * t) ** 2


def annealed(t: float, c: Coefficients) -> float:
    """(1 − t)/(t + 0.01), and 0 for t ≥ 0.99: strong at first, none near the data, where the score is singular."""
    return (1 - t) / (t + 0.01) if t < 0.99 else 0.0


DIFFUSIONS: dict[str, Callable[[float, Coefficients], float]] = {
    "constant": constant,
    "sbdm": sbdm,
    "sigma": sigma,
    "linear": linear,
    "decreasing": decreasing,
    "increasing-decreasing": increasing_decreasing,
    "annealed": annealed,
}
"""The named diffusion coefficients w of a time and the path's coefficients there (Ma et al., SiT, arXiv:2401.08740)."""


def diffusion_coefficient(name: str, path: Interpolant) -> Callable[[float], float]:
    """w(t) of a named form on a path, which is evaluated in float64 at the clamped time: finite on all of [0, 1].

    Raises:
        ValueError: `name` is not in `DIFFUSIONS`.
    """
    if name not in DIFFUSIONS:
        raise ValueError(f"unknown diffusion {name!r}: choose one of {', '.join(DIFFUSIONS)}")
    form = DIFFUSIONS[name]
    return lambda t: form(t, coefficients_at(path, t))


def integrate_sde(
    estimate_fn: EstimateFn,
    x0: Float[Tensor, " n *dims"],
    draw_noise: Callable[[Size], Tensor],
    *,
    path: Interpolant,
    steps: int,
    diffusion: Callable[[float], float],
    method: str = "euler-maruyama",
    tau: float = 1.0,
    last_step: str = "tweedie",
    t0: float = 0.0,
    t1: float = 1.0,
    grid: str = "uniform",
    project: Projection | None = None,
    churn: Churn | None = None,
) -> Solution:
    """x(t1) of dx = [v + w·s] dt + √(2·τ·w) dW from x(t0) = x0.

    Within a step w is constant: w(start), lowered to `MAX_RENEWAL`·σ²/dt at the last time where the step takes the
    score. Euler–Maruyama has weak order 1. Heun adds the trapezoidal correction ½·dt·(drift at the end − drift at the
    start), with the same noise in the predicted end: weak order 2, because this noise is additive (Kloeden and Platen,
    Numerical Solution of Stochastic Differential Equations, chapter 15).

    Noise that no later step removes stays in the result, so that the last interval has rules of its own:
    "none", a step like the others; "mean", the Euler–Maruyama step without its noise; "tweedie", the expected data x̂1
    at the start of the interval, whatever t1 is; "euler", dx = v dt. The last three take one evaluation.

    Args:
        estimate_fn: takes x [n, ...] and t [n].
        x0: n samples.
        draw_noise: standard normal noise of the given shape, on x0's device; called once for each noisy step, of which
            there are `steps` with the last step "none" and one less otherwise.
        path: the path that the estimates belong to; its σ says where the equation is stiff.
        steps: number of steps N: N evaluations by Euler–Maruyama; 2N by Heun with the last step "none", else 2N − 1.
        diffusion: w(t) ≥ 0, for instance from `diffusion_coefficient`.
        method: one of `SDE_METHODS`.
        tau: temperature τ ≥ 0 of the noise.
        last_step: one of `LAST_STEPS`.
        t0: first time.
        t1: last time, later than t0.
        grid: spacing of the steps, one of `GRIDS`.
        project: applied after every step, for instance re-centring.
        churn: renoises the samples before every step but the first; the step then starts from the earlier time.

    Raises:
        ValueError: an unknown name, less than one step, a negative τ or w, or t1 ≤ t0.
    """
    for what, name, allowed in (("method", method, SDE_METHODS), ("last step", last_step, LAST_STEPS)):
        if name not in allowed:
            raise ValueError(f"unknown {what} {name!r}: choose one of {', '.join(allowed)}")
    if not tau >= 0:
        raise ValueError(f"the temperature tau is at least 0, not {tau}")
    if not t0 < t1:
        raise ValueError(f"the stochastic equation runs from noise to data, not from {t0} to {t1}")
    times = time_grid(grid, steps, t0, t1)
    evaluations = 0

    def estimate(x: Tensor, t: float) -> Estimate:
        nonlocal evaluations
        evaluations += 1
        return estimate_fn(x, x.new_full((len(x),), t))

    x = x0
    for i, (start, end) in enumerate(pairwise(times)):
        if churn is not None and i > 0:
            x, start = churn(x, start, end - start, t0)
        rule = last_step if i == steps - 1 else "none"
        dt = end - start
        here = estimate(x, start)
        if rule == "tweedie":
            x = here.data
        elif rule == "euler":
            x = x + dt * here.velocity
        else:
            two_stages = method == "sde-heun" and rule == "none"
            w = _lowered(diffusion(start), dt, coefficients_at(path, end if two_stages else start).sigma.item())
            drift = here.velocity + w * here.score
            x = x + dt * drift
            if rule == "none":
                x = x + (2 * tau * w * dt) ** 0.5 * draw_noise(x.shape)
            if two_stages:
                there = estimate(x, end)
                x = x + 0.5 * dt * (there.velocity + w * there.score - drift)
        x = x if project is None else project(x)
    return Solution(x, evaluations)


def _lowered(w: float, dt: float, sigma: float) -> float:
    """w where a step of length dt resolves it, else the largest that it does (see `MAX_RENEWAL`)."""
    if not w >= 0:
        raise ValueError(f"a diffusion coefficient is at least 0, not {w}")
    return min(w, MAX_RENEWAL * sigma**2 / dt)
