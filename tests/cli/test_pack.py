"""rnagen pack: training from the file is training from the dataset, past the same gate."""

from pathlib import Path

import pandas as pd
import pytest

from rnagen.checkpoints.structure import load_checkpoint
from rnagen.cli.main import main
from tests.cli.test_train import FAST, LOG, assert_same, column, data, weights

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


def test_a_file_with_synthetic_rna_warms_up_as_the_dataset_does(
    dated: Path, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rnagen.prepare.pack.SYNTHETIC_CHAINS", 6)
    monkeypatch.setattr("rnagen.prepare.pack.SYNTHETIC_VALIDATION", 1)
    pack = ["pack", str(dated / "data"), "--splits", str(dated), "--out"]
    file, without = tmp_path / "both.safetensors", tmp_path / "without.safetensors"
    assert main([*pack, str(file), "--synthetic"]) == 0
    assert "3 validation chains, 6 synthetic ones" in capsys.readouterr().out
    assert main([*pack, str(without)]) == 0
    short = [*FAST, "--no-validate", "--epochs", "1", "--train-batches", "4", "--run-dir", str(tmp_path)]
    folder = ("--data", str(dated / "data"), "--splits", str(dated))
    warm = ("--synthetic-steps", "2")
    sources = {"folder": (*folder, *warm), "file": ("--data", str(file), *warm), "cold": ("--data", str(file))}
    for name, flags in sources.items():
        assert main(["train", *short, *flags, "--run-name", name]) == 0
    assert_same(weights(tmp_path / "folder"), weights(tmp_path / "file"))
    cold, warmed = (column(tmp_path / name / LOG, "train/loss") for name in ("cold", "file"))
    assert cold[0] != warmed[0]
    assert load_checkpoint(tmp_path / "file" / "last.safetensors").metadata["data"]["chains"] == 9

    # A resumed run goes on in the same warm-up.
    state = ["--ckpt", str(tmp_path / "parts" / "last.ckpt")]
    parts = [*short, *sources["file"], "--run-name", "parts", "--train-batches", "1"]
    assert main(["train", *parts]) == 0
    assert main(["train", *parts, "--epochs", "4", *state]) == 0
    assert_same(weights(tmp_path / "file"), weights(tmp_path / "parts"))

    assert main(["train", *short, "--data", str(without), *warm, "--run-name", "refused"]) == 2
    assert "was packed without the synthetic RNA" in capsys.readouterr().err


def test_what_must_not_train_is_not_packed(data: Path, tmp_path: Path, capsys) -> None:
    index = data / "data" / "index.parquet"
    pd.read_parquet(index).assign(release_date="2022-05-27").to_parquet(index)
    flags = ["pack", str(data / "data"), "--splits", str(data), "--out", str(tmp_path / "p.safetensors")]
    assert main(flags) == 2
    assert "released 2022-05-27, but the cutoff is 2022-05-27" in capsys.readouterr().err
    assert main([*flags, "--atoms", "P"]) == 2
    assert "C1' is scored" in capsys.readouterr().err
    assert not (tmp_path / "p.safetensors").exists()
