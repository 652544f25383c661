"""The packed file: what is read is what was written; what is damaged is named."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from rnagen.data.packed import PackedChains, PackedData, load_packed, save_packed
from rnagen.errors import InputError
from tests.helpers.tiny import TINY_MODEL, make_chain, packed

CHAINS = [make_chain(n, seed=n, models=m, resolved=0.8) for n, m in ((20, 1), (31, 3), (2, 1), (9, 2))]


def assert_equal_chains(first: PackedChains, second: PackedChains) -> None:
    assert len(first) == len(second)
    for one, other in zip(first.chains(), second.chains()):
        assert (one.name, one.pairs.length) == (other.name, other.pairs.length)
        for name in ("bases", "residue_index", "coords", "mask"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        np.testing.assert_array_equal(one.pairs.dense(), other.pairs.dense())


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    dated = replace(
        packed(CHAINS),
        release_dates=("2001-01-01", "", "2020-02-02", "1999-09-09"),
        resolution=torch.tensor([1.5, float("nan"), 3.0, 20.0]),
        contacts=torch.tensor([0.0, 0.25, 0.5, 1.0]),
    )
    data = PackedData(dated, packed(CHAINS[:1]), packed(CHAINS[1:3]), "abc", "made")
    save_packed(tmp_path / "p.safetensors", data, "2022-05-27")
    return tmp_path / "p.safetensors"


def test_packing_changes_no_chain() -> None:
    chains = packed(CHAINS)
    for chain, again in zip(CHAINS, chains.chains()):
        np.testing.assert_array_equal(chain.coords, again.coords)
        np.testing.assert_array_equal(chain.mask, again.mask)
        np.testing.assert_array_equal(chain.bases, again.bases)
        np.testing.assert_array_equal(chain.residue_index, again.residue_index)
        np.testing.assert_array_equal(chain.pairs.dense(), again.pairs.dense())
        assert chain.sequence == again.sequence
    shares = [chain.mask[:, :, 2].any(0).mean() for chain in CHAINS]
    torch.testing.assert_close(chains.resolved, torch.tensor(shares, dtype=torch.float32))
    assert chains.select([2, 0]).resolved.equal(chains.resolved[[2, 0]])


def test_some_of_the_chains() -> None:
    chains = packed(CHAINS)
    assert_equal_chains(chains.select([3, 1]), packed([CHAINS[3], CHAINS[1]]))
    assert len(chains.select([])) == 0
    part = chains.select_atoms(("C1'", "P"))
    assert part.atoms == ("C1'", "P")
    np.testing.assert_array_equal(part.chain(1).coords, CHAINS[1].coords[:, :, [2, 0]])
    with pytest.raises(KeyError, match="C2"):
        chains.select_atoms(("C1'", "C2"))


def test_chains_follow_chains() -> None:
    both = packed(CHAINS[:2]).followed_by(packed(CHAINS[2:]))
    assert_equal_chains(both, packed(CHAINS))
    assert both.names == packed(CHAINS).names
    with pytest.raises(ValueError, match="do not follow"):
        both.followed_by(both.select_atoms(("C1'",)))


def test_what_is_read_is_what_was_written(saved: Path) -> None:
    data = load_packed(saved)
    assert (data.fingerprint, data.source) == ("abc", "made")
    assert data.train.atoms == TINY_MODEL.atoms
    assert data.train.release_dates == ("2001-01-01", "", "2020-02-02", "1999-09-09")
    torch.testing.assert_close(
        data.train.resolution, torch.tensor([1.5, float("nan"), 3.0, 20.0]), rtol=0, atol=0, equal_nan=True
    )
    assert data.train.contacts.tolist() == [0.0, 0.25, 0.5, 1.0]
    assert_equal_chains(data.train, packed(CHAINS))
    assert_equal_chains(data.val, packed(CHAINS[:1]))
    assert_equal_chains(data.synthetic, packed(CHAINS[1:3]))


def test_a_set_without_validation_is_packed_too(tmp_path: Path) -> None:
    path = tmp_path / "p.safetensors"
    save_packed(path, PackedData(packed(CHAINS), packed([]), packed([]), "", ""), "")
    assert len(load_packed(path).val) == len(load_packed(path).synthetic) == 0


def test_damage_is_named(saved: Path, tmp_path: Path) -> None:
    content = saved.read_bytes()
    saved.write_bytes(content[:-100])
    with pytest.raises(InputError, match=r"p\.safetensors: cannot be read as safetensors"):
        load_packed(saved)
    save_file({"weight": torch.zeros(3)}, saved)
    with pytest.raises(InputError, match="was not made by `rnagen pack`"):
        load_packed(saved)
    saved.write_bytes(content.replace(b'\\"format\\": 2', b'\\"format\\": 7'))
    with pytest.raises(InputError, match="packed in format 7, this version reads 2"):
        load_packed(saved)
    chains = packed(CHAINS)
    save_packed(saved, PackedData(replace(chains, lengths=chains.lengths + 1), packed([]), packed([]), "", ""), "")
    with pytest.raises(InputError, match="bases: 62 rows, but the chains have 66"):
        load_packed(saved)
