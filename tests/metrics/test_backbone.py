import numpy as np

from rnagen.allatom import complete
from rnagen.chemistry import COLUMN
from rnagen.metrics.backbone import C3_ENDO, CONFORMERS, is_suite_outlier, is_within, phases, suites
from tests.helpers.helices import double_helix

KNOWN = {name: np.array([list(map(float, values))]) for name, *values in map(str.split, CONFORMERS.split(","))}


def test_every_consensus_conformer_is_in_range_and_unlike_no_other() -> None:
    assert len(KNOWN) == 54
    assert not any(is_suite_outlier(angles)[0] for angles in KNOWN.values())


def test_an_a_form_helix_has_suites_of_1a_and_c3_endo_sugars() -> None:
    full = complete(double_helix("GGACGU"))
    linked = np.diff(full.residue_index, append=0) == 1
    found = suites(full.coords[0].astype(float), full.mask[0], linked)
    assert len(found) == 10
    assert not is_suite_outlier(found).any()
    assert np.abs(np.median(found, axis=0) - KNOWN["1a"][0]).max() < 25
    assert is_within(phases(full.coords[0].astype(float), full.mask[0]), C3_ENDO).all()


def test_torsions_outside_their_ranges_and_far_from_all_conformers_are_outliers() -> None:
    helix = KNOWN["1a"]
    for column, value in ((0, 115), (1, 100), (2, 10), (3, 350), (4, 20), (5, 120)):
        angles = helix.copy()
        angles[0, column] = value
        assert is_suite_outlier(angles)[0]
    assert is_suite_outlier(np.array([[82.0, 160, 30, 30, 280, 54, 81]]))[0]
    assert not is_suite_outlier(helix + np.array([5, 20, 0, 0, 20, 5, 5]))[0]


def test_missing_atoms_leave_suites_out() -> None:
    full = complete(double_helix("GGACGU"))
    linked = np.diff(full.residue_index, append=0) == 1
    full.mask[0, 2, COLUMN["O5'"]] = False
    assert len(suites(full.coords[0].astype(float), full.mask[0], linked)) == 9
    full.mask[0, 8, COLUMN["C4'"]] = False
    assert len(suites(full.coords[0].astype(float), full.mask[0], linked)) == 7
    assert len(suites(full.coords[0].astype(float), full.mask[0], linked & False)) == 0
