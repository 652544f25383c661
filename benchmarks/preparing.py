"""Time of the stages of `rnagen prepare`, for synthetic RNA written as mmCIF files, in one process.

python benchmarks/preparing.py
"""

import cProfile
import pstats
from pathlib import Path
from tempfile import TemporaryDirectory

from timing import Row, benchmark, digits, markdown

from rnagen.config.prepare import PrepareConfig
from rnagen.io.write import write_structure
from rnagen.preparation.run import run_prepare
from rnagen.preparation.synthetic import synthetic_rna

STAGES = {
    "gather": "read the files, choose chains",
    "greedy_clusters": "of which sequences compared",
    "_predict": "base pairs",
    "write_dataset": "write the dataset",
    "write_splits": "splits",
    "write_beads": "beads and the synthetic set",
    "run_prepare": "all",
}
"""Functions of `rnagen.preparation`, and what they do."""
LENGTHS = (40, 80, 120)
"""nt, in turn."""


def measure(quick: bool) -> list[Row]:
    """Seconds of each stage, with what it calls, then of a second run."""
    number = 6 if quick else 30
    with TemporaryDirectory() as folder:
        inputs, out = Path(folder) / "structures", Path(folder) / "data"
        inputs.mkdir()
        for k in range(number):
            rna = synthetic_rna(k, LENGTHS[k % len(LENGTHS)])
            write_structure(rna, inputs / f"{rna.name}.cif")
        config = PrepareConfig(
            inputs=(inputs,), out=out, workers=1, assume_date="2020-01-01", splits=out / "splits", quiet=True
        )
        first = profiled(config)
        second = profiled(config)["run_prepare"]
    rows: list[Row] = [{"stage": name, "seconds": first[name], "chains": number} for name in STAGES if name in first]
    return [*rows, {"stage": "run_prepare again", "seconds": second, "chains": number}]


def profiled(config: PrepareConfig) -> dict[str, float]:
    """Seconds of the functions of a run, by name, with what they call."""
    with cProfile.Profile() as profile:
        run_prepare(config)
    statistics = pstats.Stats(profile).get_stats_profile().func_profiles
    return {name: statistics[name].cumtime for name in STAGES if name in statistics}


def table(rows: list[Row]) -> list[str]:
    """A line for each stage."""
    total = next(row["seconds"] for row in rows if row["stage"] == "run_prepare")
    cells = [
        (
            STAGES.get(row["stage"], "all again, nothing changed"),
            digits(1e3 * row["seconds"] / row["chains"]),
            f"{row['seconds'] / total:.0%}",
        )
        for row in rows
    ]
    return markdown((f"stage, {rows[0]['chains']} chains", "ms per chain", "share"), cells)


if __name__ == "__main__":
    benchmark(measure, table)
