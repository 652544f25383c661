"""Measured profiles of given sequences: replicates are averaged, what does not pass the filter does not count."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rnagen.errors import InputError
from rnagen.tasks.reactivity.outputs import measured_profiles
from tests.helpers.profiles import write_profiles


def table(path: Path) -> Path:
    rows = [
        ("a", "ACGU", "DMS_MaP", 1, [0.2, np.nan, 0.4, np.nan]),
        ("b", "ACGU", "DMS_MaP", 1, [0.6, np.nan, np.nan, -1.0]),
        ("c", "ACGU", "DMS_MaP", 0, [9.0, 9.0, 9.0, 9.0]),
        ("c", "ACGU", "2A3_MaP", 1, [0.1, 0.2, 0.3, 0.4]),
        ("d", "GGGG", "DMS_MaP", 0, [9.0, 9.0, 9.0, 9.0]),
        ("e", "CCC", "DMS_MaP", 1, [0.5, 0.5, 0.5, np.nan]),
    ]
    names = ["sequence_id", "sequence", "experiment_type", "SN_filter"]
    frame = pd.DataFrame([row[:4] for row in rows], columns=names)
    values = pd.DataFrame([row[4] for row in rows], columns=[f"reactivity_{p:04d}" for p in range(1, 5)])
    return write_profiles(pd.concat([frame, values], axis=1), path)


def test_replicates_are_averaged_residue_by_residue(tmp_path: Path) -> None:
    found = measured_profiles(table(tmp_path / "a.parquet"), {"ACGU", "GGGG", "UUUU"}, ("DMS_MaP", "1M7", "2A3_MaP"))
    assert set(found) == {"ACGU"}, "GGGG has no profile that passes"
    wanted = [[0.4, np.nan, 0.4, -1.0], [np.nan] * 4, [0.1, 0.2, 0.3, 0.4]]
    np.testing.assert_allclose(found["ACGU"], np.array(wanted, dtype=np.float32).T, rtol=1e-6)


def test_a_table_of_other_experiments_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.csv: has profiles of 2A3_MaP, DMS_MaP, not of 1M7"):
        measured_profiles(table(tmp_path / "a.csv"), {"ACGU"}, ("1M7",))


RDAT = """RDAT_VERSION 0.34
NAME hairpin
SEQUENCE ACGU
SEQPOS A1 C2 G3 U4
ANNOTATION modifier:1M7
ANNOTATION_DATA:1 name:wt
REACTIVITY:1 0.1 0.2 0.3 0.4
ANNOTATION_DATA:2 sequence:GGGG modifier:NMIA
REACTIVITY:2 0.5 0.5 0.5 0.5
"""


def test_an_rdat_file_shows_the_experiment_of_its_reagent(tmp_path: Path) -> None:
    (tmp_path / "a.rdat").write_text(RDAT)
    with pytest.warns(UserWarning, match="1M7 stands for 1M7_MaP"):
        found = measured_profiles(tmp_path / "a.rdat", ["ACGU", "CCCC"], ("1M7_MaP", "DMS_MaP"))
    assert set(found) == {"ACGU"}
    np.testing.assert_allclose(found["ACGU"][:, 0], [0.1, 0.2, 0.3, 0.4], rtol=1e-6)
    assert np.isnan(found["ACGU"][:, 1]).all()
    with pytest.raises(InputError, match="has profiles of 1M7, NMIA, not of DMS_MaP"):
        measured_profiles(tmp_path / "a.rdat", ["ACGU"], ("DMS_MaP",))


def test_a_shape_file_belongs_to_the_one_rna(tmp_path: Path) -> None:
    (tmp_path / "a.shape").write_text("1 0.5\n2 -999\n4 1.5\n")
    found = measured_profiles(tmp_path / "a.shape", ["ACGU", "ACGU"], ("DMS_MaP", "SHAPE"))
    np.testing.assert_array_equal(found["ACGU"], np.array([[np.nan] * 4, [0.5, np.nan, np.nan, 1.5]], np.float32).T)
    with pytest.raises(InputError, match="has no sequence and cannot belong to 2 RNAs"):
        measured_profiles(tmp_path / "a.shape", ["ACGU", "CCCC"], ("SHAPE",))
    with pytest.raises(InputError, match="residue 4: is not one of the 3 residues"):
        measured_profiles(tmp_path / "a.shape", ["ACG"], ("SHAPE",))
