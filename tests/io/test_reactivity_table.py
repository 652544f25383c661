"""Reading profiles: two formats, replicates, missing columns, bad input."""

import gzip
import os
import pickle
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from rnagen.errors import InputError
from rnagen.io.reactivity_table import ReactivityTable
from tests.helpers.profiles import EXPERIMENTS, POSITIONS, make_profiles, write_profiles

FORMATS = ["profiles.parquet", "profiles.csv", "profiles.csv.gz"]


def opened(frame: pd.DataFrame, folder: Path, name: str = "profiles.parquet", **options) -> ReactivityTable:
    return ReactivityTable.open(write_profiles(frame, folder / name), folder / "cache", **options)


@pytest.mark.parametrize("name", FORMATS)
def test_values_as_in_the_file(tmp_path: Path, name: str) -> None:
    frame = make_profiles()
    table = opened(frame, tmp_path, name)
    assert table.experiments == EXPERIMENTS
    assert len(table) == 6
    assert table.unusable == ()
    for n in range(len(table)):
        rows = frame[frame.sequence_id == f"id{n}"].reset_index()
        assert table.name(n) == f"id{n}"
        assert table.sequence(n) == rows.sequence[0]
        assert table.lengths[n] == len(rows.sequence[0])
        values = rows[[f"reactivity_{p + 1:04d}" for p in range(table.lengths[n])]].to_numpy(np.float32).T
        np.testing.assert_allclose(table.reactivity(n), values, rtol=1e-6)
        np.testing.assert_allclose(table.signal_to_noise[n], rows.signal_to_noise, rtol=1e-6)
        np.testing.assert_array_equal(table.sn_filter[n], rows.SN_filter == 1)
    assert table.sequences() == [table.sequence(n) for n in range(len(table))]


def test_order_of_rows_does_not_part_an_example(tmp_path: Path) -> None:
    frame = make_profiles()
    table, shuffled = opened(frame, tmp_path), opened(frame.sample(frac=1, random_state=1), tmp_path, "other.parquet")
    by_name = {shuffled.name(n): n for n in range(len(shuffled))}
    for n in range(len(table)):
        np.testing.assert_array_equal(table.reactivity(n), shuffled.reactivity(by_name[table.name(n)]))


def test_replicates_of_an_experiment_are_examples_of_their_own(tmp_path: Path) -> None:
    frame = make_profiles(2)
    again = frame[frame.experiment_type == "DMS_MaP"].assign(reactivity_0006=9.0)
    table = opened(pd.concat([frame, again]), tmp_path)
    assert [table.name(n) for n in range(len(table))] == ["id0", "id0", "id1", "id1"]
    np.testing.assert_array_equal(table.rows >= 0, [[True, True], [False, True]] * 2)
    assert table.reactivity(1)[5, 1] == 9
    assert np.isnan(table.reactivity(1)[:, 0]).all()
    assert np.isnan(table.signal_to_noise[1, 0])
    assert not table.sn_filter[1, 0]


def test_equal_sequences_of_two_ids_stay_apart(tmp_path: Path) -> None:
    frame = make_profiles(1)
    assert len(opened(pd.concat([frame, frame.assign(sequence_id="other")]), tmp_path)) == 2


def test_order_of_experiments_can_be_given(tmp_path: Path) -> None:
    frame = make_profiles()
    plain, table = opened(frame, tmp_path), opened(frame, tmp_path, experiments=("DMS_MaP", "1M7", "2A3_MaP"))
    np.testing.assert_array_equal(table.reactivity(3)[:, [2, 0]], plain.reactivity(3))
    assert np.isnan(table.reactivity(3)[:, 1]).all()
    with pytest.raises(InputError, match="id0: experiment type 2A3_MaP is not one of DMS_MaP"):
        opened(frame, tmp_path, experiments=("DMS_MaP",))


def test_sequences_are_made_rna(tmp_path: Path) -> None:
    frame = make_profiles(1)
    expected = frame.sequence[0]
    frame["sequence"] = expected.replace("U", "t").lower()
    assert opened(frame, tmp_path).sequence(0) == expected


def test_missing_columns_that_may_be_missing(tmp_path: Path) -> None:
    frame = make_profiles(errors=False).drop(columns=["signal_to_noise", "SN_filter", "dataset_name", "reads"])
    with pytest.warns(UserWarning, match="no column SN_filter"):
        table = opened(frame, tmp_path)
    assert np.isnan(table.signal_to_noise).all()
    assert table.sn_filter.all()


def test_rows_with_unusable_sequences_are_left_out_and_named(tmp_path: Path) -> None:
    frame = make_profiles(3)
    frame.loc[0, "sequence"] = "." + frame.sequence[0][1:]
    frame.loc[3, "sequence"] = None
    with pytest.warns(UserWarning, match=r"2 rows left out, .*id0: position 1: '\.' is no"):
        table = opened(frame, tmp_path)
    assert [error.record for error in table.unusable] == ["id0", "id1"]
    np.testing.assert_array_equal(table.rows, [[-1, 1], [2, -1], [4, 5]])
    assert table.sequence(0) == frame.sequence[1]


