"""Known structures of related sequences: the library chains that align best with an RNA, and how they align."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float32, Int, Int64

from rnagen.dynamic_programming import Gaps, align
from rnagen.structure import UNKNOWN
from rnagen.templates.library import C1, Library, TemplateChain
from rnagen.templates.query import Query, codes_of
from rnagen.templates.scan import GAP_EXTEND, GAP_OPEN, OVERHANG, Bucket, buckets_of, scan

ALIGNED = 20
"""Chains that are aligned after the scan."""
ROUNDS = 2
"""Alignments after the first, each with the pairs of the one before."""
PAIR_WEIGHT = 0.7
PROBABILITY_WEIGHT = 2.0
CANONICAL_BONUS = 0.5
MISMATCH = -0.7
"""A template residue whose partner is aligned with i' is worth, aligned with i, PAIR_WEIGHT · (PROBABILITY_WEIGHT ·
P(i, i') + CANONICAL_BONUS), or PAIR_WEIGHT · (PROBABILITY_WEIGHT · P(i, i') + MISMATCH) where i and i' cannot pair."""
_CELLS = 2**24
"""Aligned at once: most residues of the query times those of the templates."""


@dataclass(frozen=True)
class Match:
    """A library chain aligned with the query."""

    chain: TemplateChain
    partner: Int64[np.ndarray, " L"]
    """Template residue that each residue of the query is aligned with; −1 for none."""
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
        library: of all chains; which of them may serve a target, the caller says in each search.
    """

    def __init__(self, library: Library) -> None:
        self.library = library

    @cached_property
    def buckets(self) -> list[Bucket]:
        """The chains, by length."""
        return buckets_of(self.library)

    def search(self, query: Query, allowed: Bool[np.ndarray, " N"], number: int = ALIGNED) -> list[Match]:
        """The best templates, best first: one of each sequence, at most `number`.

        Args:
            query: the RNA.
            allowed: chains of the library that may serve; see `rnagen.templates.gate`.
            number: chains that are aligned after the scan.
        """
        if not allowed.any():
            return []
        scores = np.where(allowed, scan(query, self.buckets), -np.inf)
        rows = self._one_per_sequence(np.argsort(-scores, kind="stable"), allowed)[:number]
        return align_with(query, [self.library.chain(row) for row in rows])

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


def align_with(query: Query, chains: list[TemplateChain]) -> list[Match]:
    """Each chain aligned with the query, the best first."""
    matches: list[Match] = []
    longest = max((len(chain) for chain in chains), default=1)
    at_once = max(1, _CELLS // (len(query) * longest))
    for start in range(0, len(chains), at_once):
        matches += _align(query, chains[start : start + at_once])
    return sorted(matches, key=lambda match: -match.score)


def _align(query: Query, chains: list[TemplateChain]) -> list[Match]:
    lengths = np.array([[len(query), len(chain)] for chain in chains])
    table, canonical = query.table(), query.canonical()
    scores = np.zeros((len(chains), len(query), lengths[:, 1].max()), dtype=np.float32)
    for one, chain in zip(scores, chains):
        one[:, : len(chain)] = table[:, codes_of(chain)]
    gaps = Gaps(GAP_OPEN, GAP_EXTEND, (OVERHANG, 0.0))
    worth = PAIR_WEIGHT * (PROBABILITY_WEIGHT * query.pairs + np.where(canonical, CANONICAL_BONUS, MISMATCH))
    totals, partners = align(scores, gaps, lengths)
    for _ in range(ROUNDS):
        with_pairs = scores.copy()
        for one, chain, partner in zip(with_pairs, chains, partners):
            _add_pairs(one, chain, partner, worth.astype(np.float32))
        totals, partners = align(with_pairs, gaps, lengths)
    return [_match(query, *found) for found in zip(chains, partners, totals.tolist())]


def _add_pairs(
    scores: Float32[np.ndarray, "L J"],
    chain: TemplateChain,
    partner: Int[np.ndarray, " L"],
    worth: Float32[np.ndarray, "L L"],
) -> None:
    """Add, in place, what the pairs of the template are worth whose other residue is aligned by `partner`."""
    aligned = np.flatnonzero(partner >= 0)
    across = chain.pair_table[partner[aligned]]
    paired = across >= 0
    scores[:, across[paired]] += worth[:, aligned[paired]]


def _match(query: Query, chain: TemplateChain, partner: Int[np.ndarray, " L"], total: float) -> Match:
    resolved = (partner >= 0) & chain.mask[partner, C1]
    partner = np.where(resolved, partner, -1).astype(np.int64)
    aligned = np.flatnonzero(resolved)
    equal = query.bases[aligned] == chain.bases[partner[aligned]]
    return Match(
        chain,
        partner,
        score=float(total) / len(query),
        identity=float(equal.mean()) if len(aligned) else 0.0,
        coverage=len(aligned) / len(query),
        pairs=_shared_pairs(query, chain, partner),
    )


def _shared_pairs(query: Query, chain: TemplateChain, partner: Int[np.ndarray, " L"]) -> float:
    """See `Match.pairs`."""
    back = {int(j): i for i, j in enumerate(partner) if j >= 0}
    possible = [(i, back.get(int(chain.pair_table[j]), -1)) for j, i in back.items() if chain.pair_table[j] > UNKNOWN]
    both = np.array([(i, k) for i, k in possible if k > i], dtype=np.int64).reshape(-1, 2)
    return float(query.canonical()[both[:, 0], both[:, 1]].mean()) if len(both) else 1.0
