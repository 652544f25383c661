"""TM-score of RNA on C1' atoms, residues matched by number, as `USalign pred native -atom " C1'" -TMscore 1` counts it.

    TM = max over rigid superpositions of (1 / Lref) Σ_i 1 / (1 + (d_i / d0)²)

(Zhang and Skolnick, Proteins 57, 702 (2004); d0 for RNA: Gong, Zhang and Zhang, Bioinformatics 35, 4459 (2019), as
US-align has it.) Fragments of several lengths, slid along the chain, seed the search. Each is superposed, and then all
residues are superposed under the weights (1 + (d / c)²)⁻² while c falls to d0. Because 1 / (1 + u) is convex in u = d²,
its tangent is a lower bound, and superposing under the weights of c = d0 can only raise the score: the best seeds end
with a number of such steps (minorise-maximise). US-align reselects the residues within a cut-off instead and does not
refine, so that it stays below the maximum, most of all on chains under 30 nt, whose d0 is far smaller than its cut-off.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rnagen.metrics.superpose import Motion, PointPair

SEEDS = 128
"""Default number of fragments of each length."""
FAST_SEEDS = 8
"""Enough for a learning curve: on pairs of unrelated structures it loses 0.0002 on average."""
ALIKE_SEEDS = 2
"""Enough for conformers of one model among themselves: more find 0.0001 more on average, and take twice the time."""

_ANNEALING_STEPS = 8
_REFINED = 32
_REFINEMENT_STEPS = 30
_SHORTEST_FRAGMENT = 3
_CHUNK = 2**21
"""Largest number of distances held at once (seeds x residues x predictions)."""


def tm_d0(length: int) -> float:
    """d0 in Å of a reference with `length` resolved residues."""
    if length >= 30:
        return 0.6 * (length - 0.5) ** 0.5 - 2.5
    return next(d0 for longest, d0 in ((11, 0.3), (15, 0.4), (19, 0.5), (23, 0.6), (29, 0.7)) if length <= longest)


def tm_score(
    pred: Float[Tensor, "L 3"], ref: Float[Tensor, "L 3"], mask: Bool[Tensor, " L"], seeds: int = SEEDS
) -> Float[Tensor, ""]:
    """TM-score of one prediction against one reference; see `tm_scores`."""
    return tm_scores(pred[None], ref[None], mask[None], seeds=seeds)[0, 0]


@torch.no_grad()
def tm_scores(
    preds: Float[Tensor, "n L 3"],
    refs: Float[Tensor, "m L 3"],
    masks: Bool[Tensor, "m L"],
    pred_masks: Bool[Tensor, "n L"] | None = None,
    seeds: int = SEEDS,
) -> Float[Tensor, "n m"]:
    """TM-scores of n predictions against m references of the same RNA.

    Args:
        preds: C1' coordinates in Å, one row per residue of the target.
        refs: C1' coordinates in Å of the same residues.
        masks: residues resolved in each reference; their number is Lref, the normalisation.
        pred_masks: residues that the prediction has; the others score nothing. All, when not given.
        seeds: fragments of each length that the search starts from (`FAST_SEEDS` while training).

    Returns:
        Scores in float64 on the device of `preds`; 0 where reference and prediction share no residue.

    Raises:
        ValueError: a coordinate that counts is not finite.
    """
    # Not every accelerator has float64; CUDA has, and its float32 products may be TF32, which is too coarse here.
    device = preds.device if preds.device.type == "cuda" else torch.device("cpu")
    preds64, refs64, masks = preds.to(device).double(), refs.to(device).double(), masks.to(device)
    if pred_masks is None:
        pred_masks = torch.ones(preds64.shape[:2], dtype=torch.bool, device=device)
    pred_masks = pred_masks.to(device)
    if not (preds64[pred_masks].isfinite().all() and refs64[masks].isfinite().all()):
        raise ValueError("coordinates must be finite wherever the mask is True")
    patterns, pattern_of = pred_masks.unique(dim=0, return_inverse=True)
    scores = preds64.new_zeros(len(preds64), len(refs64))
    for j, (ref, mask) in enumerate(zip(refs64, masks)):
        for k, pattern in enumerate(patterns):
            matched, rows = mask & pattern, (pattern_of == k).nonzero()[:, 0]
            if matched.any():
                found = _search(preds64[rows][:, matched], ref[matched], tm_d0(int(mask.sum())), seeds)
                scores[rows, j] = found / mask.sum()
    return scores.to(preds.device)


def best_of(scores: Float[Tensor, "n m"], k: int | None = None) -> Float[Tensor, ""]:
    """A target's score: the best of its first k predictions (all by default), each against its best reference."""
    return scores[:k].amax()


def _search(mobile: Float[Tensor, "n L 3"], target: Float[Tensor, "L 3"], d0: float, seeds: int) -> Float[Tensor, " n"]:
    """Largest Σ 1 / (1 + (d / d0)²) found for each of n chains."""
    fragments = _fragments(len(target), seeds, target.device)
    chunk = max(1, _CHUNK // fragments.numel())
    return torch.cat([_search_chunk(part, target, d0, fragments) for part in mobile.split(chunk)])


def _search_chunk(
    mobile: Float[Tensor, "n L 3"], target: Float[Tensor, "L 3"], d0: float, fragments: Bool[Tensor, "S L"]
) -> Float[Tensor, " n"]:
    exact = PointPair(mobile, target)
    rough = exact.to(torch.float32) if mobile.device.type == "cpu" else exact
    weights = fragments.to(rough.moments.dtype).expand(len(mobile), -1, -1)
    widest = min(max(d0, 4.5), 8.0)
    motions, totals = [], []
    for step in range(_ANNEALING_STEPS):
        motion = rough.superpose(weights)
        squares = rough.square_distances(motion)
        cutoff = widest * (d0 / widest) ** (step / (_ANNEALING_STEPS - 1))
        weights = (1 + squares / cutoff**2) ** -2
        # On chains of a dozen residues, where d0 is 0.3 Å, the fit of a fragment can beat all that follows it.
        if step in (0, _ANNEALING_STEPS - 1):
            motions.append(motion)
            totals.append(_total(squares, d0))
    selected = torch.cat(totals, 1).topk(min(_REFINED, len(fragments)), dim=1).indices
    motion = Motion.join(motions, lambda parts: torch.cat(parts, 1)).select(selected)
    for _ in range(_REFINEMENT_STEPS):
        motion = exact.superpose((1 + exact.square_distances(motion) / d0**2) ** -2)
    return _total(exact.square_distances(motion), d0).amax(-1)


def _total(squares: Float[Tensor, "n S L"], d0: float) -> Float[Tensor, "n S"]:
    return (1 / (1 + squares / d0**2)).sum(-1)


def _fragments(length: int, seeds: int, device: torch.device) -> Bool[Tensor, "S L"]:
    """The whole chain, halves, quarters … down to `_SHORTEST_FRAGMENT`; of each length at most `seeds` positions."""
    bounds = []
    size = length
    while True:
        starts = torch.linspace(0, length - size, min(seeds, length - size + 1), device=device).round().long()
        bounds.append(torch.stack([starts, starts + size], -1))
        if size <= _SHORTEST_FRAGMENT:
            break
        size = max(size // 2, _SHORTEST_FRAGMENT)
    start, stop = torch.cat(bounds)[:, :, None].unbind(1)
    position = torch.arange(length, device=device)
    return (position >= start) & (position < stop)