@pytest.mark.parametrize("name", FORMATS)
def test_a_bad_row_leaves_the_others(tmp_path: Path, name: str) -> None:
    frame = make_profiles(5).astype({"reactivity_0007": str, "SN_filter": str})
    good = opened(frame, tmp_path, f"good-{name}")
    frame.loc[0, "reactivity_0007"] = "high"
    frame.loc[2, "experiment_type"] = None
    frame.loc[4, "SN_filter"] = "perhaps"
    frame.loc[6, "sequence"] = "A" * (POSITIONS + 1)
    frame.loc[8, "sequence_id"] = None
    with pytest.warns(UserWarning, match="5 rows left out, .*id0: reactivity_0007: 'high' is not a number"):
        table = opened(frame, tmp_path, name)
    assert [(error.record, error.reason) for error in table.unusable][1:] == [
        ("id1", "a row has no experiment_type"),
        ("id2", "SN_filter: 'perhaps' is not a number"),
        ("id3", f"{POSITIONS + 1} residues, but {POSITIONS} reactivity columns"),
        (None, "a row has no sequence_id"),
    ]
    np.testing.assert_array_equal(table.rows, [[1], [3], [5], [7], [9]])
    np.testing.assert_array_equal(table.reactivity(0)[:, 0], good.reactivity(0)[:, 1])


def test_unknown_bases_are_warned_of(tmp_path: Path) -> None:
    frame = make_profiles(1)
    frame["sequence"] = "X" + frame.sequence[0][1:]
    with pytest.warns(UserWarning, match=r"unknown bases \(N\) in 2 sequences"):
        assert opened(frame, tmp_path).sequence(0)[0] == "N"


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("kind", [bool, str, int])
def test_truth_values_are_written_in_many_ways(tmp_path: Path, name: str, kind: type) -> None:
    frame = make_profiles(2).assign(SN_filter=[1, 0, 0, 1])
    frame["SN_filter"] = frame.SN_filter.astype(bool).astype(kind)
    if kind is str:
        frame.loc[0, "SN_filter"] = "true"
    np.testing.assert_array_equal(opened(frame, tmp_path, name).sn_filter, [[True, False], [False, True]])


@pytest.mark.parametrize("name", FORMATS)
def test_an_rna_may_be_named_na(tmp_path: Path, name: str) -> None:
    frame = make_profiles(2).assign(sequence_id=["NA", "NA", "null", "null"])
    table = opened(frame, tmp_path, name)
    assert [table.name(n) for n in range(2)] == ["NA", "null"]


@pytest.mark.parametrize(("written", "named"), [("a.csv.gz", "b.csv"), ("a.csv", "b.csv.gz")])
def test_the_content_decides_whether_a_table_is_gzipped(tmp_path: Path, written: str, named: str) -> None:
    frame = make_profiles(2).assign(sequence_id=["NA", "NA", "b", "b"])
    table = opened(frame, tmp_path, written)
    (tmp_path / written).rename(tmp_path / named)
    again = ReactivityTable.open(tmp_path / named, tmp_path / "another cache")
    assert again.name(0) == "NA"
    np.testing.assert_array_equal(again.reactivity(1), table.reactivity(1))


@pytest.mark.parametrize("mark", ["", "NA", "NaN", "nan", "null", "N/A", "None"])
def test_numbers_that_are_missing(tmp_path: Path, mark: str) -> None:
    frame = make_profiles(1).astype({"reactivity_0007": object, "signal_to_noise": object})
    frame.loc[0, ["reactivity_0007", "signal_to_noise"]] = mark
    table = opened(frame, tmp_path, "profiles.csv")
    assert np.isnan(table.reactivity(0)[6, 0])
    assert not np.isnan(table.reactivity(0)[6, 1])
    assert np.isnan(table.signal_to_noise[0, 0])


@pytest.mark.parametrize("name", ["a.rdat", "a.rdat.gz"])
def test_an_rdat_file_is_a_table(tmp_path: Path, name: str) -> None:
    text = (
        "RDAT_VERSION 0.34\nNAME hairpin\nSEQUENCE GGGAAACCC\nOFFSET 0\nSEQPOS G2 G3 A4\n"
        "ANNOTATION_DATA:1 modifier:1M7 signal_to_noise:strong:8.5\nANNOTATION_DATA:2 modifier:DMS\n"
        "REACTIVITY:1 0.1 0.2 0.3\nREACTIVITY:2 1 2\n"
    )
    (tmp_path / name).write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    with pytest.warns(UserWarning, match="1 row left out, .*hairpin:2: 2 values of REACTIVITY, but SEQPOS has 3"):
        table = ReactivityTable.open(tmp_path / name, tmp_path / "cache")
    assert (len(table), table.experiments, table.sequence(0)) == (1, ("1M7",), "GGGAAACCC")
    np.testing.assert_allclose(table.reactivity(0)[:, 0], [np.nan, 0.1, 0.2, 0.3, *[np.nan] * 5], rtol=1e-6)
    np.testing.assert_allclose(table.signal_to_noise, [[8.5]])


