"""A transport with a solver and its options: what can be combined is decided here, by name and before any work."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from rnagen.transport.flow import Transport
from rnagen.transport.interpolants import Sqrt, clamp_time
from rnagen.transport.solvers.churn import Churn
from rnagen.transport.solvers.diffusion import DIFFUSION_METHODS, GaussianDiffusion, sample_diffusion
from rnagen.transport.solvers.grids import GRIDS
from rnagen.transport.solvers.ode import METHODS, Projection, Solution, integrate
from rnagen.transport.solvers.sde import (
    DIFFUSIONS,
    LAST_STEPS,
    SDE_METHODS,
    Estimate,
    diffusion_coefficient,
    integrate_sde,
)

SAMPLING_METHODS = (*METHODS, *SDE_METHODS, *DIFFUSION_METHODS)
"""Ordinary and stochastic differential equations, and discrete diffusion."""

Network = Callable[[Tensor, Tensor], Tensor]
"""(x [n, ...], t [n]) -> what the transport's network predicts"""
Adjustment = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(x̂1, x, t) -> another estimate of the data: guidance, repulsion"""


@dataclass(frozen=True)
class Sampler:
    """Draws data from noise with a network trained for `transport`.

    Args:
        transport: path and kind of prediction.
        method: one of `SAMPLING_METHODS`; ddpm and ddim are for the path Sqrt and the prediction noise.
        steps: number of steps N. One evaluation of the network a step, two or four in multi-stage methods; the last
            step takes the estimate of the data in place of a step of an ODE, with one evaluation.
        grid: spacing of the steps, one of `GRIDS`; dopri5 and the discrete methods choose their own times.
        tau: temperature of all noise added on the way; of no effect where a method adds none.
        diffusion_form: w(t) of the stochastic equation, one of `DIFFUSIONS`.
        last_step: how the stochastic equation ends, one of `LAST_STEPS`.
        churn: before each step of an equation go back by this share of it, with fresh noise; 0 does not.
        start: time at which an equation begins, from noise of the path's σ there. Above 0 it skips times at which the
            data weigh next to nothing in x_t, where the errors of a network that predicts noise or score are divided
            by α; it takes data of mean 0 for granted.

    Raises:
        ValueError: an unknown name or a combination that does not exist; the message names it.
    """

    transport: Transport
    method: str = "euler-maruyama"
    steps: int = 20
    grid: str = "uniform"
    tau: float = 1.0
    diffusion_form: str = "annealed"
    last_step: str = "tweedie"
    churn: float = 0.0
    start: float = 0.0

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("sampling method", self.method, SAMPLING_METHODS),
            ("time grid", self.grid, tuple(GRIDS)),
            ("diffusion form", self.diffusion_form, tuple(DIFFUSIONS)),
            ("last step", self.last_step, LAST_STEPS),
        ):
            if value not in allowed:
                raise ValueError(f"unknown {name} {value!r}: choose one of {', '.join(allowed)}")
        if self.steps < 1:
            raise ValueError(f"a sampler needs at least one step, not {self.steps}")
        if not self.tau >= 0:
            raise ValueError(f"the temperature tau is at least 0, not {self.tau}")
        if not self.churn >= 0:
            raise ValueError(f"churn is at least 0, not {self.churn}")
        if not 0 <= self.start < 1:
            raise ValueError(f"a sampler starts at a time from 0 to before 1, not at {self.start}")
        own_times = self.method in ("dopri5", *DIFFUSION_METHODS)
        if own_times and self.grid != "uniform":
            raise ValueError(f"{self.method} chooses its own times: it has no time grid {self.grid!r}")
        if own_times and self.churn:
            raise ValueError(f"{self.method} cannot churn")
        if self.method in DIFFUSION_METHODS and not (
            isinstance(self.transport.path, Sqrt) and self.transport.prediction == "noise"
        ):
            path, prediction = type(self.transport.path).__name__, self.transport.prediction
            raise ValueError(
                f"{self.method} is for the path Sqrt and the prediction noise, not for {path}, {prediction}"
            )
        if self.method in DIFFUSION_METHODS:
            if self.start:
                raise ValueError(f"{self.method} starts at its noisiest level, not at {self.start}")
            GaussianDiffusion(self.transport.path).respaced(self.steps)
        if self.method in SDE_METHODS and self.last_step != "tweedie" and not self.transport.closes:
            path = type(self.transport.path).__name__
            raise ValueError(f"the path {path} ends in noise: its last step is tweedie, not {self.last_step!r}")

    @torch.no_grad()
    def sample(
        self,
        network: Network,
        x0: Float[Tensor, " n *dims"],
        draw_noise: Callable[[torch.Size], Tensor],
        *,
        project: Projection | None = None,
        adjust: Adjustment | None = None,
    ) -> Solution:
        """n samples of the data from n of the noise.

        Args:
            network: the prediction from x [n, ...] and clamped times t [n]; dopri5 asks for one sample at a time.
            x0: standard normal noise.
            draw_noise: more of it, of the given shape.
            project: applied after every step, for instance re-centring.
            adjust: applied to every estimate of the data, before velocity and score are taken from it.
        """

        def estimate(x: Tensor, t: Tensor) -> Estimate:
            t = clamp_time(t)
            prediction = network(x, t)
            if adjust is None:
                return self.transport.estimate(prediction, x, t)
            data = adjust(self.transport.data(prediction, x, t), x, t)
            return self.transport.estimate_from_data(data, x, t)

        def noise(x: Tensor, t: Tensor) -> Tensor:
            return -self.transport.coefficients(t).expand_to(x).sigma * estimate(x, t).score

        if self.method in DIFFUSION_METHODS:
            return sample_diffusion(
                noise,
                x0,
                draw_noise,
                steps=self.steps,
                method=self.method,
                diffusion=GaussianDiffusion(self.transport.path),
                tau=self.tau,
                project=project,
            )
        if self.start:
            x0 = self.transport.coefficients(x0.new_full((1,), self.start)).expand_to(x0).sigma * x0
        churn = Churn(self.transport.path, self.churn, draw_noise, self.tau) if self.churn else None
        if self.method in SDE_METHODS:
            return integrate_sde(
                estimate,
                x0,
                draw_noise,
                path=self.transport.path,
                steps=self.steps,
                diffusion=diffusion_coefficient(self.diffusion_form, self.transport.path),
                method=self.method,
                tau=self.tau,
                last_step=self.last_step,
                t0=self.start,
                grid=self.grid,
                project=project,
                churn=churn,
            )
        # A fixed grid ends on the estimate of the data, as the SDE does: a stage at t = 1 would meet x with the σ of a
        # clamped time and leave noise. dopri5 resolves the end, but on Sqrt that is not the data.
        finish = None
        if self.method != "dopri5" or not self.transport.closes:

            def finish(x: Tensor, t: Tensor) -> Tensor:
                return estimate(x, t).data

        return integrate(
            lambda x, t: estimate(x, t).velocity,
            x0,
            steps=self.steps,
            method=self.method,
            t0=self.start,
            grid=self.grid,
            project=project,
            churn=churn,
            finish=finish,
        )
