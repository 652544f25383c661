import sys
from dataclasses import replace

import numpy as np
import pytest

from rnagen.allatom import complete
from rnagen.chemistry import COLUMN, has_atom
from rnagen.metrics.all_atom import AllAtomGeometry, all_atom_geometry
from rnagen.preparation.synthetic import synthetic_rna
from rnagen.structure import BACKBONE_ATOMS, BEADS, HEAVY_ATOMS, RNAStructure, encode_sequence
from tests.helpers.helices import double_helix


def sane(found: AllAtomGeometry) -> bool:
    return (
        found.bond_outliers <= 0.005 * found.bonds
        and found.angle_outliers <= 0.01 * found.angles
        and found.clashes_per_1000 < 20
        and found.handedness_errors == found.breaks == 0
    )


def test_a_helix_gets_all_its_atoms_and_stays_where_it_is() -> None:
    beads = double_helix()
    full = complete(beads)
    assert full.atoms == HEAVY_ATOMS
    np.testing.assert_array_equal(full.mask[0], has_atom(encode_sequence(beads.sequence)))
    assert (full.coords[~full.mask] == 0).all()
    (found,) = all_atom_geometry(full)
    assert sane(found)
    assert found.bond_outliers == found.clashes == 0
    assert np.abs(full.select_atoms(("C1'",)).coords - beads.select_atoms(("C1'",)).coords).max() < 0.05


def test_paired_bases_are_hydrogen_bonded() -> None:
    full = complete(double_helix("GGGG"))
    n1, n3 = full.coords[0, 1, COLUMN["N1"]], full.coords[0, 6, COLUMN["N3"]]
    assert np.linalg.norm(n1 - n3) == pytest.approx(2.9, abs=0.15)


def test_conformers_do_not_change_one_another() -> None:
    beads = synthetic_rna(3, 24).select_atoms(BEADS)
    noise = np.random.default_rng(0).normal(scale=0.3, size=(3, *beads.coords.shape[1:])).astype(np.float32)
    three = RNAStructure("three", beads.sequence, beads.coords + noise, np.repeat(beads.mask, 3, axis=0), BEADS)
    together = complete(three)
    assert all(map(sane, all_atom_geometry(together)))
    for k in range(3):
        alone = complete(three.models([k]))
        np.testing.assert_allclose(alone.coords[0], together.coords[k], atol=1e-3)


def test_a_conformer_of_more_atoms_than_are_minimised_together_is_completed_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    beads = double_helix("GGGG")
    two = RNAStructure("two", beads.sequence, np.repeat(beads.coords, 2, 0), np.repeat(beads.mask, 2, 0), BEADS)
    together = complete(two)
    monkeypatch.setattr(sys.modules["rnagen.allatom.complete"], "ATOMS_AT_ONCE", 10)
    np.testing.assert_allclose(complete(two).coords, together.coords, atol=1e-3)


def test_a_broken_chain_is_closed() -> None:
    beads = synthetic_rna(5, 30).select_atoms(BEADS)
    beads.coords[0, 15:] += 6
    (found,) = all_atom_geometry(complete(beads))
    assert found.links == 29
    assert found.breaks == found.handedness_errors == 0


def test_the_input_is_not_changed() -> None:
    beads = double_helix()
    before = beads.coords.copy()
    complete(beads)
    np.testing.assert_array_equal(beads.coords, before)


def test_the_first_phosphate_is_optional_and_others_are_not() -> None:
    beads = double_helix()
    beads.mask[0, [0, 3], 0] = False
    full = complete(beads)
    phosphate = [COLUMN[name] for name in ("P", "OP1", "OP2")]
    assert not full.mask[0, 0, phosphate].any()
    assert full.mask[0, 3, phosphate].all()
    assert sane(all_atom_geometry(full)[0])


def test_unresolved_residues_stay_empty() -> None:
    beads = double_helix(models=2)
    beads.mask[0, 4] = False
    beads.mask[1, 2, 1] = False
    full = complete(beads)
    assert not full.mask[0, 4].any()
    assert not full.mask[1, 2].any()
    assert full.mask[0, 2].any()
    assert full.mask[1, 4].any()
    assert all(map(sane, all_atom_geometry(full)))


def test_nothing_comes_of_nothing() -> None:
    beads = double_helix()
    beads.mask[:] = False
    assert not complete(beads).mask.any()


def test_c1_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="need P, C4', C1', N, not C1'"):
        complete(double_helix().select_atoms(("C1'",)))


def test_a_single_residue_and_an_unknown_base() -> None:
    beads = double_helix("GA")
    one = RNAStructure("one", "N", beads.coords[:, :1], beads.mask[:, :1], BEADS)
    full = complete(one)
    assert full.mask.sum() == 12
    assert sane(all_atom_geometry(full)[0])


def test_strands_are_not_joined() -> None:
    beads = double_helix("GGAC")
    numbers = np.arange(1, len(beads) + 1, dtype=np.int32)
    strands = replace(beads, residue_index=numbers, strands=(4, 4))
    np.testing.assert_array_equal(complete(strands).coords, complete(beads).coords)
    (found,) = all_atom_geometry(complete(strands))
    assert (found.links, found.breaks) == (6, 0)


def test_an_unknown_base_has_backbone_and_sugar_alone() -> None:
    beads = double_helix("GACU")
    full = complete(replace(beads, sequence="GNCU" + beads.sequence[4:]))
    names = {name for name, there in zip(HEAVY_ATOMS, full.mask[0, 1]) if there}
    assert names == set(BACKBONE_ATOMS)
    assert sane(all_atom_geometry(full)[0])
