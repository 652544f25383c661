"""Known structures of related sequences: the library chains that align best with an RNA, and how they align."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float32, Int, Int64

from rnagen.dynamic_programming import align
from rnagen.structure import UNKNOWN
from rnagen.templates.library import C1, Library, TemplateChain
from rnagen.templates.query import Query, codes_of
from rnagen.templates.scan import Bucket, buckets_of, scan
from rnagen.templates.scoring import DEFAULT, Scoring

ALIGNED = 20
"""Chains that are aligned after the scan."""
_CELLS = 2**24
"""Aligned at once: most residues of the query times those of the templates."""


@dataclass(frozen=True)
class Match:
    """A library chain aligned with the query."""

    chain: TemplateChain
    positions: Int64[np.ndarray, " L"]
    """Residue of the template that each residue of the query is aligned with; −1 for none."""
    score: float
    """Of the alignment, per residue of the query."""
    identity: float
    """Share of equal bases among the aligned residues."""
    coverage: float
    """Share of the query that is aligned with a resolved residue."""
    pairs: float
    """Share of the template's base pairs between aligned residues that the query can form too; 1 where it has none."""

    @property
    def similarity(self) -> float:
        """Identity × coverage: what decides whether a template is useful."""
        return self.identity * self.coverage


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
        """The best templates, best first: one of each sequence, at most `number`.

        Args:
            query: the RNA.
            allowed: chains of the library that may serve; see `DateGate`.
            number: chains that are aligned after the scan.
        """
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
    """Each chain aligned with the query, the best first."""
    matches: list[Match] = []
    longest = max((len(chain) for chain in chains), default=1)
    at_once = max(1, _CELLS // (len(query) * longest))
    for start in range(0, len(chains), at_once):
        matches += _align(query, chains[start : start + at_once], scoring)
    return sorted(matches, key=lambda match: -match.score)


def _align(query: Query, chains: list[TemplateChain], scoring: Scoring) -> list[Match]:
    lengths = np.array([[len(query), len(chain)] for chain in chains])
    table, canonical = query.table(scoring.structure), query.canonical()
    scores = np.zeros((len(chains), len(query), lengths[:, 1].max()), dtype=np.float32)
    for one, chain in zip(scores, chains):
        one[:, : len(chain)] = table[:, codes_of(chain)]
    worth = scoring.pair * (
        scoring.probability * query.pairs + np.where(canonical, scoring.canonical, scoring.mismatch)
    )
    totals, positions = align(scores, scoring.gaps, lengths)
    for _ in range(scoring.rounds):
        with_pairs = scores.copy()
        for one, chain, places in zip(with_pairs, chains, positions):
            _add_pairs(one, chain, places, worth.astype(np.float32))
        totals, positions = align(with_pairs, scoring.gaps, lengths)
    return [_match(query, *found) for found in zip(chains, positions, totals.tolist())]


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
    return Match(
        chain,
        positions,
        score=float(total) / len(query),
        identity=float(equal.mean()) if len(aligned) else 0.0,
        coverage=len(aligned) / len(query),
        pairs=_shared_pairs(query, chain, positions),
    )


def _shared_pairs(query: Query, chain: TemplateChain, positions: Int[np.ndarray, " L"]) -> float:
    """See `Match.pairs`."""
    back = {int(j): i for i, j in enumerate(positions) if j >= 0}
    possible = [(i, back.get(int(chain.pair_table[j]), -1)) for j, i in back.items() if chain.pair_table[j] > UNKNOWN]
    both = np.array([(i, k) for i, k in possible if k > i], dtype=np.int64).reshape(-1, 2)
    return float(query.canonical()[both[:, 0], both[:, 1]].mean()) if len(both) else 1.0
