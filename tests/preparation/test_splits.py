"""Which chain belongs to which split."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from rnagen.data.chains import ChainInfo
from rnagen.data.dataset import Dataset
from rnagen.errors import InputError
from rnagen.preparation.splits import CUTOFF, SPLIT_COLUMNS, make_splits, read_split, write_splits
from rnagen.preparation.synthetic import synthetic_dataset
from tests.helpers.chains import rewrite
from tests.helpers.tiny import make_chain, stacked


def row(name: str, date: str, cluster: int, length: int = 30, **changes: Any) -> tuple[int, ChainInfo]:
    return length, ChainInfo(name, name, release_date=date, cluster=cluster, **changes)


def ids(rows: list[tuple[int, ChainInfo]]) -> dict[str, list[str]]:
    chains = replace(stacked([make_chain(length) for length, _ in rows]), infos=tuple(info for _, info in rows))
    return {name: [chains.names[row] for row in split] for name, split in make_splits(chains).items()}


def test_each_rule_keeps_a_chain_out() -> None:
    rows = [
        row("early", "2022-05-26", 1),
        row("early_benchmark", "2020-01-01", 2, benchmark="casp15"),
        row("on_the_day", CUTOFF, 3),
        row("late", "2023-01-01", 4),
        row("late_like_early", "2023-01-01", 1),
        row("late_like_early_benchmark", "2023-01-01", 2),
        row("late_short", "2023-01-01", 5, length=19),
        row("late_benchmark", "2023-01-01", 6, benchmark="casp15"),
        row("target", "2022-05-27", 7, benchmark="casp15", target=True),
        row("undated", "", 8),
    ]
    assert ids(rows) == {"train": ["early"], "val": ["late", "on_the_day"], "casp15": ["target"]}


def test_clusters_that_are_held_out_neither_train_nor_validate() -> None:
    rows = [row("a", "2020-01-01", 1), row("b", "2020-01-01", 2), row("late_like_b", "2023-01-01", 2)]
    chains = replace(stacked([make_chain(length) for length, _ in rows]), infos=tuple(info for _, info in rows))
    assert make_splits(chains, held_out={2}) == {"train": [0], "val": [], "casp15": []}


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"resolved": 0.9, "length": 20}, {"resolved": 0.8, "length": 90}),
        ({"length": 31, "kind": "c1"}, {"length": 30}),
        ({"kind": "full"}, {"kind": "c1"}),
    ],
)
def test_best_chain_of_a_cluster_validates(better: dict[str, Any], worse: dict[str, Any]) -> None:
    for names in (("a", "z"), ("z", "a")):
        rows = [row(names[0], "2023-01-01", 1, **better), row(names[1], "2023-01-01", 1, **worse)]
        assert ids(rows)["val"] == [names[0]]
    assert ids([row("z", "2023-01-01", 1), row("a", "2023-01-01", 1)])["val"] == ["a"]


def test_written_splits_are_read_again(tmp_path: Path) -> None:
    synthetic_dataset(tmp_path / "data", 2, seed=0)
    rewrite(tmp_path / "data", release_date=["2001-02-03", ""])
    assert write_splits(Dataset.open(tmp_path / "data").chains, tmp_path / "splits") == {
        "train": 1,
        "val": 0,
        "casp15": 0,
        "ensemble": 0,
    }
    assert (tmp_path / "splits" / "val.csv").read_text() == ",".join(SPLIT_COLUMNS) + "\n"
    chains = read_split(tmp_path / "splits" / "train.csv")
    assert list(chains) == ["synthetic_00000"]
    assert chains["synthetic_00000"].release_date == "2001-02-03"
    assert chains["synthetic_00000"].cluster == 0
    with pytest.raises(InputError, match="lists no chain"):
        read_split(tmp_path / "splits" / "val.csv")


def test_the_committed_splits_keep_their_own_rules() -> None:
    folder = Path(__file__).resolve().parents[2] / "splits"
    train, val, casp15 = (pd.read_csv(folder / f"{n}.csv", keep_default_na=False) for n in ("train", "val", "casp15"))
    assert (train["release_date"] < CUTOFF).all()
    assert (val["release_date"] >= CUTOFF).all()
    assert not set(val["cluster"]) & set(train["cluster"])
    assert val["cluster"].is_unique
    assert len(casp15) == 12
    assert not set(casp15["sequence"]) & set(train["sequence"])
