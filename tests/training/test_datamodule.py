"""The date gate, and what is left out of training."""

from pathlib import Path

import pandas as pd
import pytest

from rnagen.data.store import INDEX_COLUMNS, StructureStore
from rnagen.io.errors import InputError
from rnagen.training.datamodule import overfit_row, split_rows, training_rows

CUTOFF = "2022-05-27"


def make_store(**columns: list) -> StructureStore:
    """A store of four chains that is an index only."""
    good = {
        "id": ["a", "b", "c", "d"],
        "release_date": ["2001-01-01", "2022-05-26", "2010-10-10", "2015-05-05"],
        "benchmark": ["", "", "", ""],
        "length": [40, 60, 25, 35],
        "resolved": [0.9, 1.0, 1.0, 1.0],
        "num_models": [1, 5, 1, 1],
    }
    index = pd.DataFrame({**{c: [""] * 4 for c in INDEX_COLUMNS}, **good, **columns})
    return StructureStore(Path("made"), {}, index, {})


@pytest.fixture
def split(tmp_path: Path) -> Path:
    path = tmp_path / "train.csv"
    path.write_text("id,length\nd,1\na,1\nelsewhere,1\nb,1\nc,1\n")
    return path


def test_rows_follow_the_split(split: Path) -> None:
    assert split_rows(make_store(), split) == [3, 0, 1, 2]
    assert training_rows(make_store(), split, CUTOFF, 20) == [3, 0, 1, 2]


@pytest.mark.parametrize(
    ("date", "words"),
    [("2022-05-27", "b: released 2022-05-27"), ("2024-01-01", "b: released 2024-01-01"), ("", "b: has no release")],
)
def test_nothing_from_the_cutoff_on_trains(split: Path, date: str, words: str) -> None:
    store = make_store(release_date=["2001-01-01", date, "2010-10-10", "2015-05-05"])
    with pytest.raises(InputError, match=words):
        training_rows(store, split, CUTOFF, 20)


def test_no_benchmark_chain_trains_whatever_its_date(split: Path) -> None:
    with pytest.raises(InputError, match="c: belongs to the benchmark casp15"):
        training_rows(make_store(benchmark=["", "", "casp15", ""]), split, CUTOFF, 20)


def test_short_and_unresolved_chains_are_left_out(split: Path) -> None:
    assert training_rows(make_store(resolved=[0.4, 1.0, 1.0, 1.0]), split, CUTOFF, 30) == [3, 1]
    with pytest.raises(InputError, match="99 residues or more"):
        training_rows(make_store(), split, CUTOFF, 99)


def test_a_missing_or_strange_split_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.csv.*no such file"):
        split_rows(make_store(), tmp_path / "absent.csv")
    strange = tmp_path / "strange.csv"
    strange.write_text("name\nx\n")
    with pytest.raises(InputError, match=r"strange\.csv.*column id"):
        split_rows(make_store(), strange)


def test_overfitting_takes_a_whole_resolved_chain() -> None:
    assert overfit_row(make_store(num_models=[1, 5, 1, 1], resolved=[1.0] * 4), [0, 1, 2, 3], 96) == 0
    assert overfit_row(make_store(), [0, 1, 2, 3], 96) == 3
    with pytest.raises(InputError, match="to overfit"):
        overfit_row(make_store(), [0, 1, 2], 96)


@pytest.mark.data
def test_the_shipped_splits_keep_the_gate(shared_data: Path) -> None:
    """Against the table of dates and benchmarks that came with the data."""
    root = Path(__file__).parents[2] / "splits"
    train, val = (pd.read_csv(root / f"{name}.csv", dtype=str) for name in ("train", "val"))
    index = pd.read_csv(shared_data / "index.csv", dtype=str, keep_default_na=False).set_index("id")
    assert (train["release_date"] < CUTOFF).all()
    assert (val["release_date"] >= CUTOFF).all()
    assert not set(train["cluster"]) & set(val["cluster"])
    assert val["cluster"].is_unique
    for table in (train, val):
        known = table[table["id"].isin(index.index)]
        assert len(known) > 0.9 * len(table)
        assert (index.loc[known["id"], "benchmark"] == "").all()
        assert (index.loc[known["id"], "release_date"].to_numpy() == known["release_date"].to_numpy()).all()
