"""Where the search for an alignment of two structures starts: chains laid over each other without gaps, at all shifts,
and fragments of the one superposed on fragments of the other."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rnagen.metrics.aligned_tm import square_distances
from rnagen.metrics.superpose import Motion, PointPair

FRAGMENTS = (12, 24, 60)
"""Residues: a helix turn, a hairpin, a domain."""

_POSITIONS = 12
"""Of fragments of one length, evenly along each chain."""
_MOST_SHIFTS = 256
_LEAST_OVERLAP = 5
_RANKING_RESIDUES = 100
_CHUNK = 2**21


@dataclass(frozen=True)
class Starts:
    """Of one pair of chains, the best first."""

    aligned: Int[Tensor, "G n"]
    """Alignments without gaps: for each residue of the first chain that of the second, or −1."""
    motion: Motion
    """Superpositions [C] of the first chain on the second."""


def find_starts(
    mobile: Float[Tensor, "n 3"], target: Float[Tensor, "m 3"], d0: float, shifts: int, best: int
) -> Starts:
    """The best `shifts` alignments without gaps, and the `best` superpositions of these and of fragments."""
    aligned, motion = _gapless(mobile, target, d0)
    fragments = [_fragment_motions(mobile, target, length) for length in FRAGMENTS]
    motion = Motion.join([motion, *fragments], torch.cat)
    nearness = _nearness(mobile, target, motion, d0)
    chosen = nearness.topk(min(best, len(nearness))).indices
    return Starts(aligned[:shifts], motion.each(lambda part: part[chosen]))


def _gapless(
    mobile: Float[Tensor, "n 3"], target: Float[Tensor, "m 3"], d0: float
) -> tuple[Int[Tensor, "S n"], Motion]:
    """Alignments of residue i with i + shift over at least half of the shorter chain, the best first, and their
    superpositions: of all pairs at first, then of those that are near, ever more strictly."""
    n, m = len(mobile), len(target)
    overlap = min(max(min(n, m) // 2, _LEAST_OVERLAP), n, m)
    shifts = torch.arange(overlap - n, m - overlap + 1)
    shifts = shifts[shifts % -(-len(shifts) // _MOST_SHIFTS) == 0]
    aligned = torch.arange(n) + shifts[:, None]
    aligned[(aligned < 0) | (aligned >= m)] = -1
    paired = (aligned >= 0).to(mobile.dtype)[:, None]
    pairs = PointPair(mobile.expand(len(aligned), -1, -1), target[aligned.clamp(min=0)])
    motion = pairs.superpose(paired)
    for cutoff in (3 * d0, 2 * d0, d0):
        motion = pairs.superpose(paired * (1 + pairs.square_distances(motion) / cutoff**2) ** -2)
    totals = (paired / (1 + pairs.square_distances(motion) / d0**2)).sum((1, 2))
    order = totals.argsort(descending=True)
    return aligned[order], pairs.uncentred(motion).each(lambda part: part[order, 0])


def _fragment_motions(mobile: Float[Tensor, "n 3"], target: Float[Tensor, "m 3"], length: int) -> Motion:
    """Superpositions [S] of fragments of the one chain on fragments of the other."""
    length = min(length, len(mobile), len(target))
    a, b = (_cut(chain, length) for chain in (mobile, target))
    pairs = PointPair(a.repeat_interleave(len(b), 0), b.repeat(len(a), 1, 1))
    motion = pairs.uncentred(pairs.superpose(torch.ones(len(a) * len(b), 1, length)))
    return motion.each(lambda part: part[:, 0])


def _cut(chain: Float[Tensor, "L 3"], length: int) -> Float[Tensor, "F {length} 3"]:
    last = len(chain) - length
    starts = torch.linspace(0, last, min(_POSITIONS, last + 1)).round().long()
    return chain[starts[:, None] + torch.arange(length)]


def _nearness(
    mobile: Float[Tensor, "n 3"], target: Float[Tensor, "m 3"], motion: Motion, d0: float
) -> Float[Tensor, " S"]:
    """Σ 1 / (1 + (d / d0)²) over residues of the first chain and the nearest of the second, in whatever order: an upper
    bound of the score under each superposition. Of long chains only every so many residues of the first count."""
    mobile = mobile[:: -(-len(mobile) // _RANKING_RESIDUES)]
    found = []
    per_chunk = max(1, _CHUNK // (len(mobile) * len(target)))
    for rotation, translation in zip(motion.rotation.split(per_chunk), motion.translation.split(per_chunk)):
        part = Motion(rotation, translation)
        squares = square_distances(mobile.expand(len(rotation), -1, -1), target.expand(len(rotation), -1, -1), part)
        found.append((1 / (1 + squares.amin(-1) / d0**2)).sum(-1))
    return torch.cat(found)
