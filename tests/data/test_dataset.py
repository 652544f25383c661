"""The file of a dataset: what is read is what was written; what is damaged or of a former format is refused by name."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from rnagen.data.chains import TENSORS, ChainInfo
from rnagen.data.dataset import Dataset, is_dataset, read_data, write_dataset
from rnagen.errors import InputError
from rnagen.structure import BEADS
from tests.helpers.chains import assert_equal_chains
from tests.helpers.tiny import make_chain, stacked

CUTOFF = "2022-05-27"
CHAINS = [make_chain(n, seed=n, models=m, resolved=0.8) for n, m in ((20, 1), (31, 3), (2, 1), (9, 2))]
INFOS = [
    ChainInfo("1abc_A", "1abc", "A", release_date="2001-01-01", resolution=1.5, cluster=3, contacts=0.25),
    ChainInfo("R1107", "R1107", title='an "Ångström" title', kind="c1", benchmark="casp15", target=True),
    ChainInfo("c", "c", resolved=1 / 3),
    ChainInfo("d", "d", release_date="2020-02-02", breaks=2.0),
]


def write(path: Path, splits: tuple[str, ...] = ("", "", "", "")) -> str:
    infos = [replace(info, split=split) for info, split in zip(INFOS, splits)]
    return write_dataset(path, BEADS, infos, CHAINS, "2.7.1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "data" / "chains.safetensors")
    return tmp_path / "data"


@pytest.mark.parametrize("place", ["", "chains.safetensors"])
def test_what_is_read_is_what_was_written(folder: Path, place: str) -> None:
    dataset = Dataset.open(folder / place)
    # NaN is not equal to itself.
    assert [repr(info) for info in dataset.chains.infos] == [repr(info) for info in INFOS]
    assert_equal_chains(dataset.chains.chains(), [replace(c, name=i.name) for c, i in zip(CHAINS, INFOS)])
    assert dataset.viennarna == "2.7.1"
    assert is_dataset(folder / place)


def test_the_file_is_plain_safetensors_with_aligned_tensors(folder: Path) -> None:
    with safe_open(folder / "chains.safetensors", "np") as file:
        assert sorted(file.keys()) == sorted(TENSORS)
        np.testing.assert_array_equal(file.get_tensor("num_models"), [1, 3, 1, 2])
    for tensor in (getattr(Dataset.open(folder).chains, name) for name in TENSORS):
        assert tensor.data_ptr() % tensor.element_size() == 0


def test_chains_are_mapped_and_the_file_stays_as_it_is(folder: Path) -> None:
    before = (folder / "chains.safetensors").read_bytes()
    chains = Dataset.open(folder).chains
    assert chains.chain(1).coords.ctypes.data == chains.coords[20:].data_ptr()
    chains.coords.zero_()
    assert (folder / "chains.safetensors").read_bytes() == before


def test_equal_contents_have_equal_bytes_and_fingerprints(folder: Path, tmp_path: Path) -> None:
    same = write(tmp_path / "same.safetensors")
    assert (tmp_path / "same.safetensors").read_bytes() == (folder / "chains.safetensors").read_bytes()
    assert same == Dataset.open(folder).fingerprint
    other = write_dataset(tmp_path / "other", BEADS, [*INFOS[:3], replace(INFOS[3], cluster=1)], CHAINS, "2.7.1")
    assert other != same
    # A part of a dataset has the fingerprint of the whole.
    write_dataset(tmp_path / "part", BEADS, INFOS[:2], CHAINS[:2], "2.7.1", same)
    assert Dataset.open(tmp_path / "part").fingerprint == same


def test_a_chain_with_other_atoms_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1abc_A: coords of shape"):
        write_dataset(tmp_path / "x.safetensors", ("P",), INFOS, CHAINS, "")
    with pytest.raises(ValueError, match="shorter"):
        write_dataset(tmp_path / "x.safetensors", BEADS, INFOS, CHAINS[:2], "")
    assert not list(tmp_path.iterdir())


def test_damage_is_named(folder: Path) -> None:
    file = folder / "chains.safetensors"
    content = file.read_bytes()
    for damaged in (content[:-100], content[:50], b"something else altogether", b""):
        file.write_bytes(damaged)
        with pytest.raises(InputError, match=r"chains\.safetensors: cannot be read as safetensors"):
            Dataset.open(folder)
    save_file({"weight": torch.zeros(3)}, file)
    with pytest.raises(InputError, match="was not made by `rnagen prepare`"):
        Dataset.open(folder)
    file.write_bytes(content.replace(b'\\"breaks\\"', b'\\"breakz\\"'))
    with pytest.raises(InputError, match="was not made by `rnagen prepare`: KeyError"):
        Dataset.open(folder)
    tensors = {name: getattr(stacked(CHAINS), name) for name in TENSORS}
    file.write_bytes(content)
    with safe_open(file, "pt") as opened:
        metadata = opened.metadata()
    save_file(tensors | {"lengths": tensors["lengths"] + 1}, file, metadata)
    with pytest.raises(InputError, match="bases: 62 rows, but the chains have 66"):
        Dataset.open(folder)
    file.unlink()
    with pytest.raises(InputError, match=r"data: has no chains\.safetensors; run `rnagen prepare`"):
        Dataset.open(folder)
    with pytest.raises(InputError, match="absent: no such dataset"):
        Dataset.open(folder / "absent")


def test_former_formats_are_refused_with_the_command_that_helps(folder: Path, tmp_path: Path) -> None:
    file = folder / "chains.safetensors"
    file.write_bytes(file.read_bytes().replace(b'\\"format\\": 3', b'\\"format\\": 2'))
    again = "make it again with `rnagen prepare INPUTS --out FOLDER`"
    with pytest.raises(InputError, match=f"has format 2, but this version reads 3; {again}"):
        Dataset.open(file)
    for name in ("manifest.json", "index.parquet"):
        former = tmp_path / name.partition(".")[0]
        former.mkdir()
        (former / name).write_text("{}")
        assert is_dataset(former)
        with pytest.raises(InputError, match=f"is a dataset of a former format; {again}"):
            Dataset.open(former)


def test_rows_follow_the_table_of_a_split(folder: Path, tmp_path: Path) -> None:
    dataset = Dataset.open(folder)
    (tmp_path / "train.csv").write_text("id,length\nd,1\n1abc_A,1\nelsewhere,1\nc,1\n")
    assert dataset.split("train", tmp_path) == [3, 0, 2]
    with pytest.raises(InputError, match=r"val\.csv: no such file; `rnagen prepare … --splits` writes it"):
        dataset.split("val", tmp_path)
    (tmp_path / "val.csv").write_text("name\nx\n")
    with pytest.raises(InputError, match=r"val\.csv: is not a split \(a table with a column id\)"):
        dataset.split("val", tmp_path)


def test_a_file_may_carry_its_own_splits(tmp_path: Path) -> None:
    write(tmp_path / "x.safetensors", ("train", "val", "synthetic", "train"))
    sets = read_data(tmp_path / "x.safetensors", tmp_path / "absent", CUTOFF, ("C1'", "P"))
    assert (sets.train.names, sets.val.names, sets.synthetic.names) == (("1abc_A", "d"), ("R1107",), ("c",))
    assert sets.train.atoms == ("C1'", "P")
    assert Dataset.open(tmp_path / "x.safetensors").has_synthetic
    with pytest.raises(InputError, match=r"x\.safetensors: does not hold the atom \"O3'\""):
        read_data(tmp_path / "x.safetensors", tmp_path, CUTOFF, ("C1'", "O3'"))


def test_what_must_not_train_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("id\n1abc_A\nd\n")
    (tmp_path / "val.csv").write_text("id\nc\n")
    sets = read_data(folder, tmp_path, CUTOFF, BEADS)
    assert (sets.train.names, sets.val.names, len(sets.synthetic)) == (("1abc_A", "d"), ("c",), 0)
    assert (sets.fingerprint, sets.source) == (Dataset.open(folder).fingerprint, str(folder))
    with pytest.raises(InputError, match=r"train\.csv: d: released 2020-02-02, but the cutoff is 2020-01-01"):
        read_data(folder, tmp_path, "2020-01-01", BEADS)
    assert sets.in_no_split == {"of the benchmark casp15": 1}
    (tmp_path / "train.csv").write_text("id\nc\n")
    with pytest.raises(InputError, match=r"train\.csv: c: has no release date"):
        read_data(folder, tmp_path, CUTOFF, BEADS)
    (tmp_path / "train.csv").write_text("id\nR1107\n")
    with pytest.raises(InputError, match=r"R1107: belongs to the benchmark casp15"):
        read_data(folder, tmp_path, CUTOFF, BEADS)
