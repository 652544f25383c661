"""Small input files for the tests of data preparation, made by code."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from rnagen.data.dataset import FILE, Dataset, write_dataset
from rnagen.features import Chain
from rnagen.io.kaggle import write_labels
from rnagen.io.write import write_structure
from rnagen.preparation.synthetic import synthetic_rna
from rnagen.structure import RNAStructure


def chain(seed: int, length: int, entry: str, name: str = "A") -> RNAStructure:
    """A synthetic chain under a PDB-like identifier."""
    return replace(synthetic_rna(seed, length), name=f"{entry}_{name}", entry=entry, chain=name)


def assert_equal_chains(first: Sequence[Chain], second: Sequence[Chain]) -> None:
    """Every array of the chains is the same."""
    assert len(first) == len(second)
    for one, other in zip(first, second):
        assert (one.name, one.pairs.length) == (other.name, other.pairs.length)
        for name in ("bases", "residue_index", "coords", "mask", "pair_tables"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        np.testing.assert_array_equal(one.pairs.dense(), other.pairs.dense())
        np.testing.assert_array_equal(
            one.pairs.dense_features().astype(np.float16), other.pairs.dense_features().astype(np.float16)
        )


def rewrite(folder: Path, **columns: Sequence[Any]) -> None:
    """Give the chains of a dataset folder other dates, clusters or the like."""
    dataset = Dataset.open(folder)
    infos = list(dataset.chains.infos)
    for name, values in columns.items():
        infos = [replace(info, **{name: value}) for info, value in zip(infos, values, strict=True)]
    chains = dataset.chains.chains()
    write_dataset(folder / FILE, dataset.chains.atoms, infos, chains, dataset.viennarna)


def write_collection(folder: Path) -> list[RNAStructure]:
    """A folder like the shared data: three full chains, a table with one of them and one more, metadata, and files
    that are no input."""
    chains = [chain(1, 24, "1aaa"), chain(2, 30, "2bbb"), chain(3, 40, "3ccc", "b")]
    (folder / "structures").mkdir(parents=True)
    (folder / "kaggle").mkdir()
    (folder / "originals").mkdir()
    for c in chains:
        write_structure(c, folder / "structures" / f"{c.name}.cif.gz")
    shutil.copy(folder / "structures" / "1aaa_A.cif.gz", folder / "originals" / "9zzz.cif.gz")
    (folder / "structures" / "broken.cif.gz").write_bytes(b"\x1f\x8b no gzip")
    extra = chain(4, 28, "4ddd")
    upper = [replace(c, name=c.name[:4].upper() + c.name[4:]) for c in (chains[0], extra)]
    write_labels(folder / "kaggle" / "train_labels.csv", upper)
    dates = "".join(f"{c.name},{c.sequence},2023-01-01\n" for c in upper)
    (folder / "kaggle" / "train_sequences.csv").write_text("target_id,sequence,temporal_cutoff\n" + dates)
    rows = ["1aaa,A,2001-01-01,7,", "2bbb,A,2022-05-27,8,", "3ccc,b,2023-01-01,9,casp15"]
    (folder / "index.csv").write_text("pdb_id,chain,release_date,cluster80,benchmark\n" + "\n".join(rows) + "\n")
    return [*chains, extra]
