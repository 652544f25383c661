"""The file of a template library: what is written comes back, and nothing else is taken for one."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from rnagen.errors import InputError
from rnagen.preparation.synthetic import synthetic_dataset, synthetic_rna
from rnagen.structure import BEADS
from rnagen.templates.date_filter import DateFilter
from rnagen.templates.library import FARTHEST, SHIPPED, Library, TemplateChain, TemplateInfo, is_library
from tests.helpers.templates import library, template

FIRST = TemplateInfo("1aaa_A", "1aaa")


def test_what_is_written_comes_back_within_a_hundredth_of_an_angstrom(tmp_path: Path) -> None:
    chains = [
        template(1, 24, release_date="2001-02-03", cluster=5, benchmark="casp15"),
        template(2, 31, "model_b"),
    ]
    mask = chains[1].mask.copy()
    mask[3:7] = False
    chains[1] = replace(chains[1], coords=np.where(mask[..., None], chains[1].coords + 250, 0), mask=mask)
    Library.of(chains).write(tmp_path / "l.safetensors")
    found = Library.open(tmp_path / "l.safetensors")
    assert found.infos == (chains[0].info, chains[1].info)
    assert found.lengths.tolist() == [24, 31]
    for row, chain in enumerate(chains):
        one = found.chain(row)
        for name in ("bases", "mask", "pair_table"):
            np.testing.assert_array_equal(getattr(one, name), getattr(chain, name))
        centred = np.where(chain.mask[..., None], chain.coords - chain.coords[chain.mask].mean(0), 0)
        np.testing.assert_allclose(one.coords, centred, atol=0.0051)
        assert not one.coords[~chain.mask].any()


def test_equal_contents_are_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        library("2001-01-01", "").write(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    # Reading and writing again changes nothing.
    Library.open(tmp_path / "a").write(tmp_path / "c")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "c").read_bytes()


def test_an_empty_library(tmp_path: Path) -> None:
    Library.of([]).write(tmp_path / "l")
    assert repr(Library.open(tmp_path / "l")) == "Library(0 chains of 0 sequences, 0 residues)"


def test_selection_and_summary() -> None:
    chains = [template(1, release_date="2001-01-01"), template(2, release_date="2003-01-01", benchmark="casp15")]
    whole = Library.of([*chains, replace(chains[0], info=TemplateInfo("x", "x"))])
    assert whole.sequence_numbers.tolist() == [0, 1, 0]
    text = "3 chains of 2 sequences, 72 residues, released 2001-01-01 to 2003-01-01, 1 without a date, 1 of a benchmark"
    assert whole.summary() == text
    some = whole.select([2, 0])
    assert [info.name for info in some.infos] == ["x", "1aaa_A"]
    np.testing.assert_array_equal(some.chain(1).coords, chains[0].coords)


def test_a_chain_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    chain = template(1)
    coords = chain.coords.copy()
    coords[-1] += 3 * FARTHEST
    with pytest.raises(ValueError, match="1aaa_A: reaches further than 328 Å from its centre"):
        Library.of([replace(chain, coords=coords)]).write(tmp_path / "l")
    assert not (tmp_path / "l").exists()


def test_the_model_with_the_most_atoms_is_the_template_the_first_of_equals() -> None:
    one = synthetic_rna(1, 24)
    mask = np.concatenate([one.mask] * 3)
    mask[0, 4] = False
    coords = np.concatenate([one.coords, one.coords + 1, one.coords + 2])
    several = replace(one, coords=np.where(mask[..., None], coords, 0).astype(np.float32), mask=mask)
    np.testing.assert_allclose(TemplateChain.of(several, FIRST).coords, one.select_atoms(BEADS).coords[0] + 1)


def metadata(path: Path) -> dict:
    with safe_open(path, "np") as file:
        return json.loads(file.metadata()["rnagen"])


def rewritten(path: Path, **changes) -> Path:
    """The file with other metadata, or other tensors."""
    described = metadata(path)
    with safe_open(path, "np") as file:
        tensors = {name: changes.pop(name, file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    save_file(tensors, path, {"rnagen": json.dumps(described | changes)})
    return path


@pytest.fixture
def written(tmp_path: Path) -> Path:
    library("2001-01-01", "").write(tmp_path / "l.safetensors")
    return tmp_path / "l.safetensors"


def assert_refused(path: Path, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        Library.open(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(path)[-100:]) or str(path) in str(caught.value)


def test_damaged_files_are_refused(written: Path, tmp_path: Path) -> None:
    whole = written.read_bytes()
    for length in (0, 5, 300, len(whole) - 1):
        written.write_bytes(whole[:length])
        assert_refused(written, "cannot be read as safetensors")
    assert_refused(tmp_path / "none", "no such template library; `rnagen library")
    written.write_bytes(whole)
    rewritten(written, lengths=np.array([20], np.int32))
    assert_refused(written, "its tables do not fit together")


def test_foreign_files_are_refused(written: Path, tmp_path: Path) -> None:
    synthetic_dataset(tmp_path / "data", 2, seed=0)
    save_file({"weight": np.zeros(3)}, tmp_path / "weights.safetensors")
    for path in (tmp_path / "data" / "chains.safetensors", tmp_path / "weights.safetensors"):
        assert_refused(path, "template library")
        assert not is_library(path)
    assert is_library(written)
    assert not is_library(tmp_path)
    rewritten(written, format=99)
    assert_refused(written, "is a library of format 99; `rnagen library")


def test_the_shipped_library_is_small_dated_and_whole() -> None:
    assert SHIPPED.stat().st_size <= 8_000_000
    found = Library.open()
    assert len(found) > 1700
    assert (found.dates != "").all()
    assert all(info.entry == info.entry.lower() != "" for info in found.infos)
    assert [info.name for info in found.infos] == sorted({info.name for info in found.infos})
    # The natives of CASP15 are in it, and its date keeps them from its own targets.
    natives = np.array([info.benchmark == "casp15" for info in found.infos])
    assert natives.any()
    assert not (natives & DateFilter("2022-05-27").allowed(found)).any()
