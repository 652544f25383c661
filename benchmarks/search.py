"""Time of the search in the template library, for random sequences without base pairs.

python benchmarks/search.py
"""

import numpy as np
from timing import Row, benchmark, digits, markdown, random_sequence, seconds, shortest

from rnagen.templates.library import Library
from rnagen.templates.query import Query
from rnagen.templates.scan import scan
from rnagen.templates.scoring import DEFAULT
from rnagen.templates.search import Searcher


def measure(quick: bool) -> list[Row]:
    """First what happens once per run, then a row for each length."""
    opened: list[Library] = []
    taken = seconds(lambda: opened.append(Library.open()))
    (library,) = opened
    searcher, everything = Searcher(library), np.ones(len(library), dtype=bool)
    ready = seconds(lambda: searcher.buckets)
    rows: list[Row] = [{"chains": len(library), "residues": int(library.lengths.sum()), "open": taken, "ready": ready}]
    for length in (20, 120, 720) if quick else (20, 120, 720, 4300):
        query = Query.of(random_sequence(length), np.zeros((length, length), np.float32))
        repeats = 3 if length < 1000 else 1
        scanned = shortest(lambda query=query: scan(query, searcher.buckets, DEFAULT), repeats)
        searched = shortest(lambda query=query: searcher.search(query, everything), repeats)
        rows.append({"length": length, "scan": scanned, "search": searched})
    return rows


def table(rows: list[Row]) -> list[str]:
    """A line for each length."""
    once, *others = rows
    cells = [
        (
            row["length"],
            digits(row["search"]),
            digits(once["chains"] / row["scan"]),
            f"{row['scan'] / row['search']:.0%}",
        )
        for row in others
    ]
    lines = markdown(("nt", "search, s", "chains scanned a second", "share of the scan"), cells)
    size = f"{once['chains']:,} chains, {once['residues']:,} nt"
    return [*lines, "", f"{size}; opened in {once['open']:.2f} s and made ready in {once['ready']:.2f} s, once a run."]


if __name__ == "__main__":
    benchmark(measure, table)
