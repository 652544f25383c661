"""Fixtures of the trainings and samples through the command line."""

import shutil
from pathlib import Path

import pytest

from rnagen.checkpoints.structure import save_checkpoint
from rnagen.cli.train import main
from rnagen.data.dataset import Dataset
from rnagen.preparation.synthetic import synthetic_dataset
from tests.helpers.chains import rewrite
from tests.helpers.tiny import TINY, tiny_model
from tests.helpers.training import FAST


@pytest.fixture(autouse=True)
def _short_completion(short_completion: None) -> None:
    """Files and tables are what these tests are about."""


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared dataset of synthetic RNA with its splits beside it."""
    folder = tmp_path_factory.mktemp("prepared")
    synthetic_dataset(folder / "data", 12, seed=1)
    ids = Dataset.open(folder / "data").chains.names
    for name, part in (("train", ids[:9]), ("val", ids[9:])):
        (folder / f"{name}.csv").write_text("id\n" + "".join(f"{i}\n" for i in part))
    return folder


@pytest.fixture(scope="session")
def dated(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with release dates, for trainings in processes of their own, which filter by date."""
    folder = tmp_path_factory.mktemp("dated")
    shutil.copytree(data, folder, dirs_exist_ok=True)
    rewrite(folder / "data", release_date=["2001-01-01"] * 12)
    return folder


@pytest.fixture
def train(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run train.py on the synthetic dataset into tmp_path/NAME; returns the exit code."""
    # Synthetic RNA has no release date; the date filter itself is tested with the data module.
    monkeypatch.setattr("rnagen.data.dataset.check_dates", lambda *_: None)

    def call(name: str, *flags: str | Path) -> int:
        places = ["--data", data / "data", "--splits", data, "--run-dir", tmp_path, "--run-name", name]
        return main([str(f) for f in (*FAST, *places, *flags)])

    return call


@pytest.fixture(scope="module")
def ckpt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model."""
    path = tmp_path_factory.mktemp("ckpt") / "tiny.safetensors"
    save_checkpoint(path, tiny_model(), TINY, {"cutoff": "2022-05-27"})
    return path
