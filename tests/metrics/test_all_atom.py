from dataclasses import replace

import numpy as np
import pytest

from rnagen.allatom import complete
from rnagen.chemistry import COLUMN
from rnagen.metrics.all_atom import all_atom_geometry, measure
from rnagen.structure import RNAStructure
from tests.helpers.helices import double_helix


@pytest.fixture(scope="module")
def helix() -> RNAStructure:
    return complete(double_helix("GACU"))


def copied(helix: RNAStructure) -> RNAStructure:
    return replace(helix, coords=helix.coords.copy(), mask=helix.mask.copy())


def test_a_moved_atom_is_an_outlier(helix: RNAStructure) -> None:
    moved = copied(helix)
    moved.coords[0, 1, COLUMN["O2'"]] += 0.3
    (before,), (after,) = all_atom_geometry(helix), all_atom_geometry(moved)
    assert after.bond_outliers + after.angle_outliers > before.bond_outliers + before.angle_outliers


def test_swapped_phosphate_oxygens_are_an_error_of_handedness(helix: RNAStructure) -> None:
    swapped = copied(helix)
    one, two = COLUMN["OP1"], COLUMN["OP2"]
    swapped.coords[0, 2, [one, two]] = swapped.coords[0, 2, [two, one]]
    assert all_atom_geometry(helix)[0].handedness_errors == 0
    assert all_atom_geometry(swapped)[0].handedness_errors == 1


def test_a_mirror_image_has_all_centres_wrong(helix: RNAStructure) -> None:
    (found,) = all_atom_geometry(replace(helix, coords=helix.coords * np.float32(-1)))
    assert found.handedness_errors == found.centres > 0
    assert found.bond_outliers == all_atom_geometry(helix)[0].bond_outliers


def test_strands_in_one_place_clash_and_a_gap_is_a_break(helix: RNAStructure) -> None:
    moved = copied(helix)
    moved.coords[0, 4:] = moved.coords[0, :4] + np.float32(0.5)
    assert all_atom_geometry(moved)[0].clashes_per_1000 > 100
    apart = copied(helix)
    apart.coords[0, 2:4] += 5
    (found,) = all_atom_geometry(apart)
    assert (found.links, found.breaks) == (6, 1)


def test_beads_alone_are_refused() -> None:
    with pytest.raises(ValueError, match="not all heavy atoms"):
        all_atom_geometry(double_helix())


def test_measures_of_a_corner() -> None:
    x, y, z, o = np.eye(4, 3) * 2
    assert measure(np.array([[x, o]]))[0] == pytest.approx(2)
    assert measure(np.array([[x, o, y]]))[0] == pytest.approx(np.pi / 2)
    assert measure(np.array([[o, x, y, z]]))[0] == pytest.approx(8)
