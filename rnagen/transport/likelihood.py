"""Log-density of data under the probability-flow equation dx/dt = v(x, t).

The instantaneous change of variables (Chen et al., arXiv:1806.07366, theorem 1) carries the density of the noise along
the solution x(t) that ends in the data, followed backwards from there:

    log p(x(t1)) = log N(x(t0); 0, I) − ∫ ∇·v(x(t), t) dt        from t0 to t1

The divergence is Hutchinson's estimate εᵀ(∂v/∂x)ε with random signs ε (Grathwohl et al., FFJORD, arXiv:1810.01367,
section 3.1; Song et al., arXiv:2011.13456, section 4.3). They are drawn before the solve: an adaptive solver needs a
field that is a function of x and t.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rnagen.transport.solvers.ode import Projection, VelocityFn

FlowField = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""(v, ∇·v)(x [counted], t []) -> [counted], []"""


def log_likelihood(
    velocity_fn: VelocityFn,
    x1: Float[Tensor, " n *dims"],
    mask: Bool[Tensor, " n *dims"],
    *,
    generator: torch.Generator,
    probes: int = 1,
    project: Projection | None = None,
    dimensions: Int[Tensor, " n"] | None = None,
    t0: float = 0.0,
    t1: float = 1.0,
    atol: float = 1e-5,
    rtol: float = 1e-5,
) -> Float[Tensor, " n"]:
    """Log-density of each sample in nats per dimension, by dopri5, one sample at a time.

    What is computed is the density of x(t1) where x(t0) ~ N(0, I). A perfect network on a path that closes gives the
    density of the data. On one that does not it gives that of the path's marginal α(t1)·x1 + σ(t1)·x0: for Sqrt, with
    σ(1) = 0.1, of data under noise of that size. The prior is N(0, I) also where a path does not begin at quite that
    (VP, α(0) = 0.0066), because it is what samplers start from.

    A `Transport` freezes its coefficients outside the clamped times. For Sqrt, which is steep at the data, that is far
    from the path: give t0 = T_EPS and t1 = 1 − T_EPS to stay on it, and get the density of the marginal there.

    The result is exact up to the solver's tolerance and the variance of the estimated divergence, which is 0 where
    ∂v/∂x is diagonal. It does not matter whether gradients are enabled; no graph is kept, no parameter gets a gradient.

    Args:
        velocity_fn: takes x [1, ...] and t [1], and is differentiable in x.
        x1: n samples at t1, model units.
        mask: what counts. All else is zero for the velocity, and is in neither the state nor the probes.
        generator: draws the probes for one sample after the other, for counted elements only: padding changes nothing.
        probes: probes per sample; their estimates are averaged.
        project: orthogonal projection [1, ...] -> [1, ...] onto the subspace that the samples live in, for instance
            re-centring. Samples, probes and velocity are projected.
        dimensions: dimension of that subspace for each sample. Without `project` it is the number of elements that
            count. A sample of dimension 0 (or less) has nothing to score: its log-density is 0.
        t0: time of the noise.
        t1: time of the samples; no time outside [t0, t1] is ever evaluated.
        atol: absolute tolerance, of the state in model units and of the log-density in nats per dimension.
        rtol: relative tolerance of both.

    Raises:
        ValueError: less than one probe, or `project` and `dimensions` without each other.
        RuntimeError: the velocity cannot be differentiated in x, for instance because it runs under no_grad.
    """
    if probes < 1:
        raise ValueError(f"the divergence needs at least one probe, not {probes}")
    if (project is None) != (dimensions is None):
        raise ValueError("a projection and the dimension of its subspace are given together")
    counts = mask.flatten(1).sum(1) if dimensions is None else dimensions
    results = []
    for sample, counted, dimension in zip(x1.split(1), mask.split(1), counts.tolist()):
        if dimension < 1:
            results.append(x1.new_zeros(1))
            continue
        signs = [rademacher(int(counted.sum()), generator).to(x1) for _ in range(probes)]
        subspace = Subspace(counted, project)
        field = flow_field(velocity_fn, subspace, signs)
        noise, change = _solve(field, subspace.take(sample), dimension, t0, t1, atol, rtol)
        prior = -0.5 * (noise.square().sum() / dimension + math.log(2 * math.pi))
        results.append((prior + change)[None])
    return torch.cat(results)


def rademacher(count: int, generator: torch.Generator) -> Int[Tensor, " {count}"]:
    """Signs ±1 with equal probability."""
    return 2 * torch.randint(2, (count,), generator=generator, device=generator.device) - 1


@dataclass(frozen=True)
class Subspace:
    """The counted elements of one sample as a vector, in which padding has no place that a solver's error norm sees."""

    mask: Bool[Tensor, " 1 *dims"]
    project: Projection | None = None

    def take(self, x: Float[Tensor, " 1 *dims"]) -> Float[Tensor, " counted"]:
        """What counts of a sample or of its velocity, projected."""
        x = torch.where(self.mask, x, 0.0)
        return (x if self.project is None else self.project(x))[self.mask]

    def fill(self, values: Float[Tensor, " counted"]) -> Float[Tensor, " 1 *dims"]:
        """The sample with these elements and zeros elsewhere."""
        return values.new_zeros(self.mask.shape).masked_scatter(self.mask, values)


def flow_field(velocity_fn: VelocityFn, subspace: Subspace, probes: list[Tensor]) -> FlowField:
    """Velocity and divergence, the latter as the mean of εᵀ(∂v/∂x)ε over fixed probes ε [counted].

    The product with ∂v/∂x is taken from the left (reverse mode), which every attention kernel supports.
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


@torch.no_grad()
def _solve(
    field: FlowField, x1: Float[Tensor, " counted"], dimension: int, t0: float, t1: float, atol: float, rtol: float
) -> tuple[Float[Tensor, " counted"], Float[Tensor, ""]]:
    """x(t0), and −∫ ∇·v dt per dimension along the way. The time is clamped: dopri5 steps over the end and back."""
    # Only what integrates adaptively needs torchdiffeq.
    from torchdiffeq import odeint

    low, high = min(t0, t1), max(t0, t1)

    def drift(t: Float[Tensor, ""], state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        velocity, divergence = field(state[0], t.clamp(low, high).to(x1.dtype))
        return velocity, divergence / dimension

    span = torch.tensor([t1, t0], dtype=x1.dtype, device=x1.device)
    xs, changes = odeint(drift, (x1, x1.new_zeros(())), span, method="dopri5", atol=atol, rtol=rtol)
    return xs[-1], changes[-1]
