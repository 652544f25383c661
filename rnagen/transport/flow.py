"""Flow matching on one page: a path from noise to data, what a network predicts on it, and two ways to sample.

    x_t = α(t)·x1 + σ(t)·x0         noise x0 ~ N(0, I) at t = 0, data x1 at t = 1
    u_t = α'(t)·x1 + σ'(t)·x0       its velocity

Training: `Transport.interpolate` makes x_t, the network predicts, and `Transport.loss` compares its output with
`Transport.target`. Sampling: `Transport.estimate` turns the output into velocity and score, and `euler` (dx = v dt) or
`euler_maruyama` (the same with a score term and noise) carries x from noise to data. `interpolants.py` has the formulas
of the paths, `solvers/` the solvers with their options, `sampler.py` joins a solver and a trained network.
(Lipman et al., arXiv:2210.02747; Ma et al., SiT, arXiv:2401.08740.)
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rnagen.transport.checks import one_of
from rnagen.transport.interpolants import PATHS, Coefficients, Interpolant, Linear, clamp_time, time_of_alpha

LOSS_WEIGHTS = ("none", "velocity", "likelihood")
NOISE_START = 0.1
"""α at which sampling begins for networks that predict noise or score: the estimated data divide their errors by α.
Conformers sampled from t = 0 were worse than random walks."""


class Estimate(NamedTuple):
    """A prediction at x_t in all of its forms, each of the shape of x_t.

    x_t = α·x1 + σ·x0 and one form determine the two ends x1 and x0, and these determine the other forms
    (Ma et al., SiT, arXiv:2401.08740; Kingma and Gao, arXiv:2303.00848).
    """

    velocity: Tensor
    """v = α'·x1 + σ'·x0"""
    noise: Tensor
    """x0"""
    score: Tensor
    """∇ log p_t(x_t) = −x0 / σ"""
    data: Tensor
    """x1"""

    @classmethod
    def of_ends(cls, data: Float[Tensor, " B *dims"], noise: Float[Tensor, " B *dims"], c: Coefficients) -> "Estimate":
        """All forms of the prediction that consists of these two ends."""
        _, sigma, d_alpha, d_sigma = c.expand_to(data)
        return cls(d_alpha * data + d_sigma * noise, noise, -noise / sigma, data)

    @classmethod
    def of_prediction(
        cls,
        kind: str,
        prediction: Float[Tensor, " B *dims"],
        x_t: Float[Tensor, " B *dims"],
        c: Coefficients,
    ) -> "Estimate":
        """All forms of a prediction of one kind; that kind itself stays the same tensor.

        Raises:
            ValueError: `kind` is not in `PREDICTIONS`.
        """
        one_of("prediction", kind, PREDICTIONS)
        alpha, sigma, d_alpha, d_sigma = c.expand_to(x_t)
        if kind == "velocity":
            # Cramer's rule on [α σ; α' σ'] [x1; x0] = [x_t; v].
            determinant = alpha * d_sigma - sigma * d_alpha
            data = (d_sigma * x_t - sigma * prediction) / determinant
            noise = (alpha * prediction - d_alpha * x_t) / determinant
        elif kind == "noise":
            data, noise = (x_t - sigma * prediction) / alpha, prediction
        elif kind == "score":
            data, noise = (x_t + sigma.square() * prediction) / alpha, -sigma * prediction
        else:
            data, noise = prediction, (x_t - alpha * prediction) / sigma
        return cls.of_ends(data, noise, c)._replace(**{kind: prediction})


PREDICTIONS = Estimate._fields
"""What a network may predict."""


class TrainingPair(NamedTuple):
    """A point of a path and the velocity there, with what they were made of."""

    x_t: Float[Tensor, " B *dims"]
    u_t: Float[Tensor, " B *dims"]
    x1: Float[Tensor, " B *dims"]
    x0: Float[Tensor, " B *dims"]
    t: Float[Tensor, " B"]
    """The clamped times at which x_t was made; the network must be given these."""


class Transport:
    """The flow from noise (t = 0) to data (t = 1) along a named path, for a network that predicts a named quantity.

    Times are [B] and broadcast over the trailing axes of x [B, ...]. Paths are evaluated at times inside `clamp_time`.

    Args:
        path: one of `PATHS`.
        prediction: what the network outputs, one of `PREDICTIONS`.
        loss_weight: "none"; or "velocity" or "likelihood", for noise and score predictions (see `loss`).

    Raises:
        ValueError: an unknown name, or a loss weight that is not defined for the prediction.
    """

    def __init__(self, path: str = "Linear", prediction: str = "velocity", loss_weight: str = "none") -> None:
        one_of("path", path, PATHS)
        one_of("prediction", prediction, PREDICTIONS)
        one_of("loss weight", loss_weight, LOSS_WEIGHTS)
        divides_by_alpha = prediction in ("noise", "score")
        if loss_weight != "none" and not divides_by_alpha:
            raise ValueError(f"loss weight {loss_weight!r} is for noise and score predictions, not for {prediction!r}")
        self.path = PATHS[path]
        self.prediction = prediction
        self.loss_weight = loss_weight
        self.closes = float(self.path(torch.ones(())).sigma) < 1e-3
        """Whether the path ends at the data. If it does not, sampling must end with the estimate of the data."""
        self.start = time_of_alpha(self.path, NOISE_START) if divides_by_alpha else 0.0
        """Time at which sampling begins, from noise of the path's σ there."""

    def coefficients(self, t: Float[Tensor, " B"]) -> Coefficients:
        """α, σ, α', σ' at the clamped times, each [B]."""
        return self.path(clamp_time(t))

    def interpolate(
        self, x1: Float[Tensor, " B *dims"], x0: Float[Tensor, " B *dims"], t: Float[Tensor, " B"]
    ) -> TrainingPair:
        """x_t = α·x1 + σ·x0 and u_t = α'·x1 + σ'·x0 for data x1, noise x0 and times t."""
        t = clamp_time(t)
        alpha, sigma, d_alpha, d_sigma = self.path(t).expand_to(x1)
        return TrainingPair(alpha * x1 + sigma * x0, d_alpha * x1 + d_sigma * x0, x1, x0, t)

    def target(
        self, x1: Float[Tensor, " B *dims"], x0: Float[Tensor, " B *dims"], t: Float[Tensor, " B"]
    ) -> Float[Tensor, " B *dims"]:
        """What the network should predict between data x1 and noise x0 at times t."""
        return getattr(Estimate.of_ends(x1, x0, self.coefficients(t)), self.prediction)

    @torch.no_grad()
    def aligned_target(
        self, prediction: Float[Tensor, " B *dims"], pair: TrainingPair, align: Callable[[Tensor, Tensor], Tensor]
    ) -> Float[Tensor, " B *dims"]:
        """The target for the same noise, with the data moved by `align(x1, x̂1)` onto the predicted data x̂1.

        A network that is not equivariant then need not guess the pose. Noise and score targets do not contain
        the data and stay as they are. No gradient flows through the target.
        """
        return self.target(align(pair.x1, self.estimate(prediction, pair.x_t, pair.t).data), pair.x0, pair.t)

    def loss(
        self,
        prediction: Float[Tensor, " B *dims"],
        target: Float[Tensor, " B *dims"],
        mask: Bool[Tensor, " B ..."],
        t: Float[Tensor, " B"],
    ) -> Float[Tensor, " B"]:
        """Mean squared error of each sample over its unmasked elements, times the loss weight; 0 if all are masked.

        `mask` covers the leading axes of the prediction and holds for all trailing ones. Float32 or better.

        A score error is scaled by σ, so that score and noise networks minimise the same loss. With the diffusion
        variance g = σ²·α'/α − σ·σ' the weights are (g/σ)² for "velocity", which makes it the velocity loss, and
        g/σ² for "likelihood" (Ma et al., SiT, arXiv:2401.08740).
        """
        c = self.coefficients(t)
        error = prediction.to(target.dtype) - target
        if self.prediction == "score":
            error = error * c.expand_to(error).sigma
        counted = mask.reshape(mask.shape + (1,) * (error.ndim - mask.ndim)).expand(error.shape).flatten(1)
        square = torch.where(counted, error.flatten(1).square(), 0.0)
        mean = square.sum(1) / counted.sum(1).clamp(min=1)
        variance = c.sigma.square() * c.d_alpha / c.alpha - c.sigma * c.d_sigma
        if self.loss_weight == "velocity":
            return mean * (variance / c.sigma).square()
        if self.loss_weight == "likelihood":
            return mean * variance / c.sigma.square()
        return mean

    def estimate(
        self,
        prediction: Float[Tensor, " B *dims"],
        x_t: Float[Tensor, " B *dims"],
        t: Float[Tensor, " B"],
        kind: str | None = None,
    ) -> Estimate:
        """The network's output at x_t in all of its forms; `kind` if it is not the transport's own prediction."""
        return Estimate.of_prediction(kind or self.prediction, prediction, x_t, self.coefficients(t))


