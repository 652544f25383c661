"""Known structures of related sequences: the library chains that align best with an RNA, and how they align."""

from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float32, Int, Int64

from rnagen.dynamic_programming import Gaps, align
from rnagen.structure import UNPAIRED
from rnagen.templates.confidence import predicted_tm
from rnagen.templates.library import C1, Library, TemplateChain
from rnagen.templates.match import Match
from rnagen.templates.query import Query, codes_of
from rnagen.templates.scan import Bucket, buckets_of, of_about_one_length, scan
from rnagen.templates.scoring import DEFAULT, Scoring

ALIGNED = 40
"""Chains that are aligned after the scan."""
SCORE_WEIGHT = 0.1
"""Of the score beside the predicted TM-score in the order of templates."""
_CELLS = 2**21
"""Aligned at once: most residues of the query times those of the templates."""


class Searcher:
    """A library, ready to be searched.

    Args:
        library: of all chains; which of them may serve a target is an argument of each search.
        scoring: of the alignments.
    """

    def __init__(self, library: Library, scoring: Scoring = DEFAULT) -> None:
        self.library, self.scoring = library, scoring

    @cached_property
    def buckets(self) -> list[Bucket]:
        """The chains, by length."""
        return buckets_of(self.library)

    def search(self, query: Query, allowed: Bool[np.ndarray, " N"], number: int = ALIGNED) -> list[Match]:
        """The best templates, by predicted TM-score and score: one of each sequence, at most `number`.

        Args:
            query: the RNA.
            allowed: chains of the library that may serve; see `DateFilter`.
            number: chains that are aligned after the scan.
        """
        matches = self.aligned(query, allowed, number)
        scores = np.array([match.score for match in matches])
        order = np.argsort(-predicted_tm(matches, len(query)) - SCORE_WEIGHT * scores, kind="stable")
        return [matches[k] for k in order]

    def aligned(self, query: Query, allowed: Bool[np.ndarray, " N"], number: int = ALIGNED) -> list[Match]:
        """The templates of `search`, by their scores."""
        if not allowed.any():
            return []
        scores = np.where(allowed, scan(query, self.buckets, self.scoring), -np.inf)
        rows = self._one_per_sequence(np.argsort(-scores, kind="stable"), allowed)[:number]
        return align_with(query, [self.library.chain(row) for row in rows], self.scoring)

    def _one_per_sequence(self, rows: Int[np.ndarray, " N"], allowed: Bool[np.ndarray, " N"]) -> list[int]:
        """In the order given, of each sequence the chain that is resolved best."""
        best: dict[int, int] = {}
        for row in rows:
            if not allowed[row]:
                break
            number = int(self.library.sequence_numbers[row])
            if number not in best or self._resolved[row] > self._resolved[best[number]]:
                best[number] = int(row)
        return list(best.values())

    @cached_property
    def _resolved(self) -> Int64[np.ndarray, " N"]:
        return np.add.reduceat(self.library.mask.sum(1), self.library.offsets)


def align_with(query: Query, chains: list[TemplateChain], scoring: Scoring = DEFAULT) -> list[Match]:
    """Each chain aligned with the query, the best score first."""
    table, worth = query.table(scoring.structure), query.worth(scoring)
    lengths = np.array([len(chain) for chain in chains], dtype=np.int64)
    matches: list[Match] = []
    for rows in of_about_one_length(lengths, _CELLS // len(query)):
        some = [chains[row] for row in rows]
        scores = np.zeros((len(some), len(query), lengths[rows].max()), dtype=np.float32)
        for one, chain in zip(scores, some):
            one[:, : len(chain)] = table[:, codes_of(chain)]
        totals, positions = _align(scores, some, worth, scoring.gaps)
        matches += [_match(query, *found) for found in zip(some, positions, totals.tolist())]
    return sorted(matches, key=lambda match: -match.score)


def _align(
    scores: Float32[np.ndarray, "T L J"], chains: list[TemplateChain], worth: Float32[np.ndarray, "L L"], gaps: Gaps
) -> tuple[Float32[np.ndarray, " T"], Int[np.ndarray, "T L"]]:
    """Totals and positions: aligned once, and again with what the pairs of the first alignment are worth."""
    lengths = np.array([[scores.shape[1], len(chain)] for chain in chains])
    _, first = align(scores, gaps, lengths)
    for one, chain, positions in zip(scores, chains, first):
        _add_pairs(one, chain, positions, worth)
    return align(scores, gaps, lengths)


def _add_pairs(
    scores: Float32[np.ndarray, "L J"],
    chain: TemplateChain,
    positions: Int[np.ndarray, " L"],
    worth: Float32[np.ndarray, "L L"],
) -> None:
    """Add, in place, what the pairs of the template are worth whose other residue is aligned."""
    aligned = np.flatnonzero(positions >= 0)
    across = chain.pair_table[positions[aligned]]
    paired = across >= 0
    scores[:, across[paired]] += worth[:, aligned[paired]]


def _match(query: Query, chain: TemplateChain, positions: Int[np.ndarray, " L"], total: float) -> Match:
    resolved = (positions >= 0) & chain.mask[positions, C1]
    positions = np.where(resolved, positions, -1).astype(np.int64)
    aligned = np.flatnonzero(resolved)
    equal = query.bases[aligned] == chain.bases[positions[aligned]]
    i, j = _common_pairs(chain, positions)
    possible = query.canonical(i, j)
    return Match(
        chain,
        positions,
        score=total / len(query),
        identity=float(equal.mean()) if len(aligned) else 0.0,
        coverage=len(aligned) / len(query),
        pairs=float(possible.mean()) if len(i) else 1.0,
        paired=2 * float(possible.sum()) / len(query),
    )


def _common_pairs(
    chain: TemplateChain, positions: Int64[np.ndarray, " L"]
) -> tuple[Int64[np.ndarray, " P"], Int64[np.ndarray, " P"]]:
    """Residues of the query i < j that are aligned with the two of a base pair of the template."""
    aligned = np.flatnonzero(positions >= 0)
    # One place more, of residues without a pair.
    back = np.full(len(chain) + 1, -1)
    back[positions[aligned]] = aligned
    other = back[np.maximum(chain.pair_table[positions[aligned]], UNPAIRED)]
    once = other > aligned
    return aligned[once], other[once]
