"""Interpolants: the paths x_t = α(t)·x1 + σ(t)·x0 from noise x0 at t = 0 to data x1 at t = 1.

An interpolant is a callable from times to `Coefficients`; nothing else in this package knows a path's formula. The
general form is that of stochastic interpolants (Albergo et al., arXiv:2303.08797; Ma et al., SiT, arXiv:2401.08740).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

T_EPS = 1e-3
"""Times closer than this to 0 or 1 are moved to this distance before a path is evaluated (see `clamp_time`)."""


def clamp_time(t: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """`t` moved into [T_EPS, 1 − T_EPS]. Only here are the singular ends handled.

    At the ends the conversions between predictions divide by α(0) = 0 or σ(1) = 0, and σ'(1) of the VP path is
    infinite. At a distance of T_EPS all are finite and amplify a network's error at most a thousandfold. A velocity
    prediction needs no conversion, so an ordinary differential equation solved with it runs from 0 to 1 exactly.
    """
    return t.clamp(T_EPS, 1 - T_EPS)


class Coefficients(NamedTuple):
    """α, σ and their derivatives in t, each of the shape of t."""

    alpha: Tensor
    sigma: Tensor
    d_alpha: Tensor
    d_sigma: Tensor

    def expand_to(self, x: Tensor) -> "Coefficients":
        """The coefficients of times [B] with trailing axes of size 1, ready to multiply x [B, ...]."""
        return Coefficients(*(c.reshape(c.shape + (1,) * (x.ndim - c.ndim)) for c in self))


@dataclass(frozen=True)
class Linear:
    """Straight lines: α = t, σ = 1 − t (Lipman et al., arXiv:2210.02747; Liu et al., arXiv:2209.03003)."""

    def __call__(self, t: Float[Tensor, "*shape"]) -> Coefficients:
        return Coefficients(t, 1 - t, torch.ones_like(t), -torch.ones_like(t))


@dataclass(frozen=True)
class GVP:
    """Variance preserving on the circle: α = sin(πt/2), σ = cos(πt/2) (Albergo et al., arXiv:2303.08797)."""

    def __call__(self, t: Float[Tensor, "*shape"]) -> Coefficients:
        half_pi = math.pi / 2
        alpha, sigma = (half_pi * t).sin(), (half_pi * t).cos()
        return Coefficients(alpha, sigma, half_pi * sigma, -half_pi * alpha)


@dataclass(frozen=True)
class VP:
    """Variance-preserving diffusion with a linear β: α = exp(ℓ), ℓ = −¼(1−t)²(β₁−β₀) − ½(1−t)β₀, σ = √(1 − α²).

    Song et al., arXiv:2011.13456, appendix C, with time reversed. α(0) = 0.0066 is not quite 0; σ'(1) is infinite.
    """

    beta_min: float = 0.1
    beta_max: float = 20.0

    def __call__(self, t: Float[Tensor, "*shape"]) -> Coefficients:
        s, span = 1 - t, self.beta_max - self.beta_min
        log_alpha = -0.25 * s.square() * span - 0.5 * s * self.beta_min
        d_log_alpha = 0.5 * s * span + 0.5 * self.beta_min
        alpha = log_alpha.exp()
        sigma = (-torch.expm1(2 * log_alpha)).sqrt()
        return Coefficients(alpha, sigma, d_log_alpha * alpha, -d_log_alpha * alpha.square() / sigma)


@dataclass(frozen=True)
class Sqrt:
    """Variance-preserving diffusion with the square-root schedule: ᾱ = 1 − √(1 − t + offset), α = √ᾱ, σ = √(1 − ᾱ).

    Li et al., Diffusion-LM, arXiv:2205.14217, appendix A, in continuous time; its 1000 levels are `GaussianDiffusion`.
    The noise rises steeply near the data. σ(1) = 0.1: the path does not close, so a sampler ends with the estimate of
    the data instead of a step. ᾱ would be slightly negative at t = 0; at the clamped times it is positive.
    """

    offset: float = 1e-4

    def __call__(self, t: Float[Tensor, "*shape"]) -> Coefficients:
        root = (1 - t + self.offset).sqrt()
        alpha, sigma = (1 - root).sqrt(), root.sqrt()
        d_root = -0.5 / root
        return Coefficients(alpha, sigma, -0.5 * d_root / alpha, 0.5 * d_root / sigma)


Interpolant = Callable[[Tensor], Coefficients]

PATHS: dict[str, Interpolant] = {"Linear": Linear(), "GVP": GVP(), "VP": VP(), "Sqrt": Sqrt()}
"""The named paths."""


def time_of_alpha(path: Interpolant, alpha: float) -> float:
    """The time at which a path's increasing α reaches a value, by bisection within the clamped times.

    Raises:
        ValueError: the path does not pass through this value.
    """
    low, high = T_EPS, 1 - T_EPS

    def alpha_at(t: float) -> float:
        return path(torch.tensor(t, dtype=torch.float64)).alpha.item()

    if not alpha_at(low) <= alpha <= alpha_at(high):
        raise ValueError(f"α of this path runs from {alpha_at(low):.3g} to {alpha_at(high):.3g}, not through {alpha}")
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if alpha_at(middle) < alpha else (low, middle)
    return high
