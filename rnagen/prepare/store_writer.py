"""Write a dataset folder that `StructureStore` opens."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rnagen.data.store import ARRAYS, FORMAT_VERSION, INDEX, INDEX_COLUMNS, MANIFEST
from rnagen.io.files import hash_files
from rnagen.secondary.native import canonical_pair_table, nearest_pair_table
from rnagen.secondary.pairs import MINIMUM_PROBABILITY, SecondaryStructures, SparsePairs
from rnagen.structure import HEAVY_ATOMS, PAIR_FEATURES, RNAStructure
from rnagen.version import __version__

STAGING = ".staging"


def write_store(
    folder: Path,
    rows: list[dict[str, Any]],
    chains: Iterable[tuple[RNAStructure, SecondaryStructures]],
    viennarna_version: str,
) -> str:
    """Write the dataset and return its fingerprint.

    `rows` are the index rows without their offsets; `chains` yields, in the same order, the structure and the folds
    of each: only one is held in memory at a time. Everything is written aside first; a dataset that is replaced
    stays whole until then, and `index.parquet` comes last, so that an interrupted run leaves no dataset that opens.

    Raises:
        OSError: the folder cannot be written or the disk is full.
        ValueError: a chain does not fit its row.
    """
    staging = folder / STAGING
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    shapes, pair_counts = _write_arrays(staging, rows, chains)
    index = _index(rows, pair_counts)
    fingerprint = _fingerprint(staging, index)
    index.to_parquet(staging / INDEX, index=False)
    manifest = {
        "format": FORMAT_VERSION,
        "rnagen": __version__,
        "viennarna": viennarna_version,
        "minimum_probability": MINIMUM_PROBABILITY,
        "atoms": list(HEAVY_ATOMS),
        "chains": len(rows),
        "shapes": {name: list(shape) for name, shape in shapes.items()},
        "fingerprint": fingerprint,
    }
    (staging / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
    (folder / INDEX).unlink(missing_ok=True)
    for name in [*(f"{array}.npy" for array in ARRAYS), MANIFEST, INDEX]:
        os.replace(staging / name, folder / name)
    staging.rmdir()
    return fingerprint


def _write_arrays(
    folder: Path, rows: list[dict[str, Any]], chains: Iterable[tuple[RNAStructure, SecondaryStructures]]
) -> tuple[dict[str, tuple[int, ...]], list[int]]:
    num_atoms = len(HEAVY_ATOMS)
    model_rows = sum(row["length"] * row["num_models"] for row in rows)
    coords = _create(folder, "coords", (model_rows, num_atoms, 3))
    mask = _create(folder, "mask", (model_rows, num_atoms))
    residues = sum(row["length"] for row in rows)
    residue_index = _create(folder, "residue_index", (residues,))
    pair_tables = _create(folder, "pair_tables", (residues, 2))
    all_pairs: list[SparsePairs] = []
    model_offset = residue_offset = 0
    for row, (structure, structures) in zip(rows, chains, strict=True):
        if (len(structure), structure.num_models) != (row["length"], row["num_models"]):
            raise ValueError(
                f"{row['id']}: {len(structure)} residues, {structure.num_models} models do not fit its row"
            )
        full = structure if structure.atoms == HEAVY_ATOMS else structure.select_atoms(HEAVY_ATOMS)
        end = model_offset + len(full) * full.num_models
        coords[model_offset:end] = full.coords.reshape(-1, num_atoms, 3)
        mask[model_offset:end] = full.mask.reshape(-1, num_atoms)
        residues_here = slice(residue_offset, residue_offset + len(full))
        residue_index[residues_here] = full.residue_index
        native = canonical_pair_table(full)
        pair_tables[residues_here] = np.stack([native, nearest_pair_table(native, structures.sampled)], axis=-1)
        model_offset, residue_offset = end, residue_offset + len(full)
        all_pairs.append(structures.pairs)
    counts = [len(pairs.pairs) for pairs in all_pairs]
    pair_array = _create(folder, "pairs", (sum(counts), 2))
    probabilities = _create(folder, "pair_probabilities", (sum(counts),))
    pair_features = _create(folder, "pair_features", (sum(counts), len(PAIR_FEATURES)))
    if all_pairs:
        pair_array[:] = np.concatenate([pairs.pairs for pairs in all_pairs])
        probabilities[:] = np.concatenate([pairs.probabilities for pairs in all_pairs])
        pair_features[:] = np.concatenate([pairs.pair_features for pairs in all_pairs])
    arrays = {
        "coords": coords,
        "mask": mask,
        "residue_index": residue_index,
        "pairs": pair_array,
        "pair_probabilities": probabilities,
        "pair_features": pair_features,
        "pair_tables": pair_tables,
    }
    for name, array in arrays.items():
        if isinstance(array, np.memmap):
            array.flush()
        else:
            np.save(folder / f"{name}.npy", array, allow_pickle=False)
    return {name: array.shape for name, array in arrays.items()}, counts


def _create(folder: Path, name: str, shape: tuple[int, ...]) -> np.ndarray:
    if 0 in shape:  # an empty file cannot be mapped
        return np.zeros(shape, dtype=ARRAYS[name])
    return np.lib.format.open_memmap(folder / f"{name}.npy", mode="w+", dtype=ARRAYS[name], shape=shape)


def _index(rows: list[dict[str, Any]], pair_counts: list[int]) -> pd.DataFrame:
    columns: dict[str, Any] = {
        name: [row[name] for row in rows]
        for name in INDEX_COLUMNS
        if not name.startswith(("model_o", "residue_o", "pair_"))
    }
    lengths = np.array(columns["length"], dtype=np.int64)
    columns |= {
        "model_offset": _starts(lengths * np.array(columns["num_models"], dtype=np.int64)),
        "residue_offset": _starts(lengths),
        "pair_offset": _starts(np.array(pair_counts, dtype=np.int64)),
        "pair_count": np.array(pair_counts, dtype=np.int64),
    }
    return pd.DataFrame({name: columns[name] for name in INDEX_COLUMNS})


def _starts(sizes: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)[:-1]])[: len(sizes)]


def _fingerprint(folder: Path, index: pd.DataFrame) -> str:
    # The table as text: the bytes of a Parquet file depend on the version that wrote it.
    arrays = hash_files(folder / f"{name}.npy" for name in ARRAYS)
    return hashlib.sha256((index.to_csv(index=False) + arrays).encode()).hexdigest()
