"""Tables of predictions: what is written is what is read, and each fault is named."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnagen.errors import InputError
from rnagen.io import reactivity_layout as layout
from rnagen.io.reactivity_layout import Window, check_layout, write_layout
from rnagen.io.reactivity_table import ReactivityTable
from tests.helpers.profiles import EXPERIMENTS, random_sequence, write_profiles

SEQUENCES = {"long": random_sequence(30, 0), "short": random_sequence(12, 1), "unknown": "NNACGUNNACGU"}
WINDOW = Window(3, 2)


def random_profiles(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.random((len(s), len(EXPERIMENTS)), dtype=np.float32) for name, s in SEQUENCES.items()}


def values_of(path: Path) -> dict[str, np.ndarray]:
    """What the reader of measured tables finds, by RNA."""
    with tempfile.TemporaryDirectory() as cache:
        table = ReactivityTable.open(path, Path(cache), EXPERIMENTS)
        return {table.name(n): table.reactivity(n) for n in range(len(table))}


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "reactivity.parquet"
    write_layout(path, SEQUENCES, random_profiles(), EXPERIMENTS, WINDOW)
    return path


@pytest.mark.filterwarnings("ignore:.*SN_filter", "ignore:.*unknown bases")
@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    start=st.integers(0, 5),
    end=st.integers(0, 5),
    suffix=st.sampled_from(["parquet", "csv"]),
)
def test_the_reader_of_measured_tables_finds_the_same_numbers(seed: int, start: int, end: int, suffix: str) -> None:
    profiles = random_profiles(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"reactivity.{suffix}"
        write_layout(path, SEQUENCES, profiles, EXPERIMENTS, Window(start, end))
        found = values_of(path)
        assert list(found) == list(SEQUENCES)
        for name, values in found.items():
            wanted = profiles[name].copy()
            wanted[:start] = np.nan
            wanted[len(wanted) - end :] = np.nan
            np.testing.assert_array_equal(values, wanted)
        assert [p.name for p in Path(folder).iterdir()] == [path.name], "nothing else is left"


@pytest.mark.filterwarnings("ignore:.*SN_filter", "ignore:.*unknown bases")
def test_rows_written_in_several_parts(tmp_path: Path, written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "RNAS", 1)
    monkeypatch.setattr("rnagen.io.reactivity_conversion.ROWS", 1)
    write_layout(tmp_path / "parts.csv", SEQUENCES, random_profiles(), EXPERIMENTS, WINDOW)
    for name, values in values_of(tmp_path / "parts.csv").items():
        np.testing.assert_array_equal(values, values_of(written)[name])


def test_the_columns_are_those_of_measured_tables(written: Path) -> None:
    frame = pd.read_parquet(written)
    positions = [f"reactivity_{p:04d}" for p in range(1, 31)]
    assert list(frame) == ["sequence_id", "sequence", "experiment_type", *positions]
    assert set(frame[positions].dtypes) == {np.dtype(np.float32)}
    assert list(zip(frame["sequence_id"], frame["experiment_type"])) == [(n, e) for n in SEQUENCES for e in EXPERIMENTS]


def test_a_table_that_does_not_check_out_gets_no_name(tmp_path: Path, written: Path) -> None:
    before = written.read_bytes()
    profiles = random_profiles()
    profiles["short"][5, 1] = np.nan
    with pytest.raises(InputError, match="short: DMS_MaP, position 6: no value"):
        write_layout(written, SEQUENCES, profiles, EXPERIMENTS, WINDOW)
    assert written.read_bytes() == before
    assert list(tmp_path.iterdir()) == [written]


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_sound_table_of_another_tool(tmp_path: Path, written: Path, suffix: str) -> None:
    """Other row order, T for U, lower case, doubles, more columns."""
    frame = pd.read_parquet(written).iloc[::-1].copy()
    frame["sequence"] = frame["sequence"].str.lower().str.replace("u", "t")
    reactivity = frame.filter(like="reactivity").astype(float)
    frame = pd.concat([frame.drop(columns=reactivity.columns), reactivity], axis=1)
    frame["reactivity_0031"], frame["tool"] = np.nan, "another"
    path = write_profiles(frame, tmp_path / f"theirs.{suffix}")
    assert check_layout(path, SEQUENCES, (), WINDOW) == EXPERIMENTS


def cell(name: str, experiment: str, position: int, value: float):
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        rows = (frame["sequence_id"] == name) & (frame["experiment_type"] == experiment)
        frame.loc[rows, f"reactivity_{position:04d}"] = value
        return frame

    return change


def without(name: str, experiment: str | None = None):
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        return frame[
            (frame["sequence_id"] != name) | (frame["experiment_type"] != (experiment or frame["experiment_type"]))
        ]

    return change


def surplus(row: int, **changes: str):
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        return pd.concat([frame, frame.iloc[[row]].assign(**changes)])

    return change


FAULTS = {
    "no RNA": (without("short"), "short: no row of this RNA"),
    "no experiment": (without("short", "DMS_MaP"), "short: no row of DMS_MaP"),
    "twice": (surplus(3), "short: a second row of DMS_MaP"),
    "surplus RNA": (surplus(2, sequence_id="other"), "other: is not one of the RNAs"),
    "surplus experiment": (surplus(2, experiment_type="1M7"), "short: experiment type 1M7 is not one of"),
    "two sequences": (surplus(2, sequence="ACGU", experiment_type="DMS_MaP"), "short: the id has two sequences"),
    "another sequence": (lambda f: f.assign(sequence="ACGUACGUACGG"), "long: the sequence \\(12 nt\\) differs"),
    "no RNA sequence": (lambda f: f.assign(sequence="ACG%"), "long: .*%"),
    "too few columns": (lambda f: f.drop(columns="reactivity_0030"), "long: 30 residues, but 29 reactivity columns"),
    "missing": (cell("short", "DMS_MaP", 4, np.nan), "short: DMS_MaP, position 4: no value"),
    "negative": (cell("short", "2A3_MaP", 10, -0.01), "short: 2A3_MaP, position 10: -0.01 is not from 0 to 1"),
    "above one": (cell("long", "2A3_MaP", 28, 1.5), "long: 2A3_MaP, position 28: 1.5 is not from 0 to 1"),
    "infinite": (cell("long", "2A3_MaP", 9, np.inf), "long: 2A3_MaP, position 9: inf is not from 0 to 1"),
    "before the window": (cell("short", "2A3_MaP", 3, 0.5), "short: 2A3_MaP, position 3: 0.5 outside the window"),
    "behind the window": (cell("short", "2A3_MaP", 11, 0.5), "short: 2A3_MaP, position 11: 0.5 outside the window"),
    "beyond the RNA": (cell("short", "2A3_MaP", 13, 0.0), "short: 2A3_MaP, position 13: 0.0 beyond the 12 residues"),
    "no column": (lambda f: f.drop(columns="experiment_type"), "has no column experiment_type"),
    "no rows": (lambda f: f.iloc[:0], "has no rows"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_named_with_file_and_record(tmp_path: Path, written: Path, fault: str) -> None:
    change, message = FAULTS[fault]
    assert check_layout(written, SEQUENCES, EXPERIMENTS, WINDOW) == EXPERIMENTS
    path = write_profiles(change(pd.read_parquet(written)), tmp_path / "theirs.parquet")
    with pytest.raises(InputError, match=rf"theirs\.parquet: {message}"):
        check_layout(path, SEQUENCES, EXPERIMENTS, WINDOW)
