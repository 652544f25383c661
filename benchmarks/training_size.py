"""Seconds of a training step against crop and threads, with the options of configs/small.yaml.

    python benchmarks/training_size.py

Not compiled, in fp32, on synthetic RNA; each case is a process of its own. benchmarks/training.py compares precisions
and compilation.
"""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import RNA
from timing import ROOT, Row, benchmark, digits, environment, markdown

from rnagen.config.files import load_config, load_yaml, to_plain
from rnagen.config.structure import TrainConfig
from rnagen.data.chains import ChainInfo
from rnagen.data.dataset import FILE, write_dataset
from rnagen.preparation.chains import as_chain
from rnagen.preparation.synthetic import synthetic_rna
from rnagen.secondary.vienna import secondary_structures_of
from rnagen.structure import HEAVY_ATOMS

CHAINS, LENGTH, STEPS = 8, 200, 4


def dataset(folder: Path) -> Path:
    """Folder with training chains that are as long as every crop."""
    folder.mkdir()
    chains = [synthetic_rna(k, LENGTH) for k in range(CHAINS)]
    infos = [
        ChainInfo(chain.name, chain.name, split="train" if k else "val", release_date="2020-01-01", cluster=k)
        for k, chain in enumerate(chains)
    ]
    folded = (as_chain(one, secondary_structures_of(one.sequence, other_models=False)) for one in chains)
    write_dataset(folder / FILE, HEAVY_ATOMS, infos, folded, RNA.__version__)
    return folder


def measure(quick: bool) -> list[Row]:
    """A row for each crop and number of threads."""
    small = load_config(TrainConfig(), load_yaml(ROOT / "configs" / "small.yaml"), "configs/small.yaml")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    rows: list[Row] = []
    with TemporaryDirectory() as folder:
        data = dataset(Path(folder) / "data")
        for crop in (64,) if quick else (64, 96, 192):
            for threads in sorted({1, cores}):
                options = replace(small.dataset, data=data, crop=crop)
                config = replace(small, dataset=options, optim=replace(small.optim, compile=False, precision="32"))
                rows.append({"crop": crop, "threads": threads, "batch": options.batch_size, **steps(config, threads)})
    return rows


def steps(config: TrainConfig, threads: int) -> Row:
    """The shortest step of some, and the memory of the process."""
    with TemporaryDirectory() as folder:
        options = Path(folder) / "options.json"
        options.write_text(json.dumps(to_plain(config)))
        done = subprocess.run(
            [sys.executable, str(ROOT / "benchmarks" / "training_worker.py"), str(options), str(STEPS), str(threads)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env=environment(),
        )
    found = json.loads(done.stdout.splitlines()[-1])
    # The first step allocates.
    return {"seconds": min(found["wall"][1:]), "gib": found["gib"]}


def table(rows: list[Row]) -> list[str]:
    """A line for each case; ratios are to one thread."""
    cells = []
    for row in rows:
        alone = next(one["seconds"] for one in rows if one["crop"] == row["crop"] and one["threads"] == 1)
        residues = row["crop"] * row["batch"] / row["seconds"]
        cells.append(
            (
                f"{row['batch']} × {row['crop']}",
                row["threads"],
                digits(row["seconds"]),
                f"{alone / row['seconds']:.2f}",
                digits(residues),
                f"{row['gib']:.1f}",
            )
        )
    return markdown(("crops × nt", "threads", "s per step", "× one thread", "residues a second", "GiB"), cells)


if __name__ == "__main__":
    benchmark(measure, table)
