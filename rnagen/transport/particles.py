"""Particle guidance: conformers that are sampled together repel each other (Corso et al., arXiv:2310.13102).

Conformers are compared by their internal distances: no superposition is needed, and a pose does not count as diversity.
"""

from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rnagen.transport.interpolants import Interpolant, Linear, clamp_time

ALPHA_OFFSET = 0.05
"""Added to α before `Repulsion` divides by it."""

BLOCK = 128
"""Points processed at once: memory grows with the number of points, not with its square."""


def _distances(some: Float[Tensor, "*n p dim"], points: Float[Tensor, "*n P dim"]) -> Float[Tensor, "*n p P"]:
    """Distances of some points from all, by differences: a matrix product would lose the short ones to rounding."""
    return torch.cdist(some, points, compute_mode="donot_use_mm_for_euclid_dist")


def square_differences(points: Float[Tensor, "n P dim"]) -> Float[Tensor, "n n"]:
    """d²(a, b) between n conformers: mean over all pairs of points of (D_a − D_b)², D their distances.

    It is 0 for a single point.
    """
    count = points.shape[1]
    total = points.new_zeros(len(points), len(points))
    for block in points.split(BLOCK, dim=1):
        distances = _distances(block, points).flatten(1)
        total += _distances(distances, distances).square()
    return total / max(count * (count - 1), 1)


@torch.no_grad()
def repulsion(
    data: Float[Tensor, "n P dim"], mask: Bool[Tensor, " P"] | None, bandwidth: float
) -> Float[Tensor, "n P dim"]:
    """Displacements −(P h²/2)·∇E of n conformers, E = Σ_{a<b} exp(−d²(a, b)/(2h²)), h the bandwidth.

    d² is that of `square_differences`. In closed form point i of conformer a moves by

        Σ_b exp(−d²(a, b)/(2h²)) · mean_{j≠i} (D_a,ij − D_b,ij)·(x_a,i − x_a,j)/D_a,ij :

    distances of a that are longer than those of b grow, and shorter ones shrink, by the mean of their difference. The
    factor P makes the displacement independent of how finely a shape is sampled, and the factor h² makes it a length.
    The push of one b has a root mean square over the points of at most d·exp(−d²/(2h²)): 0.6h at d = h, and below 0.01h
    from d = 3.7h on.

    Args:
        data: conformers, of any pose, in the unit of `bandwidth`; float32 or better.
        mask: points that exist, the same in all conformers; the others are neither counted nor moved. None: all exist.
        bandwidth: h > 0.

    Raises:
        ValueError: a bandwidth that is not positive.
    """
    if not bandwidth > 0:
        raise ValueError(f"the bandwidth of a repulsion must be positive, not {bandwidth}")
    if mask is None:
        mask = data.new_ones(data.shape[1], dtype=torch.bool)
    # A matrix product in half precision would drown the small differences of long distances.
    with torch.autocast(data.device.type, enabled=False):
        points = data[:, mask]
        kernel = (square_differences(points) / (-2 * bandwidth**2)).exp()
        # Σ_b k_ab (D_a − D_b), as the Laplacian of the graph of conformers on their distances.
        laplacian = kernel.sum(1).diag() - kernel
        pushes = []
        for block in points.split(BLOCK, dim=1):
            distances = _distances(block, points)
            # Less those of one conformer: the same value, and exactly 0 for identical conformers.
            weights = torch.einsum("ab,bij->aij", laplacian, distances - distances[:1])
            # Points on top of each other have no direction: their offset is 0, and stays 0.
            weights /= distances.clamp(min=torch.finfo(data.dtype).tiny ** 0.5)
            # One axis at a time: all offsets at once would be the largest array here.
            axes = [
                (weights * (x_i[:, :, None] - x_j[:, None])).sum(2)
                for x_i, x_j in zip(block.unbind(2), points.unbind(2))
            ]
            pushes.append(torch.stack(axes, dim=2))
    moved = torch.zeros_like(data)
    moved[:, mask] = torch.cat(pushes, dim=1) / max(points.shape[1] - 1, 1)
    return moved


@dataclass(frozen=True, eq=False)
class Repulsion:
    """A hook on the data estimate of a sampler: x̂1 + strength·σ²/(α + 0.05)·repulsion(x̂1).

    A term added to the score adds σ²/α times that term to x̂1 = (x_t + σ²·score)/α: the repulsion adds to the score as
    the log-potential of particle guidance does (Corso et al., equation 4). It is strong while x_t is still undecided
    between modes and vanishes at the data. `ALPHA_OFFSET` bounds it at α = 0.

    Args:
        strength: > 0. Values from 1 to 3 have an effect; much larger ones drive conformers out of narrow modes.
        bandwidth: h in the unit of the data: the difference from which two conformers count as different.
        path: the interpolant that is sampled.
        mask: points that exist, the same in all conformers; None: all exist.

    Raises:
        ValueError: a strength or bandwidth that is not positive.
    """

    strength: float
    bandwidth: float
    path: Interpolant = field(default_factory=Linear)
    mask: Bool[Tensor, " *points"] | None = None

    def __post_init__(self) -> None:
        if not self.strength > 0:
            raise ValueError(f"the strength of a repulsion must be positive, not {self.strength}")
        if not self.bandwidth > 0:
            raise ValueError(f"the bandwidth of a repulsion must be positive, not {self.bandwidth}")

    def __call__(
        self, data: Float[Tensor, " n *points dim"], t: Float[Tensor, " n"]
    ) -> Float[Tensor, " n *points dim"]:
        """x̂1 [n, ..., dim] of n conformers at times t [n], moved apart."""
        mask = None if self.mask is None else self.mask.flatten()
        push = repulsion(data.flatten(1, -2), mask, self.bandwidth).reshape(data.shape)
        c = self.path(clamp_time(t)).expand_to(data)
        return data + self.strength * c.sigma.square() / (c.alpha + ALPHA_OFFSET) * push