EstimateFn = Callable[[Tensor, Tensor], Estimate]
"""(x [n, ...], t [n]) -> estimate"""
NoiseFn = Callable[[torch.Size], Tensor]
"""Standard normal noise of the given shape, on the samples' device"""
Projection = Callable[[Tensor], Tensor]


def no_noise(shape: torch.Size) -> Tensor:
    """The source of noise of a problem without one."""
    raise ValueError("this solver adds noise, and the problem has no source of noise")


def unchanged(x: Tensor) -> Tensor:
    """The projection of a problem without one."""
    return x


@dataclass
class Problem:
    """What a solver is given: where to start, and the equations to follow."""

    estimate_fn: EstimateFn
    x0: Float[Tensor, " n *dims"]
    """n independent samples at the first time."""
    draw_noise: NoiseFn = no_noise
    project: Projection = unchanged
    """Applied after every step, for instance re-centring."""
    path: Interpolant = field(default_factory=Linear)
    """The path that the estimates belong to."""
    evaluations: int = 0
    """Calls of `estimate_fn` so far."""

    def estimate(self, x: Float[Tensor, " n *dims"], t: float) -> Estimate:
        """The estimate at x, with all samples at time t."""
        self.evaluations += 1
        return self.estimate_fn(x, x.new_full((len(x),), t))


