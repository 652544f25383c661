"""Estimates pulled into the geometry that RNA has: a potential that is zero within ranges of bead distances.

Steering by potentials on the estimated structure is known from Boltz (Wohlwend et al. 2025). Here the potential is
flat-bottomed, and instead of its gradient each step takes the mean of the moves that would satisfy each violated
distance (position-based dynamics; Müller et al. 2007): no step size, and never unstable.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rnagen.bead_ranges import NEAREST, PAIRED, chain_distances
from rnagen.features import RNAFeatures

FROM = 2 / 3
"""Time of the flow from which on estimates are pulled into the ranges."""
SWEEPS = 24
"""Moves of all beads in a step."""
OVERSHOOT = 1.4
"""Of the mean of the moves: several distances pull at a bead, and most of them are satisfied."""
WATCHED = 1.5
"""Å beyond `NEAREST` within which beads are watched during the sweeps of one step."""
REACH = 8.0
"""Å beyond the range within which residues that are to be paired are pulled together."""


@dataclass(frozen=True)
class Restraints:
    """The distances of one RNA whose ranges are known, as pairs of its points (residue × atoms + atom)."""

    first: Int[Tensor, " M"]
    second: Int[Tensor, " M"]
    low: Float[Tensor, " M"]
    high: Float[Tensor, " M"]
    residue: Int[Tensor, " N"]
    """Of each point, numbered so that residues that follow each other in the chain are neighbours."""
    paired: Int[Tensor, "P 2"]
    """Points of residues that are to be paired."""

    @classmethod
    def of(cls, features: RNAFeatures, atoms: tuple[str, ...]) -> "Restraints":
        """Restraints of the beads of one RNA (features [1, L]); neighbours have consecutive numbers in one strand."""
        index = features.residue_index[0].long()
        device, length, number = index.device, len(index), len(atoms)
        rows = torch.arange(length, device=device)
        follows = index.diff() == 1
        found = chain_distances(follows.cpu().numpy(), atoms, "usual")
        ends, limits = torch.from_numpy(found[0]).to(device), torch.from_numpy(found[1]).float().to(device)
        paired = torch.zeros(0, 2, dtype=torch.long, device=device)
        if features.pair_table is not None:
            table = features.pair_table[0]
            i = torch.nonzero(table > rows)[:, 0]
            paired = torch.stack([i, table[i]], dim=-1) * number + atoms.index("C1'")
        # A jump of the numbers leaves room for what is missing.
        place = torch.cat([index[:1] * 0, torch.where(follows, 1, 2).cumsum(0)])
        return cls(ends[:, 0], ends[:, 1], limits[:, 0], limits[:, 1], place.repeat_interleave(number), paired)

    def satisfied(
        self, coords: Float[Tensor, "n L A 3"], free: Bool[Tensor, "n L A"] | None = None
    ) -> Float[Tensor, "n L A 3"]:
        """The coordinates (Å), moved until distances are in their ranges or the sweeps are over; only `free` atoms move
        (all by default)."""
        points = coords.flatten(1, 2)
        number, size = points.shape[:2]
        weight = torch.ones(number * size, device=points.device)
        if free is not None:
            weight = free.flatten().to(points.dtype)
        shift = (torch.arange(number, device=points.device) * size)[:, None]
        near, paired = self._near(points), self._paired(points)
        first = torch.cat([(self.first + shift).flatten(), near[:, 0], paired[:, 0]])
        second = torch.cat([(self.second + shift).flatten(), near[:, 1], paired[:, 1]])
        sizes = torch.tensor([len(near), len(paired)], device=points.device)
        low = torch.cat([self.low.repeat(number), points.new_tensor([NEAREST, PAIRED[0]]).repeat_interleave(sizes)])
        high = torch.cat([self.high.repeat(number), points.new_tensor([torch.inf, PAIRED[1]]).repeat_interleave(sizes)])
        x = points.flatten(0, 1)
        shares = weight[first] + weight[second]
        one, other = (weight[end] / shares.clamp(min=1) for end in (first, second))
        for _ in range(SWEEPS):
            between = x[second] - x[first]
            distance = between.norm(dim=-1).clamp(min=1e-3)
            error = distance - distance.clamp(low, high)
            if not error.any():
                break
            move = (error / distance)[:, None] * between
            violated = (error != 0).to(x.dtype)
            total = torch.zeros_like(x).index_add_(0, first, move * one[:, None])
            total.index_add_(0, second, -move * other[:, None])
            count = torch.zeros_like(weight).index_add_(0, first, violated).index_add_(0, second, violated)
            x = x + OVERSHOOT * total / count.clamp(min=1)[:, None]
        return x.view_as(coords)

    def _near(self, points: Float[Tensor, "n N 3"]) -> Int[Tensor, "P 2"]:
        """Pairs of points of all conformers, of residues that are not neighbours, that overlap or soon could."""
        size = points.shape[1]
        apart = (self.residue[:, None] - self.residue[None]).abs() > 1
        found = []
        for k, one in enumerate(points):
            close = (torch.cdist(one, one) < NEAREST + WATCHED) & apart
            found.append(torch.nonzero(close.triu()) + k * size)
        return torch.cat(found)

    def _paired(self, points: Float[Tensor, "n N 3"]) -> Int[Tensor, "P 2"]:
        """Points of paired residues that are near enough to be pulled together."""
        if not len(self.paired):
            return self.paired
        distance = (points[:, self.paired[:, 0]] - points[:, self.paired[:, 1]]).norm(dim=-1)
        conformer, pair = torch.nonzero(distance < PAIRED[1] + REACH, as_tuple=True)
        return self.paired[pair] + (conformer * points.shape[1])[:, None]
