"""Chains in flat tensors: no chain is changed by being stacked, selected or joined."""

import numpy as np
import pytest
import torch

from rnagen.data.chains import ChainInfo, Chains
from rnagen.preparation.chains import as_chain
from rnagen.preparation.synthetic import synthetic_rna
from rnagen.secondary.vienna import secondary_structures_of
from rnagen.structure import BEADS, HEAVY_ATOMS, RNAStructure
from tests.helpers.chains import assert_equal_chains
from tests.helpers.tiny import TINY_MODEL, make_chain, stacked

CHAINS = [make_chain(n, seed=n, models=m, resolved=0.8) for n, m in ((20, 1), (31, 3), (2, 1), (9, 2))]


def test_stacking_changes_no_chain() -> None:
    chains = stacked(CHAINS)
    assert_equal_chains(chains.chains(), CHAINS)
    assert [chains.sequence(row) for row in range(4)] == [chain.sequence for chain in CHAINS]
    assert chains.rows == {chain.name: row for row, chain in enumerate(CHAINS)}


def test_some_of_the_chains() -> None:
    chains = stacked(CHAINS)
    assert_equal_chains(chains.select([3, 1]).chains(), [CHAINS[3], CHAINS[1]])
    assert chains.select([3, 1]).names == (CHAINS[3].name, CHAINS[1].name)
    assert chains.select([3, 1]).clusters.tolist() == [3, 1]
    assert len(chains.select([])) == 0
    part = chains.select([1, 2], ("C1'", "P"))
    assert part.atoms == ("C1'", "P")
    np.testing.assert_array_equal(part.chain(0).coords, CHAINS[1].coords[:, :, [2, 0]])
    np.testing.assert_array_equal(part.chain(0).mask, CHAINS[1].mask[:, :, [2, 0]])
    assert chains.select([], ("P",)).coords.shape == (0, 1, 3)
    with pytest.raises(KeyError, match="C2"):
        chains.select([0], ("C1'", "C2"))


def structure(length: int, models: int) -> RNAStructure:
    """Atoms at random, some of them missing."""
    rng = np.random.default_rng(length)
    mask = rng.random((models, length, len(HEAVY_ATOMS))) < 0.8
    coords = np.where(mask[..., None], rng.normal(size=(*mask.shape, 3)), 0).astype(np.float32)
    return RNAStructure(f"s_{length}", synthetic_rna(0, length).sequence, coords, mask)


def test_the_glycosidic_nitrogen_is_that_of_each_residue() -> None:
    structures = [structure(20, 3), structure(31, 1)]
    arrays = [as_chain(one, secondary_structures_of(one.sequence)) for one in structures]
    chains = Chains.stack(HEAVY_ATOMS, [ChainInfo(one.name, one.name) for one in structures], arrays)
    beads = chains.select([1, 0], BEADS)
    for row, one in enumerate(reversed(structures)):
        expected = one.select_atoms(BEADS)
        np.testing.assert_array_equal(beads.chain(row).coords, expected.coords)
        np.testing.assert_array_equal(beads.chain(row).mask, expected.mask)


def test_a_structure_carries_what_is_known_of_it() -> None:
    info = ChainInfo("1abc_A", "1abc", "A", release_date="2001-01-01", method="NMR", resolution=2.5, title="x")
    chains = Chains.stack(TINY_MODEL.atoms, [info], CHAINS[1:2])
    found = chains.structure(0)
    assert (found.name, found.entry, found.chain, found.release_date) == ("1abc_A", "1abc", "A", "2001-01-01")
    assert (found.method, found.resolution, found.title, found.atoms) == ("NMR", 2.5, "x", TINY_MODEL.atoms)
    assert found.sequence == CHAINS[1].sequence
    np.testing.assert_array_equal(found.coords, CHAINS[1].coords)


def test_chains_follow_chains() -> None:
    both = stacked(CHAINS[:2]).followed_by(stacked(CHAINS[2:]))
    assert_equal_chains(both.chains(), CHAINS)
    assert both.names == stacked(CHAINS).names
    torch.testing.assert_close(both.model_offsets, stacked(CHAINS).model_offsets)
    with pytest.raises(ValueError, match="cannot follow"):
        both.followed_by(both.select([0], ("C1'",)))
