"""Alignment of two chains by dynamic programming, for many pairs of chains at once.

    total = Σ scores of the aligned pairs − Σ costs of the gaps − costs of both overhangs

is maximised over all alignments in order (Needleman and Wunsch, J. Mol. Biol. 48, 443 (1970), with the three states of
Gotoh, J. Mol. Biol. 162, 705 (1982)). Overhang is what lies before the first and after the last aligned pair, in either
chain. If it is free, the alignment is local; if it costs more than any gap, global.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True)
class Gaps:
    """Costs of residues that are not aligned, in the units of the scores."""

    open: float
    """Of the first residue of a gap; at least `extend`."""
    extend: float
    """Of each further residue."""
    overhang: tuple[float, float] = (0.0, 0.0)
    """Of each residue of the first and of the second chain before the first and after the last aligned pair."""


@dataclass(frozen=True)
class _Choices:
    """How the best alignment that ends at (i, j) with a pair or with a gap in one of the chains came about."""

    begins: Bool[np.ndarray, "n B m"]
    """The pair (i, j) is the first."""
    opens_a: Bool[np.ndarray, "n B m"]
    """A gap of the first chain that ends with i begins with it; else it goes on from i − 1."""
    opens_b: Bool[np.ndarray, "n B m"]
    """Of the gaps of the second chain that end after j, the best begins after j; else it begins further back."""
    pair: Bool[np.ndarray, "n B m"]
    """Better than a gap of the first chain is the pair."""
    skips_b: Bool[np.ndarray, "n B m"]
    """Better than both is a gap of the second chain."""


def align(
    scores: Float[np.ndarray, "B n m"], gaps: Gaps, lengths: Int[np.ndarray, "B 2"] | None = None
) -> tuple[Float[np.ndarray, " B"], Int[np.ndarray, "B n"]]:
    """The best alignment of each of B pairs of chains, of n and m residues.

    Args:
        scores: gain of aligning residue i of the first chain with residue j of the second; −inf forbids it.
        gaps: costs.
        lengths: residues of both chains where they are padded to n and m.

    Returns:
        The total of each pair of chains, and for each residue of the first chain that of the second that it is aligned
        with, −1 for none. Where no pair is worth it, none is aligned: the total is the cost of the overhangs.
    """
    number, n, m = scores.shape
    scores = scores.astype(np.float32, copy=False)
    if lengths is None:
        lengths = np.broadcast_to(np.array([n, m]), (number, 2))
    else:
        inside = [np.arange(size) < lengths[:, side, None] for side, size in enumerate((n, m))]
        scores = np.where(inside[0][:, :, None] & inside[1][:, None, :], scores, np.float32(-np.inf))
    choices, totals, last = _fill(scores, gaps, lengths)
    return totals, _trace(choices, last)


def _fill(
    scores: Float[np.ndarray, "B n m"], gaps: Gaps, lengths: Int[np.ndarray, "B 2"]
) -> tuple[_Choices, Float[np.ndarray, " B"], Int[np.ndarray, "B 2"]]:
    """Choices, totals, and the last aligned pair of each problem ((−1, −1) for none)."""
    number, n, m = scores.shape
    choices = _Choices(*(np.zeros((n, number, m), dtype=bool) for _ in range(5)))
    cost_a, cost_b = (np.float32(cost) for cost in gaps.overhang)
    opening, extension = np.float32(gaps.open), np.float32(gaps.extend)
    place = np.arange(m, dtype=np.float32)
    after_b = cost_b * (lengths[:, 1:].astype(np.float32) - 1 - place)
    totals = -(lengths.astype(np.float32) @ np.array([cost_a, cost_b]))
    last = np.full((number, 2), -1)
    problems = np.arange(number)
    # Of the previous row: the best of the three states, one place to the right, and the gaps in the first chain.
    best = np.full((number, m + 1), -np.inf, dtype=np.float32)
    skip_a = np.full((number, m), -np.inf, dtype=np.float32)
    skip_b = np.full((number, m), -np.inf, dtype=np.float32)
    for i in range(n):
        begin = -cost_a * i - cost_b * place
        np.greater_equal(begin, best[:, :-1], out=choices.begins[i])
        pair = np.maximum(best[:, :-1], begin)
        pair += scores[:, i]
        skip_a -= extension
        opened = best[:, 1:] - opening
        np.greater_equal(opened, skip_a, out=choices.opens_a[i])
        np.maximum(opened, skip_a, out=skip_a)
        # A gap in the second chain from k + 1 to j costs open + (j − k − 1) extend: the best k is a running maximum.
        before = np.maximum(pair, skip_a)
        lifted = before + extension * place
        running = np.maximum.accumulate(lifted, axis=1)
        np.greater_equal(lifted, running, out=choices.opens_b[i])
        np.subtract(running[:, :-1], opening + extension * place[:-1], out=skip_b[:, 1:])
        np.maximum(before, skip_b, out=best[:, 1:])
        np.greater_equal(pair, skip_a, out=choices.pair[i])
        np.greater(skip_b, before, out=choices.skips_b[i])
        ended = pair - after_b
        j = ended.argmax(1)
        total = ended[problems, j] - cost_a * (lengths[:, 0] - 1 - i)
        better = total > totals
        totals[better] = total[better]
        last[better, 0], last[better, 1] = i, j[better]
    return choices, totals, last


def _trace(choices: _Choices, last: Int[np.ndarray, "B 2"]) -> Int[np.ndarray, "B n"]:
    """The aligned pairs, from the last to the first, row by row for all problems."""
    n, number, m = choices.pair.shape
    aligned = np.full((number, n), -1)
    column = last[:, 1].copy()
    is_pair = np.ones(number, dtype=bool)
    active = np.zeros(number, dtype=bool)
    for i in range(n - 1, -1, -1):
        active |= last[:, 0] == i
        paired, skipped = np.flatnonzero(active & is_pair), np.flatnonzero(active & ~is_pair)
        aligned[paired, i] = column[paired]
        is_first = choices.begins[i, paired, column[paired]]
        active[paired[is_first]] = False
        column[paired] -= 1
        # In the row above are those with a pair before this one, and those whose gap in the first chain begins here.
        above = np.concatenate([paired[~is_first], skipped[choices.opens_a[i, skipped, column[skipped]]]])
        in_gap = above[choices.skips_b[i - 1, above, column[above]]]
        if len(in_gap):
            opens = choices.opens_b[i - 1, in_gap] & (np.arange(m) < column[in_gap, None])
            column[in_gap] = m - 1 - opens[:, ::-1].argmax(1)
        is_pair[above] = choices.pair[i - 1, above, column[above]]
    return aligned