def bad_frames() -> dict[str, tuple[pd.DataFrame, str]]:
    good = make_profiles(2)
    two = good.copy()
    two.loc[1, "sequence"] = "ACGU" * 5
    return {
        "no rows": (good.iloc[:0].astype({"sequence": str}), "has no rows"),
        "no sequence": (good.drop(columns="sequence"), "has no column sequence"),
        "no reactivity": (good[["sequence_id", "sequence", "experiment_type"]], "expected the columns reactivity_0001"),
        "a gap": (good.drop(columns="reactivity_0004"), "expected the columns reactivity_0001"),
        "all letters bad": (good.assign(sequence="ACGE"), "id0: position 4: 'E' is no"),
        "too long": (good.assign(sequence="A" * 41), f"id0: 41 residues, but {POSITIONS} reactivity columns"),
        "text": (good.assign(reactivity_0007="high"), "id0: reactivity_0007: 'high' is not a number"),
        "no experiment": (
            good.assign(experiment_type=pd.Series([None] * 4, dtype=str)),
            "a row has no experiment_type",
        ),
        "two sequences": (two, "id0: the id has two sequences"),
    }


@pytest.mark.parametrize("name", ["profiles.parquet", "profiles.csv"])
@pytest.mark.parametrize("case", bad_frames())
def test_bad_input_is_named(tmp_path: Path, name: str, case: str) -> None:
    frame, reason = bad_frames()[case]
    with pytest.raises(InputError, match=reason) as caught:
        opened(frame, tmp_path, name)
    assert caught.value.file == str(tmp_path / name)
    assert not list((tmp_path / "cache").glob(".*"))


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more", b"\x00\xff\x00"])
def test_files_that_are_no_tables(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(InputError):
        ReactivityTable.open(tmp_path / "file", tmp_path)
    with pytest.raises(InputError, match="no such file"):
        ReactivityTable.open(tmp_path / "nothing", tmp_path)


def test_converted_once_and_known_by_contents(tmp_path: Path) -> None:
    first = opened(make_profiles(), tmp_path)
    stamp = os.stat(first.converted.path)
    again = opened(make_profiles(), tmp_path, "renamed.parquet")
    assert os.stat(again.converted.path) == stamp
    assert again.fingerprint == first.fingerprint
    assert opened(make_profiles(seed=1), tmp_path, "third.parquet").converted != first.converted
    first.converted.path.write_bytes(first.converted.path.read_bytes()[:-50])
    with pytest.raises(InputError, match="delete it"):
        opened(make_profiles(), tmp_path)


def test_many_batches_of_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = opened(make_profiles(20), tmp_path)
    monkeypatch.setattr("rnagen.io.reactivity_conversion.ROWS", 3)
    table = ReactivityTable.open(whole.path, tmp_path / "second")
    assert table.profiles["reactivity"].num_chunks == 14
    for n in range(20):
        np.testing.assert_array_equal(table.reactivity(n), whole.reactivity(n))


def test_a_pickled_table_maps_the_same_file(tmp_path: Path) -> None:
    table = opened(make_profiles(), tmp_path)
    table.reactivity(0)
    data = pickle.dumps(table)
    assert table.converted.path.name.encode() in data
    assert len(data) < 2000
    np.testing.assert_array_equal(pickle.loads(data).reactivity(2), table.reactivity(2))


def test_values_are_mapped_not_copied(tmp_path: Path) -> None:
    table = opened(make_profiles(30), tmp_path)
    before = pa.total_allocated_bytes()
    values = [table.profiles["reactivity"][n].values for n in range(60)]
    assert pa.total_allocated_bytes() == before
    assert sum(value.nbytes for value in values) == 60 * 4 * POSITIONS


@pytest.mark.data
def test_the_real_file(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "reactivity" / "train_data.parquet"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        table = ReactivityTable.open(path, tmp_path)
    assert [str(w.message).split()[0] for w in caught] == ["2", f"{path}:"]
    assert len(table) == 21_554
    assert table.experiments == ("1M7_MaP", "DMS_MaP", "SHAPE")
    assert sum(np.isfinite(table.reactivity(n)).sum() for n in range(0, len(table), 50)) > 30_000
    before = pa.total_allocated_bytes()
    assert table.profiles.nbytes > 20e6
    assert pa.total_allocated_bytes() == before
