"""The score of the best alignment of a query with each chain of a library.

Semi-global alignment with affine gaps (Gotoh, J. Mol. Biol. 162, 705 (1982)): residues of the template that stand out
at its ends are free, those of the query cost `Scoring.overhang` each. Row by row of the query, for all chains of about
one length at once; along a row, gaps are a running maximum. No traceback: `rnagen.templates.search` aligns the best
again.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int, Int64, UInt8

from rnagen.templates.library import Library
from rnagen.templates.query import Query, residue_codes
from rnagen.templates.scoring import Scoring

_PADDING = 20
"""Code of what lies behind the end of a chain."""
_NEVER = np.float32(-1e4)
_LONGER = 1.2
_CELLS = 2**17
"""Most residues in a bucket: their rows should stay in the processor's cache."""


@dataclass(frozen=True)
class Bucket:
    """Chains of about one length, side by side."""

    rows: Int64[np.ndarray, " T"]
    """In the library."""
    codes: UInt8[np.ndarray, "J T"]


def buckets_of(library: Library) -> list[Bucket]:
    """All chains of a library in buckets."""
    position = np.arange(len(library.bases)) - np.repeat(library.offsets, library.lengths)
    codes = residue_codes(library.bases, library.pair_tables, position)
    return [_bucket(library, codes, rows) for rows in of_about_one_length(library.lengths, _CELLS)]


def of_about_one_length(lengths: Int[np.ndarray, " N"], most: int) -> Iterator[Int64[np.ndarray, " T"]]:
    """Chains in groups that waste little when they are padded to one length: the longest is at most `_LONGER` times as
    long as the shortest, and all together have at most so many residues (a single chain may have more)."""
    order = np.argsort(lengths, kind="stable")
    start = 0
    for stop in range(1, len(order) + 1):
        longest = lengths[order[stop]] if stop < len(order) else np.inf
        if longest > _LONGER * lengths[order[start]] or longest * (stop + 1 - start) > most:
            yield order[start:stop]
            start = stop


def _bucket(library: Library, codes: UInt8[np.ndarray, " residues"], rows: Int64[np.ndarray, " T"]) -> Bucket:
    beside = np.full((int(library.lengths[rows].max()), len(rows)), _PADDING, dtype=np.uint8)
    for column, (start, length) in enumerate(zip(library.offsets[rows].tolist(), library.lengths[rows].tolist())):
        beside[:length, column] = codes[start : start + length]
    return Bucket(rows, beside)


def scan(query: Query, buckets: list[Bucket], scoring: Scoring) -> Float32[np.ndarray, " N"]:
    """Score of the best alignment with each chain, per query residue."""
    never = np.full((len(query), 1), _NEVER)
    table = np.concatenate([query.table(scoring.structure), never], axis=1)
    scores = np.empty(sum(len(bucket.rows) for bucket in buckets), dtype=np.float32)
    for bucket in buckets:
        scores[bucket.rows] = _best(table, bucket.codes, scoring)
    return scores / max(len(query), 1)


def _best(
    table: Float32[np.ndarray, "L 21"], codes: UInt8[np.ndarray, "J T"], scoring: Scoring
) -> Float32[np.ndarray, " T"]:
    length, indices = len(table), codes.astype(np.intp)
    shape = codes.shape
    opening, extension, overhang = scoring.gap_open, scoring.gap_extend, scoring.overhang
    # Row and column 0 stand for nothing aligned yet.
    above = np.zeros((shape[0] + 1, shape[1]), dtype=np.float32)
    here, skipped = np.empty_like(above), np.full_like(above, _NEVER)
    ramp = (extension * np.arange(shape[0] + 1, dtype=np.float32))[:, None]
    best = np.full(shape[1], -overhang * length, dtype=np.float32)
    gap, scratch = np.empty_like(above), np.empty_like(above)
    for i in range(length):
        # `above` is never under its overhang: an alignment may begin anywhere in the template.
        np.take(table[i], indices, out=here[1:], mode="clip")
        here[1:] += above[:-1]
        here[0] = -overhang * (i + 1)
        # A query residue that is not aligned.
        np.subtract(above, opening, out=scratch)
        skipped -= extension
        np.maximum(skipped, scratch, out=skipped)
        np.maximum(here, skipped, out=here)
        # Template residues that are not: max over k < j of here[k] − open − extend·(j − k − 1).
        np.add(here, ramp, out=gap)
        _running_maximum(gap, scratch)
        gap[:-1] -= ramp[:-1] + np.float32(opening)
        np.maximum(here[1:], gap[:-1], out=here[1:])
        np.maximum(best, here.max(0) - np.float32(overhang * (length - 1 - i)), out=best)
        np.maximum(here, np.float32(-overhang * (i + 1)), out=here)
        above, here = here, above
    return best


def _running_maximum(values: Float32[np.ndarray, "J T"], scratch: Float32[np.ndarray, "J T"]) -> None:
    """In place along the first axis, by doubling: `np.maximum.accumulate` takes forty times as long as one pass."""
    step = 1
    while step < len(values):
        scratch[step:] = values[:-step]
        np.maximum(values[step:], scratch[step:], out=values[step:])
        step *= 2