Slope = Callable[[Problem, Tensor, float, float], Tensor]
"""(problem, x at start, start, end) -> mean velocity from start to end"""


def velocity_at_start(problem: Problem, x: Tensor, start: float, end: float) -> Tensor:
    """The slope of Euler's method; those of higher order are in `solvers/ode.py`."""
    return problem.estimate(x, start).velocity


def euler(problem: Problem, times: list[float], slope: Slope = velocity_at_start) -> Float[Tensor, " n *dims"]:
    """Follow the ordinary equation dx = v dt through the given times."""
    x = problem.x0
    for start, end in pairwise(times):
        x = x + (end - start) * slope(problem, x, start, end)
        x = problem.project(x)
    return x


def euler_maruyama(
    problem: Problem, times: list[float], w: Callable[[float, float], float], tau: float
) -> Float[Tensor, " n *dims"]:
    """Follow the stochastic equation dx = [v + w·s] dt + √(2·τ·w) dW through the given times.

    For τ = 1 and any w ≥ 0 it has the marginals of dx = v dt: w is how fast noise is renewed on the way, which forgets
    the solver's earlier errors. `w(start, end)` is constant during a step. τ < 1 samples nearer to the modes.
    """
    x = problem.x0
    for start, end in pairwise(times):
        dt, rate, here = end - start, w(start, end), problem.estimate(x, start)
        x = x + dt * (here.velocity + rate * here.score)
        x = x + (2 * tau * rate * dt) ** 0.5 * problem.draw_noise(x.shape)
        x = problem.project(x)
    return x
