"""The dataset folder: what is written is read, and what is damaged is refused by name."""

import json
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from rnagen.data.store import ARRAYS, StructureStore
from rnagen.errors import InputError
from rnagen.prepare.synthetic import synthetic_dataset, synthetic_rna
from rnagen.secondary.vienna import base_pair_probabilities


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    synthetic_dataset(tmp_path / "data", 3, seed=5)
    return tmp_path / "data"


def test_reads_what_was_written(folder: Path) -> None:
    store = StructureStore.open(folder)
    assert len(store) == 3
    for i in range(3):
        length = store.value(i, "length")
        original = synthetic_rna(5 + i, length)
        found = store.structure(i)
        assert found.sequence == original.sequence
        np.testing.assert_array_equal(found.coords, original.coords)
        np.testing.assert_array_equal(found.mask, original.mask)
        np.testing.assert_array_equal(store.residue_index(i), np.arange(1, length + 1))
        np.testing.assert_array_equal(store.base_pairs(i), base_pair_probabilities(original.sequence))


def test_is_mapped_not_read(folder: Path) -> None:
    store = StructureStore.open(folder)
    assert isinstance(store.arrays["coords"], np.memmap)
    assert store.coords(1).base is not None
    with pytest.raises(ValueError, match="read-only"):
        store.coords(1)[:] = 0


def test_pickle_carries_the_place_only(folder: Path) -> None:
    store = StructureStore.open(folder)
    text = pickle.dumps(store)
    assert len(text) < 1000
    np.testing.assert_array_equal(pickle.loads(text).coords(2), store.coords(2))


def test_equal_contents_have_equal_fingerprints(folder: Path, tmp_path: Path) -> None:
    synthetic_dataset(tmp_path / "same", 3, seed=5)
    synthetic_dataset(tmp_path / "other", 3, seed=6)
    first, same, other = (StructureStore.open(f).fingerprint for f in (folder, tmp_path / "same", tmp_path / "other"))
    assert first == same != other


@pytest.mark.parametrize("name", [*(f"{array}.npy" for array in ARRAYS), "index.parquet", "manifest.json"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "foreign"])
def test_damage_is_refused_by_name(folder: Path, name: str, damage: str) -> None:
    path = folder / name
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:-50])
    else:
        path.write_bytes(b"something else altogether")
    with pytest.raises(InputError) as error:
        StructureStore.open(folder)
    assert error.value.file == str(path)


def test_array_of_another_dataset_is_refused(folder: Path) -> None:
    np.save(folder / "mask.npy", np.zeros((4, 27), dtype=bool))
    with pytest.raises(InputError, match=r"mask\.npy: holds bool \[4, 27\]"):
        StructureStore.open(folder)


def test_later_format_is_refused(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"format": 99}))
    with pytest.raises(InputError, match="format 99"):
        StructureStore.open(folder)


def test_reading_needs_neither_gemmi_nor_viennarna() -> None:
    import subprocess

    code = "import sys; sys.modules['gemmi'] = sys.modules['RNA'] = None; "
    code += "import rnagen.data.store, rnagen.prepare.synthetic"
    subprocess.run([sys.executable, "-c", code], check=True)
