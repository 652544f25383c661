import numpy as np

from rnagen.allatom.relax import relaxed
from tests.helpers.helices import double_helix


def test_sound_beads_stay() -> None:
    beads = double_helix()
    linked = np.diff(beads.residue_index, append=0) == 1
    found = relaxed(beads.coords, beads.mask[0], linked)
    np.testing.assert_allclose(found, beads.coords, atol=0.02)


def test_a_bead_far_away_comes_back_and_the_others_stay() -> None:
    beads = double_helix()
    linked = np.diff(beads.residue_index, append=0) == 1
    moved = beads.coords.copy()
    moved[0, 3, 0] += 4
    found = relaxed(moved, beads.mask[0], linked)
    assert 3 < np.linalg.norm(found[0, 3, 0] - found[0, 3, 1]) < 4.2
    assert np.abs(found[0, :, 2] - beads.coords[0, :, 2]).max() < 0.3
