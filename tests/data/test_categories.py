"""Labels of the tables of the splits: the training chains give the categories, all others count as none."""

from pathlib import Path

import pytest

from rnagen.data.categories import read_labels
from rnagen.errors import InputError

TRAINING = ("a", "b", "c", "d")


@pytest.fixture
def splits(tmp_path: Path) -> Path:
    (tmp_path / "train.csv").write_text("id,family\na,tRNA\nb,ribozyme\nc, tRNA \nd,\nshort,snRNA\n")
    (tmp_path / "val.csv").write_text("family;id\ntRNA;v\nsnRNA;w\n;x\n")
    return tmp_path


def test_the_chains_that_train_give_the_categories(splits: Path) -> None:
    """A chain that does not train gives none, and a chain of the validation has those of the training."""
    labels = read_labels(splits, "family", TRAINING)
    assert labels.categories == ("ribozyme", "tRNA")
    assert labels.numbers([*TRAINING, "v", "w", "x", "in no table"]) == [2, 1, 2, 0, 2, 0, 0, 0]
    assert labels.unknown([*TRAINING, "v", "w", "x"]) == {"snRNA": 1}


def test_given_categories_count_alone(splits: Path) -> None:
    labels = read_labels(splits, "family", TRAINING, ("tRNA",))
    assert labels.numbers(TRAINING) == [1, 0, 1, 0]
    assert labels.unknown(TRAINING) == {"ribozyme": 1}


@pytest.mark.parametrize(
    ("column", "training", "words"),
    [
        ("method", TRAINING, r"val.csv: has no column method \(its header: family, id\)"),
        ("family", ("d", "e"), "train.csv: family: no chain that trains has a label"),
    ],
)
def test_a_column_that_is_missing_or_empty_is_named(splits: Path, column: str, training, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_labels(splits, column, training)


def test_a_missing_table_is_named(splits: Path) -> None:
    (splits / "val.csv").unlink()
    with pytest.raises(InputError, match=r"val\.csv"):
        read_labels(splits, "family", TRAINING)
