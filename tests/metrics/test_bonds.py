from dataclasses import replace

import numpy as np
import pytest

from rnagen.aform import helix
from rnagen.bead_ranges import OVERLAP
from rnagen.metrics import conformer_geometry
from rnagen.structure import BEADS, RNAStructure


def a_form(length: int = 12, models: int = 1) -> RNAStructure:
    coords = np.repeat(helix(length)[0][None], models, axis=0).astype(np.float32)
    return RNAStructure("helix", "A" * length, coords, np.ones((models, length, 4), dtype=bool), BEADS)


def test_an_ideal_helix_has_no_fault() -> None:
    (found,) = conformer_geometry(a_form())
    assert found == {"bonds": 3 * 12 + 3 * 11, "bond_outliers": 0, "clashes": 0, "clashing_residues": 0}


def test_a_stretched_conformer_is_an_outlier_and_only_it() -> None:
    structure = a_form(models=2)
    structure.coords[1] *= 2
    good, bad = conformer_geometry(structure)
    assert good["bond_outliers"] == 0
    assert bad["bond_outliers"] == 1


def test_a_gap_in_the_numbering_is_no_bond() -> None:
    structure = a_form()
    structure.residue_index[6:] += 4
    structure.coords[:, 6:] += 100
    (found,) = conformer_geometry(structure)
    assert found["bonds"] == 3 * 12 + 3 * 10
    assert found["bond_outliers"] == 0


def test_missing_beads_do_not_count() -> None:
    structure = a_form()
    structure.mask[0, :, [0, 1, 3]] = False
    assert conformer_geometry(structure)[0]["bonds"] == 11
    structure.mask[:] = False
    assert conformer_geometry(structure)[0] == {"bonds": 0, "bond_outliers": 0, "clashes": 0, "clashing_residues": 0}


def test_overlapping_residues_clash_and_neighbours_do_not() -> None:
    structure = a_form()
    structure.coords[0, 9] = structure.coords[0, 2] + 0.1
    (found,) = conformer_geometry(structure)
    assert found["clashes"] >= 4
    assert found["clashing_residues"] == pytest.approx(2 / 12)
    structure = a_form()
    structure.coords[0, 3] = structure.coords[0, 2]
    assert conformer_geometry(structure)[0]["clashes"] == 0


def test_clashes_are_all_pairs_of_beads_that_are_too_close() -> None:
    rng = np.random.default_rng(0)
    length = 150
    coords = rng.uniform(0, 40, (1, length, 4, 3)).astype(np.float32)
    mask = rng.random((1, length, 4)) < 0.8
    structure = RNAStructure("gas", "A" * length, np.where(mask[..., None], coords, 0), mask, BEADS)
    points, residue = structure.coords[mask].astype(float), np.nonzero(mask[0])[0]
    distances = np.linalg.norm(points[:, None] - points, axis=-1)
    close = (distances <= OVERLAP) & (residue - residue[:, None] > 1)
    (found,) = conformer_geometry(structure)
    assert found["clashes"] == close.sum() > 100
    pairs = np.argwhere(close)
    assert found["clashing_residues"] == len(np.unique(residue[pairs])) / mask.any(-1).sum()


@pytest.mark.data
def test_good_crystal_structures_pass(shared_data) -> None:  # type: ignore[no-untyped-def]
    from rnagen.io.read import read_structures

    names = ("1ehz_A", "1gid_A", "1y26_X")
    files = [shared_data / "structures" / f"{name}.cif.gz" for name in names]
    found = [conformer_geometry(chain)[0] for file in files if file.exists() for chain in read_structures(file)]
    assert found
    assert all(geometry["bond_outliers"] < 0.02 and geometry["clashes"] <= 1 for geometry in found)


def test_strands_are_not_bonded_and_their_ends_can_clash() -> None:
    first, second = helix(6)
    coords = np.concatenate([first, second[::-1]])[None].astype(np.float32)
    joined = RNAStructure("duplex", "A" * 12, coords, np.ones((1, 12, 4), dtype=bool), BEADS)
    (as_one,), (as_two,) = conformer_geometry(joined), conformer_geometry(replace(joined, strands=(6, 6)))
    assert as_one["bonds"] - as_two["bonds"] == 3
    assert (as_one["bond_outliers"] > 0, as_two["bond_outliers"]) == (True, 0)
    close = coords.copy()
    close[0, 6] += close[0, 5, 2] + 1 - close[0, 6, 2]
    near = replace(joined, coords=close, strands=(6, 6))
    assert conformer_geometry(near)[0]["clashes"] > conformer_geometry(replace(near, strands=()))[0]["clashes"]
