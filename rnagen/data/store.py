"""A prepared dataset: a folder of a table (one row per chain) and flat arrays that are memory-mapped, never unpickled.

    index.parquet            one row per chain, sorted by id: see `INDEX_COLUMNS`
    coords.npy               float32 [sum(M·L), 27, 3], Å, zero where the mask is False
    mask.npy                 bool [sum(M·L), 27]
    residue_index.npy        int32 [sum(L)]
    pairs.npy                int16 [pairs, 2], i < j, from 0
    pair_probabilities.npy   float32 [pairs]
    pair_evidence.npy        float16 [pairs, channels], by the channels of `rnagen.structure.EVIDENCE`
    partners.npy             int16 [sum(L), 2], base-paired partners: in the structure, and in the nearest of some folds
                             drawn by ViennaRNA; −1 for none, −2 where unknown
    manifest.json            format, versions, shapes and the fingerprint of the contents

Reading needs numpy and pandas only: neither gemmi nor ViennaRNA.
"""

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float32, Int16, Int32

from rnagen.errors import InputError
from rnagen.secondary.pairs import SparsePairs
from rnagen.structure import RNAStructure

FORMAT_VERSION = 2
INDEX = "index.parquet"
MANIFEST = "manifest.json"
ARRAYS = {
    "coords": np.dtype(np.float32),
    "mask": np.dtype(bool),
    "residue_index": np.dtype(np.int32),
    "pairs": np.dtype(np.int16),
    "pair_probabilities": np.dtype(np.float32),
    "pair_features": np.dtype(np.float16),
    "pair_tables": np.dtype(np.int16),
}
"""Name and type of each array file."""

INDEX_COLUMNS = {
    "id": "entry in lower case, underscore, chain; the name alone where there is no chain",
    "entry": "PDB entry in lower case, or the name of the file or target",
    "chain": "author chain, case kept",
    "sequence": "full sequence over ACGUN, unresolved residues included",
    "length": "residues L",
    "num_models": "models M",
    "model_offset": "first row in coords and mask; the chain has M·L rows, model by model",
    "residue_offset": "first row in residue_index and partners; the chain has L rows",
    "pair_offset": "first row in pairs, pair_probabilities and pair_evidence",
    "pair_count": "rows there",
    "kind": "'full' for all heavy atoms, 'c1' for C1' only",
    "release_date": "ISO date, empty when unknown",
    "method": "experiment, empty when unknown",
    "resolution": "Å, NaN when unknown",
    "title": "of the entry",
    "cluster": "sequence cluster at 80 % identity",
    "benchmark": "benchmark that owns the chain, empty for none: never for training",
    "target": "the chain is a target of that benchmark, not only a native of one",
    "source": "file it was read from",
    "resolved": "fraction of residues with C1' in at least one model",
    "breaks": "gaps in the chain; see rnagen.prepare.quality for this and the following columns",
    "bond_outliers": "fraction of bead distances within residues that are no RNA's",
    "clashes": "C1' atoms closer than two stacked bases allow, per residue",
    "contacts": "fraction of residues that touch a residue far away in the sequence",
    "radius_of_gyration": "Å, C1', first model",
}
"""Columns of the index and what they mean."""


