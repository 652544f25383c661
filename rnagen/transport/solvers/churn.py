"""Churn: before a step, go back towards the noise by fresh noise, so that a solver can undo its earlier errors."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from rnagen.transport.interpolants import Coefficients, Interpolant, clamp_time


def coefficients_at(path: Interpolant, t: float) -> Coefficients:
    """α, σ, α', σ' of one time, moved inside `clamp_time`; float64 scalars."""
    return path(clamp_time(torch.tensor(t, dtype=torch.float64)))


def renoise(
    path: Interpolant, x: Float[Tensor, "*shape"], t: float, t_back: float, noise: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """A sample of time t carried back to the earlier time t_back: (α̂/α)·x + √(σ̂² − (α̂·σ/α)²)·noise.

    This is the exact transition of the path's forward (noising) process, so that x distributed as the marginal of t
    becomes distributed as the marginal of t_back, whatever the data. α, σ belong to t and α̂, σ̂ to t_back, both moved
    inside `clamp_time`. (Kingma et al., arXiv:2107.00630, equation 15.)

    Raises:
        ValueError: t_back is later than t.
    """
    if t_back > t:
        raise ValueError(f"noise is added from a time back to an earlier one, not from {t} to {t_back}")
    now, back = coefficients_at(path, t), coefficients_at(path, t_back)
    keep = (back.alpha / now.alpha).item()
    variance = back.sigma.item() ** 2 - (keep * now.sigma.item()) ** 2
    # The difference of two equal numbers may come out as −1e-17.
    return keep * x + max(variance, 0.0) ** 0.5 * noise


@dataclass(frozen=True)
class Churn:
    """Renoising before every step but the first, by a multiple of it (Karras et al., arXiv:2206.00364, Algorithm 2).

    There the noise level is raised by a factor; here the time goes back by a share of the step, on any path.

    Raises:
        ValueError: a negative amount or temperature.
    """

    path: Interpolant
    amount: float
    """How far to go back before a step, in lengths of that step; 0 changes nothing but draws its noise."""
    draw_noise: Callable[[torch.Size], Tensor]
    """Standard normal noise of the given shape, on the samples' device."""
    tau: float = 1.0
    """Temperature of the noise: its variance is multiplied by this; 1 keeps the marginals."""

    def __post_init__(self) -> None:
        for name, value in (("amount", self.amount), ("temperature tau", self.tau)):
            if not value >= 0:
                raise ValueError(f"the {name} of churn is at least 0, not {value}")

    def __call__(self, x: Float[Tensor, " n *dims"], t: float, dt: float, t0: float) -> tuple[Tensor, float]:
        """Samples of time t before a step of length dt -> samples x̂ of t̂ = max(t0, t − amount·dt), and t̂."""
        t_back = max(t0, t - self.amount * dt)
        return renoise(self.path, x, t, t_back, self.tau**0.5 * self.draw_noise(x.shape)), t_back
