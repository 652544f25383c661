"""Log-density of data under the probability-flow equation dx/dt = v(x, t).

The instantaneous change of variables (Chen et al., arXiv:1806.07366, theorem 1) carries the density of the noise along
the solution x(t) that ends in the data, followed backwards from there:

    log p(x(1)) = log N(x(0); 0, I) − ∫ ∇·v(x(t), t) dt        from t = 0 to 1

The divergence is Hutchinson's estimate εᵀ(∂v/∂x)ε with random signs ε (Grathwohl et al., FFJORD, arXiv:1810.01367,
section 3.1; Song et al., arXiv:2011.13456, section 4.3), chosen once before the solve: an adaptive solver needs a field
that is a function of x and t.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rnagen.transport.checks import at_least
from rnagen.transport.flow import Projection
from rnagen.transport.solvers.ode import dopri5

VelocityFn = Callable[[Tensor, Tensor], Tensor]
"""v(x [1, ...], t [1]) -> [1, ...]"""
FlowField = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""(v, ∇·v)(x [counted], t []) -> [counted], []"""


@dataclass(frozen=True)
class LogLikelihood:
    """Log-density of samples by dopri5, one sample at a time.

    The result is exact up to the solver's tolerance and the variance of the estimated divergence, which is 0 if ∂v/∂x
    is diagonal. It works with and without gradients enabled, and no parameter gets a gradient.

    Args:
        probes: probes per sample; their estimates are averaged.
        start: time of the noise.
        end: time of the samples; no time outside [start, end] is ever evaluated.
        tolerance: absolute and relative, of the state in model units and of the log-density in nats per dimension.

    Raises:
        ValueError: less than one probe.
    """

    probes: int = 1
    start: float = 0.0
    end: float = 1.0
    tolerance: float = 1e-5

    def __post_init__(self) -> None:
        at_least("the number of probes", self.probes, 1)

    def __call__(
        self,
        velocity_fn: VelocityFn,
        x1: Float[Tensor, " n *dims"],
        mask: Bool[Tensor, " n *dims"],
        generator: torch.Generator,
        project: Projection | None = None,
        dimensions: Int[Tensor, " n"] | None = None,
    ) -> Float[Tensor, " n"]:
        """Log-density of each sample in nats per dimension.

        This is the density of x(end) if x(start) ~ N(0, I). For a perfect network on a path that closes it is the
        density of the data; on one that does not, that of the path's marginal α·x1 + σ·x0 at the end: for Sqrt, with
        σ(1) = 0.1, of data under noise of that size. The prior is N(0, I), from which samplers start, although some
        paths do not begin at quite that (VP, α(0) = 0.0066).

        A `Transport` freezes its coefficients outside the clamped times. For Sqrt, which is steep at the data, that is
        far from the path: start = T_EPS and end = 1 − T_EPS stay on it and give the density of the marginal there.

        Args:
            velocity_fn: takes x [1, ...] and t [1], and is differentiable in x.
            x1: n samples at `end`, model units.
            mask: elements that count. The velocity sees zeros elsewhere, and neither state nor probes include them.
            generator: source of the probes, one sample after another, for counted elements only: padding has no effect.
            project: orthogonal projection [1, ...] -> [1, ...] onto the subspace that the samples live in, for instance
                re-centring. Samples, probes and velocity are projected.
            dimensions: dimension of that subspace for each sample. Without `project` it is the number of elements that
                count. The log-density of a sample of dimension 0 (or less) is 0.

        Raises:
            ValueError: `project` and `dimensions` without each other.
            RuntimeError: the velocity cannot be differentiated in x, for instance because it runs under no_grad.
        """
        if (project is None) != (dimensions is None):
            raise ValueError("a projection and the dimension of its subspace must be given together")
        counts = mask.flatten(1).sum(1) if dimensions is None else dimensions
        results = []
        for sample, counted, dimension in zip(x1.split(1), mask.split(1), counts.tolist()):
            if dimension < 1:
                results.append(x1.new_zeros(1))
                continue
            signs = [rademacher(int(counted.sum()), generator).to(x1) for _ in range(self.probes)]
            subspace = Subspace(counted, project)
            noise, change = self._solve(flow_field(velocity_fn, subspace, signs), subspace.take(sample), dimension)
            prior = -0.5 * (noise.square().sum() / dimension + math.log(2 * math.pi))
            results.append((prior + change)[None])
        return torch.cat(results)

    @torch.no_grad()
    def _solve(
        self, field: FlowField, x1: Float[Tensor, " counted"], dimension: int
    ) -> tuple[Float[Tensor, " counted"], Float[Tensor, ""]]:
        """x(start), and −∫ ∇·v dt per dimension along the way."""

        def drift(state: tuple[Tensor, Tensor], t: Float[Tensor, ""]) -> tuple[Tensor, Tensor]:
            velocity, divergence = field(state[0], t)
            return velocity, divergence / dimension

        return dopri5(drift, (x1, x1.new_zeros(())), (self.end, self.start), self.tolerance, self.tolerance)


def rademacher(count: int, generator: torch.Generator) -> Int[Tensor, " {count}"]:
    """Signs ±1 with equal probability."""
    return 2 * torch.randint(2, (count,), generator=generator, device=generator.device) - 1


@dataclass(frozen=True)
class Subspace:
    """The counted elements of one sample as a vector: a solver's error norm must not see padding."""

    mask: Bool[Tensor, " 1 *dims"]
    project: Projection | None = None

    def take(self, x: Float[Tensor, " 1 *dims"]) -> Float[Tensor, " counted"]:
        """The counted elements of a sample or of its velocity, projected."""
        x = torch.where(self.mask, x, 0.0)
        return (x if self.project is None else self.project(x))[self.mask]

    def fill(self, values: Float[Tensor, " counted"]) -> Float[Tensor, " 1 *dims"]:
        """The sample with these elements and zeros elsewhere."""
        return values.new_zeros(self.mask.shape).masked_scatter(self.mask, values)


def flow_field(velocity_fn: VelocityFn, subspace: Subspace, probes: list[Tensor]) -> FlowField:
    """Velocity and divergence, the latter as the mean of εᵀ(∂v/∂x)ε over fixed probes ε [counted].

    The probe multiplies ∂v/∂x from the left (reverse mode), which every attention kernel supports.
    """
    probes = [subspace.take(subspace.fill(probe)) for probe in probes]

    def field(
        x: Float[Tensor, " counted"], t: Float[Tensor, ""]
    ) -> tuple[Float[Tensor, " counted"], Float[Tensor, ""]]:
        with torch.enable_grad():
            point = x.detach().requires_grad_()
            velocity = subspace.take(velocity_fn(subspace.fill(point), t.expand(1)))
            products = [torch.autograd.grad(velocity, point, probe, retain_graph=True)[0] @ probe for probe in probes]
        return velocity.detach(), torch.stack(products).mean()

    return field
