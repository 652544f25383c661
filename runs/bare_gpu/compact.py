"""The training and validation chains of a dataset, small enough to be carried to a GPU machine.

    python runs/bare_gpu/compact.py BEADS.safetensors COMPACT.xz

BEADS.safetensors is what `rnagen prepare --beads` writes. Of each chain at most three models are selected (entries by
NMR have up to forty), centred and rounded to 1/64 Å; unlikely base pairs, pair features and synthetic chains are left
out: 4 MiB remain of 46.
"""

import argparse
import lzma
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from rnagen.data.dataset import Dataset, TrainingData, read_data, write_dataset
from rnagen.features import Chain
from rnagen.secondary.pairs import SparsePairs
from rnagen.structure import PAIR_FEATURES

MODELS = 3
GRID = 64
"""Steps per Å: a power of two, so that rounded coordinates have few significant bits."""
LEAST = {"train": 2e-4, "val": 1e-4}
"""Base pairs with a lower probability are left out."""


def few_models(count: int) -> list[int]:
    """At most `MODELS` of so many models, evenly chosen."""
    return np.linspace(0, count - 1, min(count, MODELS)).round().astype(int).tolist()


def compacted(chain: Chain, least: float) -> Chain:
    """A chain with few models, rounded coordinates and likely base pairs only."""
    models = few_models(len(chain.coords))
    mask, coords = chain.mask[models], chain.coords[models]
    atoms = np.maximum(mask.sum((1, 2)), 1)[:, None, None, None]
    centred = np.where(mask[..., None], coords - coords.sum((1, 2), keepdims=True) / atoms, 0)
    likely = chain.pairs.probabilities >= least
    return replace(
        chain,
        coords=(np.rint(centred * GRID) / GRID).astype(np.float32),
        mask=mask,
        pairs=plain_pairs(len(chain.bases), chain.pairs.pairs[likely], rounded(chain.pairs.probabilities[likely])),
    )


def rounded(values: np.ndarray) -> np.ndarray:
    """float32 values with the precision of bfloat16."""
    return (np.ascontiguousarray(values, np.float32).view(np.uint32) + 0x8000 & 0xFFFF0000).view(np.float32)


def plain_pairs(length: int, pairs: np.ndarray, probabilities: np.ndarray) -> SparsePairs:
    """Base pairs whose pair features are all zero."""
    return SparsePairs(length, pairs, probabilities, np.zeros((len(pairs), len(PAIR_FEATURES)), np.float32))


def write_compact(dataset: Dataset, path: Path) -> None:
    """Write the file. Its fingerprint is that of the dataset."""
    chains = dataset.chains
    rows = [row for name in LEAST for row, info in enumerate(chains.infos) if info.split == name]
    infos = [chains.infos[row] for row in rows]
    small = (compacted(chains.chain(row), LEAST[chains.infos[row].split]) for row in rows)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "chains.safetensors"
        write_dataset(file, chains.atoms, infos, small, dataset.viennarna, dataset.fingerprint)
        path.write_bytes(lzma.compress(file.read_bytes(), preset=6))
    print(f"{path}: {len(infos)} chains, {path.stat().st_size / 2**20:.1f} MiB")


def read_compact(path: Path, cutoff: str, atoms: Sequence[str]) -> TrainingData:
    """The sets of a file of `write_compact`, past the date filter."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "chains.safetensors"
        file.write_bytes(lzma.decompress(path.read_bytes()))
        return replace(read_data(file, path.parent, cutoff, tuple(atoms)), source=path.name)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("beads", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    write_compact(Dataset.open(options.beads), options.out)
