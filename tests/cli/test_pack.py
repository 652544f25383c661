"""rnagen pack: training from the file is training from the dataset, past the same gate."""

from pathlib import Path

import pandas as pd
import pytest

from rnagen.checkpoint import load_checkpoint
from rnagen.cli.main import main
from tests.cli.test_train import FAST, assert_same, data, weights

__all__ = ["data"]


@pytest.fixture
def dated(data: Path) -> Path:
    """The synthetic dataset, released before the cutoff."""
    index = data / "data" / "index.parquet"
    pd.read_parquet(index).assign(release_date="2020-01-01").to_parquet(index)
    return data


def test_training_from_the_file_is_training_from_the_dataset(dated: Path, tmp_path: Path, capsys) -> None:
    file = tmp_path / "train.safetensors"
    assert main(["pack", str(dated / "data"), "--splits", str(dated), "--out", str(file)]) == 0
    assert "9 training and 3 validation chains" in capsys.readouterr().out
    short = [*FAST, "--epochs", "1", "--train-batches", "3", "--run-dir", str(tmp_path)]
    sources = {"folder": ("--data", str(dated / "data"), "--splits", str(dated)), "file": ("--data", str(file))}
    for name, flags in sources.items():
        assert main(["train", *short, *flags, "--run-name", name]) == 0
    assert_same(weights(tmp_path / "folder"), weights(tmp_path / "file"))
    trained = [load_checkpoint(tmp_path / name / "last.safetensors").metadata for name in sources]
    assert trained[0]["data"] == trained[1]["data"]
    assert trained[0]["metrics"] == trained[1]["metrics"]

    # The gate again: an earlier cutoff than the one that the file was packed with.
    flags = [*short, "--data", str(file), "--run-name", "earlier", "--cutoff", "2020-01-01"]
    assert main(["train", *flags]) == 2
    assert "released 2020-01-01, but the cutoff is 2020-01-01" in capsys.readouterr().err
    assert main(["train", *short, "--data", str(file), "--run-name", "atoms", "--atoms", "C1'", "O3'"]) == 2
    assert 'was packed without the atom "O3\'"' in capsys.readouterr().err


def test_what_must_not_train_is_not_packed(data: Path, tmp_path: Path, capsys) -> None:
    index = data / "data" / "index.parquet"
    pd.read_parquet(index).assign(release_date="2022-05-27").to_parquet(index)
    flags = ["pack", str(data / "data"), "--splits", str(data), "--out", str(tmp_path / "p.safetensors")]
    assert main(flags) == 2
    assert "released 2022-05-27, but the cutoff is 2022-05-27" in capsys.readouterr().err
    assert main([*flags, "--atoms", "P"]) == 2
    assert "C1' is scored" in capsys.readouterr().err
    assert not (tmp_path / "p.safetensors").exists()