class StructureStore:
    """Chains of a prepared dataset by row number. Opening reads the table only; coordinates are mapped on demand."""

    def __init__(self, folder: Path, manifest: dict[str, Any], index: pd.DataFrame, arrays: dict[str, np.ndarray]):
        self.folder = folder
        self.manifest = manifest
        self.index = index
        self.arrays = arrays

    @classmethod
    def open(cls, folder: Path) -> "StructureStore":
        """Open a dataset folder.

        Raises:
            InputError: a file is missing, cut short or of another format; the message names it and what differs.
        """
        folder = Path(folder)
        manifest = _read_manifest(folder / MANIFEST)
        path = folder / INDEX
        if not path.is_file():
            raise InputError(str(path), None, "missing: the dataset is unfinished, run `rnagen prepare` again")
        try:
            index = pd.read_parquet(path)
        except Exception as error:  # pyarrow raises many kinds
            raise InputError(str(path), None, f"cannot be read: {error}") from error
        missing = [column for column in INDEX_COLUMNS if column not in index.columns]
        if missing:
            raise InputError(str(path), None, f"has no column {missing[0]!r}")
        if len(index) != manifest["chains"]:
            raise InputError(str(path), None, f"{len(index)} chains, but {MANIFEST} says {manifest['chains']}")
        return cls(folder, manifest, index, {name: _map_array(folder, name, manifest) for name in ARRAYS})

    def __reduce__(self) -> tuple[Any, ...]:
        # Worker processes map the files themselves; pickling a memory map would copy the whole dataset.
        return StructureStore.open, (self.folder,)

    def __len__(self) -> int:
        """Number of chains."""
        return len(self.index)

    @property
    def fingerprint(self) -> str:
        """Hash of the contents: equal for equal data, whatever the place or time of the preparation."""
        return str(self.manifest["fingerprint"])

    @cached_property
    def _columns(self) -> dict[str, list[Any]]:
        # A row of a DataFrame costs 100 µs; a list element costs nothing.
        return {column: self.index[column].tolist() for column in INDEX_COLUMNS}

    @cached_property
    def _row_of_id(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self._columns["id"])}

    def row(self, name: str) -> int:
        """Row number of the chain with this id.

        Raises:
            KeyError: there is none.
        """
        return self._row_of_id[name]

    def value(self, i: int, column: str) -> Any:
        """One cell of the index, as a Python value."""
        return self._columns[column][i]

    def sequence(self, i: int) -> str:
        """Full sequence of chain i."""
        return str(self._columns["sequence"][i])

    def coords(self, i: int) -> Float32[np.ndarray, "M L 27 3"]:
        """Coordinates of chain i in Å: a read-only view of the file."""
        return self._per_model("coords", i)

    def mask(self, i: int) -> Bool[np.ndarray, "M L 27"]:
        """Atoms present in chain i: a read-only view of the file."""
        return self._per_model("mask", i)

    def residue_index(self, i: int) -> Int32[np.ndarray, " L"]:
        """Residue numbers of chain i: a read-only view of the file."""
        return self._per_residue("residue_index", i)

    def pair_tables(self, i: int) -> Int16[np.ndarray, "L 2"]:
        """Partners of the residues of chain i: see the description of the file."""
        return self._per_residue("pair_tables", i)

    def sparse_base_pairs(self, i: int) -> SparsePairs:
        """Base pairs of chain i with their probabilities."""
        rows = slice(self._columns["pair_offset"][i], self._columns["pair_offset"][i] + self._columns["pair_count"][i])
        return SparsePairs(
            length=self._columns["length"][i],
            pairs=np.asarray(self.arrays["pairs"][rows]),
            probabilities=np.asarray(self.arrays["pair_probabilities"][rows]),
            pair_features=np.asarray(self.arrays["pair_features"][rows], dtype=np.float32),
        )

    def base_pairs(self, i: int) -> Float32[np.ndarray, "L L"]:
        """Base-pair probabilities of the full sequence of chain i, symmetric, zero diagonal."""
        return self.sparse_base_pairs(i).dense()

    def structure(self, i: int) -> RNAStructure:
        """Chain i with all its models and the 27 heavy atoms."""
        return RNAStructure(
            name=str(self.value(i, "id")),
            sequence=self.sequence(i),
            coords=self.coords(i),
            mask=self.mask(i),
            residue_index=self.residue_index(i),
            entry=str(self.value(i, "entry")),
            chain=str(self.value(i, "chain")),
            release_date=str(self.value(i, "release_date")),
            method=str(self.value(i, "method")),
            resolution=float(self.value(i, "resolution")),
            title=str(self.value(i, "title")),
        )

    def _per_residue(self, name: str, i: int) -> np.ndarray:
        start = self._columns["residue_offset"][i]
        return np.asarray(self.arrays[name][start : start + self._columns["length"][i]])

    def _per_model(self, name: str, i: int) -> np.ndarray:
        start, length, models = (self._columns[c][i] for c in ("model_offset", "length", "num_models"))
        rows = np.asarray(self.arrays[name][start : start + models * length])
        return rows.reshape(models, length, *rows.shape[1:])


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(path.read_text())
    except FileNotFoundError:
        raise InputError(str(path), None, "missing: this folder is no prepared dataset") from None
    except ValueError as error:
        raise InputError(str(path), None, f"is no JSON: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT_VERSION:
        found = manifest.get("format") if isinstance(manifest, dict) else None
        raise InputError(str(path), None, f"dataset format {found!r}, but this version reads {FORMAT_VERSION}")
    return manifest


def _map_array(folder: Path, name: str, manifest: dict[str, Any]) -> np.ndarray:
    path = folder / f"{name}.npy"
    shape = tuple(manifest["shapes"][name])
    try:
        # An empty file cannot be mapped.
        array = np.load(path, mmap_mode="r" if 0 not in shape else None, allow_pickle=False)
    except FileNotFoundError:
        raise InputError(str(path), None, "missing") from None
    except (ValueError, OSError, EOFError) as error:
        raise InputError(str(path), None, f"cannot be mapped, perhaps cut short: {error}") from error
    if array.dtype != ARRAYS[name] or array.shape != shape:
        wanted = f"{ARRAYS[name]} {list(shape)}"
        raise InputError(str(path), None, f"holds {array.dtype} {list(array.shape)}, but {MANIFEST} says {wanted}")
    return array
