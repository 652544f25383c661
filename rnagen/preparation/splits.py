"""Which chains train, validate and are scored: no later structure, no near copy, no benchmark in training."""

import csv
import io
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from rnagen.data.chains import Chains
from rnagen.data.dataset import Dataset, write_dataset
from rnagen.data.filters import MIN_VALIDATION
from rnagen.errors import InputError
from rnagen.io.files import write_text
from rnagen.preparation.ensembles import ENSEMBLE_COLUMNS, ensemble_rows
from rnagen.preparation.metadata import ChainMetadata, read_metadata
from rnagen.preparation.synthetic import synthetic_set
from rnagen.structure import BEADS

CUTOFF = "2022-05-27"
"""First CASP15 RNA target: nothing released from this day on may be trained on."""

SPLIT_COLUMNS = ("id", "sequence", "release_date", "cluster", "length")


def make_splits(chains: Chains, cutoff: str = CUTOFF, held_out: Collection[int] = ()) -> dict[str, list[int]]:
    """Rows of the splits `train`, `val` and `casp15`, sorted by the name of the chain.

    - train: released before the cutoff, no benchmark chain, not in a cluster that is held out;
    - val: released on the cutoff or later, no benchmark chain, at least `MIN_VALIDATION` nt, in a cluster
      without any chain from before the cutoff; of each cluster the best resolved chain, then the longest, all atoms
      before C1' only, the first by name;
    - casp15: the targets of that benchmark, whatever their date.

    A chain without a date is in none of the first two.
    """
    infos, lengths = chains.infos, chains.lengths.tolist()
    earlier = [row for row, info in enumerate(infos) if "" < info.release_date < cutoff]
    known_clusters = {infos[row].cluster for row in earlier}
    late = [
        row
        for row, info in enumerate(infos)
        if info.release_date >= cutoff
        and not info.benchmark
        and lengths[row] >= MIN_VALIDATION
        and info.cluster not in known_clusters
    ]
    late.sort(key=lambda row: (-infos[row].resolved, -lengths[row], infos[row].kind != "full", infos[row].name))
    best = {infos[row].cluster: row for row in reversed(late)}
    chosen = {
        "train": [row for row in earlier if not infos[row].benchmark and infos[row].cluster not in held_out],
        "val": list(best.values()),
        "casp15": [row for row, info in enumerate(infos) if info.benchmark == "casp15" and info.target],
    }
    return {name: sorted(rows, key=lambda row: infos[row].name) for name, rows in chosen.items()}


def write_splits(chains: Chains, folder: Path, cutoff: str = CUTOFF, held_out: Collection[int] = ()) -> dict[str, int]:
    """Write train.csv, val.csv and casp15.csv into a folder, one row per chain, and ensemble.csv, one row per RNA with
    several conformers; number of rows of each. The chains of clusters that are held out do not train.

    Raises:
        OSError: the folder cannot be written.
    """
    splits = make_splits(chains, cutoff, held_out)
    tables = {name: [_row(chains, row) for row in rows] for name, rows in splits.items()}
    tables["ensemble"] = ensemble_rows(chains, splits["train"])
    for name, rows in tables.items():
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(ENSEMBLE_COLUMNS if name == "ensemble" else SPLIT_COLUMNS)
        writer.writerows(rows)
        write_text(folder / f"{name}.csv", text.getvalue())
    return {name: len(rows) for name, rows in tables.items()}


def _row(chains: Chains, row: int) -> list[str | int]:
    info = chains.infos[row]
    return [info.name, chains.sequence(row), info.release_date, info.cluster, int(chains.lengths[row])]


def write_beads(dataset: Dataset, file: Path, cutoff: str = CUTOFF, held_out: Collection[int] = ()) -> dict[str, int]:
    """Write the training and validation chains and the synthetic set to one file that carries its splits, with the
    atoms that models generate by default; number of chains of each.

    Raises:
        OSError: the file cannot be written.
    """
    splits = make_splits(dataset.chains, cutoff, held_out)
    parts = {name: dataset.chains.select(splits[name], BEADS) for name in ("train", "val")}
    made = Dataset.open(synthetic_set())
    parts["synthetic"] = made.chains.select(made.split("train", made.path), BEADS)
    infos = [replace(info, split=name) for name, part in parts.items() for info in part.infos]
    chains = (part.chain(row) for part in parts.values() for row in range(len(part)))
    write_dataset(file, BEADS, infos, chains, dataset.viennarna, dataset.fingerprint)
    return {name: len(part) for name, part in parts.items()}


def read_split(path: Path) -> dict[str, ChainMetadata]:
    """Chains of a split by id, with their dates and clusters.

    Raises:
        InputError: the file cannot be read, or lists no chain.
    """
    chains = read_metadata([path])
    if not chains:
        raise InputError(path, None, "lists no chain")
    return chains
