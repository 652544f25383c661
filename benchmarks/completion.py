"""Time of completing beads to all heavy atoms.

python benchmarks/completion.py
"""

from dataclasses import replace

import numpy as np
from timing import Row, benchmark, digits, markdown, shortest

from rnagen.allatom import complete
from rnagen.preparation.synthetic import synthetic_rna
from rnagen.structure import BEADS


def measure(quick: bool) -> list[Row]:
    """A row for each length and number of conformers."""
    complete(synthetic_rna(0, 30))  # the library of nucleotides is read once
    rows: list[Row] = []
    for length in (30, 120) if quick else (30, 70, 120, 250):
        beads = synthetic_rna(0, length).select_atoms(BEADS)
        for n in (1, 5):
            several = replace(beads, coords=np.repeat(beads.coords, n, axis=0), mask=np.repeat(beads.mask, n, axis=0))
            taken = shortest(lambda several=several: complete(several), 1 if length * n > 300 else 2)
            rows.append({"length": length, "n": n, "seconds": taken})
    return rows


def table(rows: list[Row]) -> list[str]:
    """A line for each length."""
    cells = [
        (
            one["length"],
            digits(one["seconds"]),
            digits(five["seconds"] / five["n"]),
            digits(1e3 * five["seconds"] / five["n"] / five["length"]),
            f"{one['seconds'] * five['n'] / five['seconds']:.2f}",
        )
        for one, five in zip(rows[::2], rows[1::2])
    ]
    return markdown(("nt", "one conformer, s", "each of five, s", "ms per residue", "gain of five at once"), cells)


if __name__ == "__main__":
    benchmark(measure, table)
