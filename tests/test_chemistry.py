from pathlib import Path

import numpy as np

from rnagen.chemistry import Ideals, angles_of, atoms_of, base_columns, bonds_of, ideals, names_of, terms, torsion
from rnagen.contacts import connected
from rnagen.structure import encode_sequence


def test_every_atom_is_bonded_and_every_ideal_value_is_known() -> None:
    for base in "ACGUN":
        bonded = {int(atom) for _, pair in bonds_of(base) for atom in pair}
        assert len(bonded) == len(atoms_of(base)) + 1  # and P of the next residue
    assert (ideals().bonds[:, 0] > 1.2).all()
    assert (ideals().angles[..., 0] > 1.6).all()
    assert (np.abs(ideals().volumes[:, 0]) > 1).all()


def test_distances_across_angles_are_those_of_flat_bases() -> None:
    names = names_of(3)
    for base in "ACGU":
        place = {int(column): xyz for column, xyz in zip(base_columns(base), ideals().bases[base])}
        for name, atoms in angles_of(base):
            if all(int(atom) in place for atom in atoms):
                expected = np.linalg.norm(place[int(atoms[0])] - place[int(atoms[2])])
                assert abs(ideals().distances[names.index(name), 0, 0] - expected) < 0.03, (base, name)


def test_ideal_values_are_written_and_read(tmp_path: Path) -> None:
    ideals().write(tmp_path / "ideals.json")
    again = Ideals.read(tmp_path / "ideals.json")
    np.testing.assert_array_equal(again.bonds, ideals().bonds)
    np.testing.assert_array_equal(again.angles, ideals().angles)
    assert list(again.bases) == list(ideals().bases)


def test_terms_across_a_gap_and_of_missing_atoms_are_left_out() -> None:
    bases = encode_sequence("GU").astype(np.int64)
    mask = np.ones((2, 27), dtype=bool)
    linked, apart = np.array([True, False]), np.array([False, False])
    both, alone = (len(terms(bases, mask, one, 2).atoms) for one in (linked, apart))
    assert both == alone + 1
    mask[1] = False
    assert len(terms(bases, mask, apart, 2).atoms) == len(bonds_of("G")) - 1


def test_three_bonds_connect_and_four_do_not() -> None:
    chain = np.array([[0, 1], [1, 2], [2, 3], [3, 4]])
    keys = connected(chain, 27).tolist()
    assert 0 * 27 + 3 in keys
    assert 0 * 27 + 4 not in keys


def test_torsions() -> None:
    a, b, c = np.array([[1.0, 0, 0]]), np.zeros((1, 3)), np.array([[0, 0, 1.0]])
    for degrees in (0, 60, 179, -90):
        angle = np.radians(degrees)
        d = np.array([[np.cos(angle), np.sin(angle), 1.0]])
        np.testing.assert_allclose(torsion(a, b, c, d), [degrees], atol=1e-6)
