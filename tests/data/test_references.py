"""The file of training references: what is written comes back, and nothing else is taken for one."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

from rnagen.data.references import ChainReferences, ReferenceFacts
from rnagen.errors import InputError
from rnagen.preparation.synthetic import synthetic_dataset
from rnagen.templates.storage import FARTHEST
from tests.helpers.templates import library

FACTS = ReferenceFacts("2001-02-03", 0.5, 0.75, 0.25)


def references() -> ChainReferences:
    """Two of one chain of three residues, and one of a chain of five."""
    generator = torch.Generator().manual_seed(1)
    mask = torch.rand(11, 4, generator=generator) < 0.7
    coords = 300 + 20 * torch.randn(11, 4, 3, generator=generator)
    lengths, trust = torch.tensor([3, 5, 3]), torch.tensor([0.9, 0.5, 0.3])
    names = ("1aaa_A", "2bbb_B", "1aaa_A"), ("3ccc_C", "3ccc_C", "4ddd_D")
    return ChainReferences(*names, trust, lengths, coords * mask[..., None], mask, (FACTS,) * 3)


def test_what_is_written_comes_back_within_a_hundredth_of_an_angstrom(tmp_path: Path) -> None:
    made = references()
    made.write(tmp_path / "r.safetensors")
    found = ChainReferences.open(tmp_path / "r.safetensors")
    assert (found.chains, found.templates, found.facts) == (made.chains, made.templates, made.facts)
    for name in ("trust", "lengths", "mask"):
        assert torch.equal(getattr(found, name), getattr(made, name)), name
    assert repr(found) == "ChainReferences(3 of 2 chains, 11 residues)"
    for k in range(3):
        (before, mask), (after, _) = made.reference(k), found.reference(k)
        centred = before[mask] - before[mask].mean(0)
        torch.testing.assert_close(after[mask], centred, atol=0.0051, rtol=0)
        assert not after[~mask].any()
    # Reading and writing again changes nothing.
    found.write(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "r.safetensors").read_bytes()


def test_the_references_of_a_chain() -> None:
    made = references()
    assert made.of("1aaa_A") == (0, 2)
    assert made.of("2bbb_B") == (1,)
    assert made.of("9zzz_Z") == ()
    assert [len(made.reference(k)[0]) for k in range(3)] == [3, 5, 3]
    assert torch.equal(made.reference(2)[0], made.coords[8:])


def test_a_reference_of_which_nothing_is_known_and_a_file_of_none(tmp_path: Path) -> None:
    made = references()
    nothing = replace(made, coords=torch.zeros(11, 4, 3), mask=torch.zeros(11, 4, dtype=torch.bool), facts=())
    nothing.write(tmp_path / "r")
    found = ChainReferences.open(tmp_path / "r")
    assert not found.coords.any()
    assert found.facts == ()
    empty = ChainReferences((), (), *(made.trust[:0], made.lengths[:0], made.coords[:0], made.mask[:0]))
    empty.write(tmp_path / "r")
    assert len(ChainReferences.open(tmp_path / "r")) == 0


def test_a_reference_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    made = references()
    coords = made.coords.clone()
    coords[-1] += 3 * FARTHEST
    with pytest.raises(ValueError, match="4ddd_D: reaches further than 328 Å from its centre"):
        replace(made, coords=coords, mask=torch.ones_like(made.mask)).write(tmp_path / "r")
    assert not (tmp_path / "r").exists()


def assert_refused(path: Path, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        ChainReferences.open(path)
    assert "\n" not in str(caught.value)


def rewritten(path: Path, **changes) -> Path:
    """The file with other metadata, or other tensors."""
    with safe_open(path, "np") as file:
        described = json.loads(file.metadata()["rnagen"])
        tensors = {name: changes.pop(name, file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    save_file(tensors, path, {"rnagen": json.dumps(described | changes)})
    return path


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.safetensors"
    assert_refused(path, r"no such file of training references; `python runs/references\.py` makes one")
    library("2001-01-01").write(path)
    assert_refused(path, "holds something else than training references")
    synthetic_dataset(tmp_path / "data", 2, seed=1)
    assert_refused(tmp_path / "data" / "chains.safetensors", "holds something else than training references")
    path.write_text("text")
    assert_refused(path, "cannot be read as safetensors")
    references().write(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert_refused(path, "cannot be read as safetensors")
    path.write_bytes(whole)
    assert_refused(rewritten(path, format=9), "has references of format 9")
    for change in (
        {"templates": ["one"]},
        {"facts": [["", 0.1, 0.2, 0.3]]},
        {"lengths": np.array([3, 5, 4], np.int32)},
    ):
        path.write_bytes(whole)
        assert_refused(rewritten(path, **change), "its tables do not fit together")
    path.write_bytes(whole)
    assert_refused(rewritten(path, facts=[[1]]), "is not a file of training references")
