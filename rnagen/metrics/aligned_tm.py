"""TM-score of given alignments, by US-align's search for the superposition.

Fragments of the aligned pairs are superposed; the pairs that are then near each other are superposed anew, until they
stay the same; the best superposition on the way counts (Zhang and Skolnick, Proteins 57, 702 (2004)). The search of
`rnagen.metrics.tm` finds higher scores, most of all on short chains. This one is for scores that are held against those
of US-align.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rnagen.metrics.superpose import Motion, PointPair

NARROWEST, WIDEST = 4.5, 8.0
"""Å: bounds of the cut-off under which pairs are superposed anew; between them it is d0."""
SHORTEST_FRAGMENT = 4
ROUNDS = 20


@dataclass(frozen=True)
class Scale:
    """Distances that a search goes by, Å."""

    d0: float
    reach: float = float("inf")
    """Pairs farther apart count nothing."""

    @property
    def cutoff(self) -> float:
        """Pairs nearer than this are superposed anew."""
        return min(max(self.d0, NARROWEST), WIDEST)


@dataclass(frozen=True)
class Fit:
    """The best superposition found for each of B alignments."""

    total: Float[Tensor, " B"]
    """Σ 1 / (1 + (d / d0)²) over the aligned pairs."""
    motion: Motion
    """Of the first chain onto the second, [B]."""


def fit_aligned(
    mobile: Float[Tensor, "B n 3"],
    target: Float[Tensor, "B m 3"],
    aligned: Int[Tensor, "B n"],
    scale: Scale,
    seeds: int,
    rounds: int = ROUNDS,
) -> Fit:
    """Superpose the aligned residues of each of B pairs of chains so that their score is high.

    Args:
        mobile: first chains, at least three residues, Å.
        target: second chains, Å.
        aligned: residue of the second chain for each of the first, −1 for none.
        scale: d0 and reach.
        seeds: fragments of each length that the search starts from.
        rounds: superpositions of each, at most.
    """
    count = (aligned >= 0).sum(1)
    # The aligned residues first.
    order = (aligned < 0).to(torch.uint8).argsort(dim=1, stable=True)[:, : max(int(count.max()), 3)]
    ends = aligned.gather(1, order).clamp(min=0)
    valid = torch.arange(order.shape[1]) < count[:, None]
    pairs = PointPair(*(torch.take_along_dim(x, i[..., None], 1) for x, i in ((mobile, order), (target, ends))))
    weights = _fragments(count, seeds, order.shape[1]).to(mobile.dtype)
    totals, motions = [], []
    for step in range(rounds):
        motion = pairs.superpose(weights)
        squares = torch.where(valid[:, None], pairs.square_distances(motion), torch.inf)
        motions.append(motion)
        totals.append(((squares <= scale.reach**2) / (1 + squares / scale.d0**2)).sum(-1))
        near = squares <= (scale.cutoff + (1 if step else -1)) ** 2
        # A superposition needs three pairs: where fewer are near enough, the nearest three.
        few = near.sum(-1) < 3
        if few.any():
            near[few] = squares[few] <= squares[few].kthvalue(3, keepdim=True).values.clamp(max=1e30)
        if torch.equal(near.to(weights.dtype), weights):
            break
        weights = near.to(weights.dtype)
    total, seed = torch.cat(totals, 1).max(1)
    best = Motion.join(motions, lambda parts: torch.cat(parts, 1)).select(seed[:, None])
    return Fit(total, pairs.uncentred(best).each(lambda part: part[:, 0]))


def square_distances(
    mobile: Float[Tensor, "B n 3"], target: Float[Tensor, "B m 3"], motion: Motion
) -> Float[Tensor, "B n m"]:
    """Squared distances (Å²) of all residues of the moved first chains from all of the second; best on chains that lie
    around the origin, because they come from differences of squares."""
    motion = motion.each(lambda part: part.to(mobile.dtype))
    moved = mobile @ motion.rotation.mT + motion.translation[:, None]
    squares = moved.square().sum(-1)[:, :, None] + target.square().sum(-1)[:, None]
    return torch.baddbmm(squares, moved, target.mT, alpha=-2).clamp_(min=0)


def _fragments(count: Int[Tensor, " B"], seeds: int, length: int) -> Bool[Tensor, "B S {length}"]:
    """All `count` pairs, halves, quarters … down to `SHORTEST_FRAGMENT`; of each length `seeds` positions."""
    bounds = [torch.stack([torch.zeros_like(count), count], -1)[:, None]]
    size = count
    while int(size.max()) > SHORTEST_FRAGMENT:
        size = (size // 2).clamp(min=SHORTEST_FRAGMENT)
        start = (torch.linspace(0, 1, seeds) * (count - size).clamp(min=0)[:, None]).round().long()
        bounds.append(torch.stack([start, start + size[:, None]], -1))
    start, stop = torch.cat(bounds, 1)[..., None].unbind(2)
    position = torch.arange(length)
    return (position >= start) & (position < stop) & (position < count[:, None, None])
