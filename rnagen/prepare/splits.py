"""Which chains to train on, to validate on and to be judged by: no later structure, no near copy, no benchmark."""

import csv
import io
from pathlib import Path

import pandas as pd

from rnagen.data.store import StructureStore
from rnagen.errors import InputError
from rnagen.io.files import atomic_write
from rnagen.prepare.metadata import ChainMetadata, read_metadata

CUTOFF = "2022-05-27"
"""First CASP15 RNA target: nothing released from this day on may be trained on."""

MINIMUM_VALIDATION_LENGTH = 20
"""Residues; the shape of a shorter chain rarely follows from its own sequence."""

SPLIT_COLUMNS = ("id", "sequence", "release_date", "cluster", "length")


def make_splits(index: pd.DataFrame, cutoff: str = CUTOFF) -> dict[str, pd.DataFrame]:
    """The splits `train`, `val` and `casp15` of a dataset's index, each with `SPLIT_COLUMNS`, sorted by id.

    - train: released before the cutoff, no benchmark chain;
    - val: released on the cutoff or later, no benchmark chain, at least `MINIMUM_VALIDATION_LENGTH` nt, in a cluster
      without any chain from before the cutoff; of each cluster the best resolved chain, then the longest, all atoms
      before C1' only, the first by id;
    - casp15: the targets of that benchmark, whatever their date.

    A chain without a date is in none of the first two.
    """
    dated = index["release_date"] != ""
    earlier = dated & (index["release_date"] < cutoff)
    benchmark = index["benchmark"] != ""
    late = (
        dated
        & ~earlier
        & ~benchmark
        & (index["length"] >= MINIMUM_VALIDATION_LENGTH)
        & ~index["cluster"].isin(set(index.loc[earlier, "cluster"]))
    )
    best_first = index[late].sort_values(
        ["resolved", "length", "kind", "id"], ascending=[False, False, False, True], kind="stable"
    )
    chosen = {
        "train": index[earlier & ~benchmark],
        "val": best_first.drop_duplicates("cluster"),
        "casp15": index[(index["benchmark"] == "casp15") & index["target"]],
    }
    return {name: rows.sort_values("id")[list(SPLIT_COLUMNS)] for name, rows in chosen.items()}


def write_splits(store: StructureStore, folder: Path, cutoff: str = CUTOFF) -> dict[str, int]:
    """Write train.csv, val.csv and casp15.csv into a folder; number of chains of each.

    Raises:
        OSError: the folder cannot be written.
    """
    counts = {}
    for name, rows in make_splits(store.index, cutoff).items():
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(SPLIT_COLUMNS)
        writer.writerows(rows.itertuples(index=False))
        with atomic_write(folder / f"{name}.csv") as file:
            file.write(text.getvalue().encode())
        counts[name] = len(rows)
    return counts


def read_split(path: Path) -> dict[str, ChainMetadata]:
    """Chains of a split by id, with their dates and clusters.

    Raises:
        InputError: the file cannot be read, or lists no chain.
    """
    chains = read_metadata([path])
    if not chains:
        raise InputError(path, None, "lists no chain")
    return chains
