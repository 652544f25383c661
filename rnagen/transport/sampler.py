"""A solver and the transport that a network was trained for: noise in, data out."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from rnagen.transport.flow import Estimate, NoiseFn, Problem, Projection, Transport, unchanged
from rnagen.transport.interpolants import clamp_time
from rnagen.transport.solvers.diffusion import Ddim
from rnagen.transport.solvers.solver import Solution, Solver

Network = Callable[[Tensor, Tensor], Tensor]
"""(x [n, ...], t [n]) -> what the transport's network predicts"""
Adjustment = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(x̂1, x, t) -> another estimate of the data: guidance, repulsion"""


@dataclass(frozen=True)
class Sampler:
    """Samples data with a network trained for `transport`.

    Raises:
        ValueError: the solver cannot end on the transport's path, or is for another path and prediction.
    """

    transport: Transport
    solver: Solver

    def __post_init__(self) -> None:
        path, prediction = type(self.transport.path).__name__, self.transport.prediction
        if isinstance(self.solver, Ddim) and (path, prediction) != ("Sqrt", "noise"):
            name = "ddpm" if self.solver.eta == 1 else "ddim"
            raise ValueError(f"{name} is for the path Sqrt and the prediction noise, not for {path}, {prediction}")
        if self.solver.last_step != "tweedie" and not self.transport.closes:
            raise ValueError(f"the path {path} ends in noise: its last step is tweedie, not {self.solver.last_step!r}")

    @property
    def adaptive(self) -> bool:
        """Whether the solver takes steps back and solves samples one by one: the network may not remember calls."""
        return self.solver.adaptive

    @torch.no_grad()
    def solve(
        self,
        network: Network,
        x0: Float[Tensor, " n *dims"],
        draw_noise: NoiseFn,
        *,
        project: Projection | None = None,
        adjust: Adjustment | None = None,
    ) -> Solution:
        """n samples of the data from n of the noise.

        Args:
            network: the prediction from x [n, ...] and clamped times t [n]; n = 1 for an adaptive solver.
            x0: standard normal noise. A solver that starts later scales it by the path's σ there, which assumes data of
                mean 0.
            draw_noise: more of it, of the given shape.
            project: applied after every step, for instance re-centring.
            adjust: applied to every estimate of the data, before velocity and score are taken from it.
        """

        def estimate(x: Tensor, t: Tensor) -> Estimate:
            t = clamp_time(t)
            found = self.transport.estimate(network(x, t), x, t)
            return found if adjust is None else self.transport.estimate(adjust(found.data, x, t), x, t, "data")

        if self.solver.start:
            x0 = self.transport.coefficients(x0.new_full((1,), self.solver.start)).expand_to(x0).sigma * x0
        return self.solver.solve(Problem(estimate, x0, draw_noise, project or unchanged, self.transport.path))
