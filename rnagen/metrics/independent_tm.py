"""Sequence-independent TM-score of RNA on C1' atoms, as `USalign pred native -atom " C1'"` counts it.

Which residues correspond is not given but searched, as in TM-align (Zhang and Skolnick, Nucleic Acids Res. 33, 2302
(2005)) and in US-align for RNA (Zhang, Shine, Pyle and Zhang, Nature Methods 19, 1109 (2022)). One chain is laid over
the other without gaps, at all shifts, and fragment on fragment. From the best of these superpositions, residues are
aligned by dynamic programming on 1 / (1 + (d / d0)²) and superposed anew, in turn, until nothing changes. The search
goes by a wider d0 than the score, and aligned pairs that are still far apart at its end are dropped. The score is
normalised by the reference, with the d0 of `rnagen.metrics.tm`.

The search is a heuristic, here as there: what it finds is not the maximum over all alignments. Over 20 nt it differs
from US-align by 0.002 on average (tests/metrics/test_independent_tm.py), below that by 0.01, because d0 is small there.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rnagen.dynamic_programming import Gaps, align
from rnagen.metrics.aligned_tm import Scale, fit_aligned, square_distances
from rnagen.metrics.alignment_starts import find_starts
from rnagen.metrics.superpose import Motion
from rnagen.metrics.tm import tm_d0

GAPS = (Gaps(0.6, 0.0), Gaps(0.0, 0.0))
"""Of the dynamic programming, one after the other; overhang is free."""
FEWEST = 3
"""Residues that a superposition needs."""

_SHIFTS = 4
_SUPERPOSITIONS = 16
"""Starts that are aligned …"""
_FINISHED = 5
"""… and those that are aligned and superposed again, in at most …"""
_ROUNDS = 8
_ROUGH_SEEDS, _ROUGH_ROUNDS = 3, 5
_SEEDS = 64
_CELLS = 2**23
"""Pairs of residues that are held at once."""


def search_scale(length: int) -> Scale:
    """What the search goes by where the shorter chain has `length` residues: TM-align's d0 for proteins plus 0.8 Å."""
    d0 = 1.24 * (length - 15) ** (1 / 3) - 1.8 if length > 19 else 0.168
    return Scale(d0 + 0.8, 1.5 * length**0.3 + 3.5)


