"""Time of the base-pair probabilities, which grows with the cube of the length, and of reading them from the cache.

python benchmarks/folding.py
"""

import os
from tempfile import TemporaryDirectory

from timing import Row, benchmark, digits, markdown, random_sequence, seconds, shortest

from rnagen.caches import CACHE
from rnagen.secondary.cached import SHORTEST, base_pairs


def measure(quick: bool) -> list[Row]:
    """A row for each length. Every RNA is folded once, in a cache of its own."""
    base_pairs(random_sequence(20))  # ViennaRNA reads its parameters
    rows: list[Row] = []
    for length in (70, 120, 250) if quick else (70, 120, 250, 500, 1000, 2000):
        sequence = random_sequence(length)
        with TemporaryDirectory() as folder:
            before = os.environ.get(CACHE)
            os.environ[CACHE] = folder
            try:
                first = seconds(lambda sequence=sequence: base_pairs(sequence))
                again = shortest(lambda sequence=sequence: base_pairs(sequence)) if length >= SHORTEST else None
            finally:
                os.environ.pop(CACHE) if before is None else os.environ.update({CACHE: before})
        rows.append({"length": length, "seconds": first, "again": again})
    return rows


def table(rows: list[Row]) -> list[str]:
    """Ratios are to the row before."""
    cells = []
    for before, row in zip([None, *rows], rows):
        ratio = "" if before is None else f"{row['seconds'] / before['seconds']:.1f}"
        again = "not cached" if row["again"] is None else digits(1e3 * row["again"])
        cells.append((row["length"], digits(1e3 * row["seconds"]), ratio, again))
    return markdown(("nt", "folding, ms", "× the row before", "from the cache, ms"), cells)


if __name__ == "__main__":
    benchmark(measure, table)