@torch.no_grad()
def independent_tm_scores(
    preds: Float[Tensor, "n L 3"],
    refs: Float[Tensor, "m K 3"],
    masks: Bool[Tensor, "m K"],
    pred_masks: Bool[Tensor, "n L"] | None = None,
) -> Float[Tensor, "n m"]:
    """Sequence-independent TM-scores of n predictions against m references, which need not have the same residues.

    Args:
        preds: C1' coordinates in Å.
        refs: C1' coordinates in Å.
        masks: residues resolved in each reference; their number is the normalisation.
        pred_masks: residues that the prediction has. All, when not given.

    Returns:
        Scores in float64 on the device of `preds`; 0 where a chain has less than `FEWEST` residues.

    Raises:
        ValueError: a coordinate that counts is not finite.
    """
    device, preds, refs, masks = preds.device, preds.cpu().double(), refs.cpu().double(), masks.cpu()
    pred_masks = torch.ones(preds.shape[:2], dtype=torch.bool) if pred_masks is None else pred_masks.cpu()
    if not (preds[pred_masks].isfinite().all() and refs[masks].isfinite().all()):
        raise ValueError("coordinates must be finite wherever the mask is True")
    scores = torch.zeros(len(preds), len(refs), dtype=torch.float64)
    for here, rows in _by_mask(pred_masks):
        for there, columns in _by_mask(masks):
            if min(int(here.sum()), int(there.sum())) < FEWEST:
                continue
            mobile, target = _centred(preds[rows][:, here]), _centred(refs[columns][:, there])
            pairs = torch.cartesian_prod(torch.arange(len(rows)), torch.arange(len(columns)))
            at_once = max(1, _CELLS // (mobile.shape[1] * target.shape[1] * _SUPERPOSITIONS))
            for row, column in (part.T for part in pairs.split(at_once)):
                scores[rows[row], columns[column]] = _score(mobile[row], target[column])
    return scores.to(device)


def _by_mask(masks: Bool[Tensor, "n L"]) -> list[tuple[Bool[Tensor, " L"], Int[Tensor, " k"]]]:
    """The different masks, each with the rows that have it."""
    patterns, pattern_of = masks.unique(dim=0, return_inverse=True)
    return [(pattern, (pattern_of == k).nonzero()[:, 0]) for k, pattern in enumerate(patterns)]


def _centred(chains: Float[Tensor, "n L 3"]) -> Float[Tensor, "n L 3"]:
    return (chains - chains.mean(1, keepdim=True)).float()


def _score(mobile: Float[Tensor, "P n 3"], target: Float[Tensor, "P m 3"]) -> Float[Tensor, " P"]:
    """Scores of P pairs of chains."""
    scale = search_scale(min(mobile.shape[1], target.shape[1]))
    aligned = _best_alignment(mobile, target, scale)
    squares = square_distances(mobile, target, fit_aligned(mobile, target, aligned, scale, _SEEDS).motion)
    is_near = squares.gather(2, aligned.clamp(min=0)[..., None])[..., 0] <= scale.reach**2
    final = fit_aligned(mobile, target, aligned.where(is_near, -1), Scale(tm_d0(target.shape[1])), _SEEDS)
    return final.total.double() / target.shape[1]


@dataclass(frozen=True)
class _Candidates:
    """C alignments of each of P pairs of chains, with their scores on the scale of the search."""

    aligned: Int[Tensor, "P C n"]
    total: Float[Tensor, "P C"]
    motion: Motion
    """[P, C]"""

    def best(self, count: int) -> "_Candidates":
        """The `count` best of each pair of chains."""
        chosen = self.total.topk(min(count, self.total.shape[1])).indices
        aligned = torch.take_along_dim(self.aligned, chosen[..., None], 1)
        return _Candidates(aligned, self.total.gather(1, chosen), self.motion.select(chosen))

    def __or__(self, other: "_Candidates") -> "_Candidates":
        return _Candidates(
            torch.cat([self.aligned, other.aligned], 1),
            torch.cat([self.total, other.total], 1),
            Motion.join([self.motion, other.motion], lambda parts: torch.cat(parts, 1)),
        )


def _best_alignment(mobile: Float[Tensor, "P n 3"], target: Float[Tensor, "P m 3"], scale: Scale) -> Int[Tensor, "P n"]:
    """The alignment of each pair of chains with the highest score on the scale of the search."""
    starts = [find_starts(x, y, scale.d0, _SHIFTS, _SUPERPOSITIONS) for x, y in zip(mobile, target)]
    motion = Motion.join([start.motion for start in starts], torch.stack)
    gapless = torch.stack([start.aligned for start in starts])
    first = _align(mobile, target, motion, scale, GAPS[0])
    candidates = _superpose(mobile, target, torch.cat([gapless, first], 1), scale)
    best = candidates.best(1)
    for gaps in GAPS:
        current = candidates.best(_FINISHED)
        for _ in range(_ROUNDS):
            aligned = _align(mobile, target, current.motion, scale, gaps)
            if torch.equal(aligned, current.aligned):
                break
            current = _superpose(mobile, target, aligned, scale)
            best = (best | current).best(1)
    return best.aligned[:, 0]


def _align(
    mobile: Float[Tensor, "P n 3"], target: Float[Tensor, "P m 3"], motion: Motion, scale: Scale, gaps: Gaps
) -> Int[Tensor, "P C n"]:
    """The best alignment under each superposition [P, C]."""
    count = motion.rotation.shape[1]
    flat = motion.each(lambda part: part.flatten(0, 1))
    squares = square_distances(mobile.repeat_interleave(count, 0), target.repeat_interleave(count, 0), flat)
    _, aligned = align((1 / (1 + squares / scale.d0**2)).numpy(), gaps)
    return torch.from_numpy(aligned).unflatten(0, (len(mobile), count))


def _superpose(
    mobile: Float[Tensor, "P n 3"], target: Float[Tensor, "P m 3"], aligned: Int[Tensor, "P C n"], scale: Scale
) -> _Candidates:
    """The best superposition found quickly for each alignment."""
    shape = aligned.shape[:2]
    mobile, target = mobile.repeat_interleave(shape[1], 0), target.repeat_interleave(shape[1], 0)
    fit = fit_aligned(mobile, target, aligned.flatten(0, 1), scale, _ROUGH_SEEDS, _ROUGH_ROUNDS)
    return _Candidates(aligned, fit.total.unflatten(0, shape), fit.motion.each(lambda part: part.unflatten(0, shape)))
