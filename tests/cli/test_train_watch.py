"""What can be seen of a training while it runs, and afterwards."""

import csv
import itertools
import json
import os
import re
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from rnagen.cli.train import main
from rnagen.data.dataset import Dataset
from rnagen.progress import is_quiet
from rnagen.tasks.structure.data import RNADataModule
from rnagen.tasks.structure.module import FlowModule
from rnagen.tasks.structure.time_bins import NAMES
from rnagen.tasks.structure.validation import score_names
from rnagen.training import callbacks, loggers
from rnagen.training.callbacks import MetricsWriter
from rnagen.training.pictures import FILE
from tests.helpers.training import FAST

ROOT = Path(__file__).parents[2]

NO_VALIDATION = ("--epochs", "1", "--no-validate")


def log_lines(text: str) -> list[str]:
    return re.findall(r"step \d+: loss.*|step \d+: flow.*", text)


def rows(folder: Path, version: int = 0) -> list[dict[str, str]]:
    with (folder / "log" / f"version_{version}" / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def test_one_line_and_one_row_per_interval_and_for_the_last_step(train, tmp_path: Path, capsys) -> None:
    assert train("a", *NO_VALIDATION, "--train-batches", "7", "--print-freq", "3") == 0
    lines = log_lines(capsys.readouterr().out)
    assert [int(line.split()[1][:-1]) for line in lines] == [3, 6, 7]
    for line in lines:
        names = re.findall(r"([a-z_]+) [-\d.]", line.split(": ")[1])
        assert len(names) == len(set(names))
        assert {"loss", "flow", "lr"} <= set(names)
        assert {"rate", "steps_per_second", "memory_mb"}.isdisjoint(names)
    found = rows(tmp_path / "a")
    assert [row["step"] for row in found] == ["3", "6", "7"]
    assert all(row["train/loss"] and row["rate"] and row["steps_per_second"] for row in found)
    assert len({row["train/loss"] for row in found}) == 3


def test_a_short_run_has_its_one_line(train, tmp_path: Path, capsys) -> None:
    assert train("a", *NO_VALIDATION, "--train-batches", "2", "--print-freq", "50") == 0
    (line,) = log_lines(capsys.readouterr().out)
    assert line.startswith("step 2: ")
    assert [row["step"] for row in rows(tmp_path / "a")] == ["2"]


def test_validation_has_the_loss_by_time_and_the_best_of_its_conformers(train, tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert train(name, "--epochs", "1", "--train-batches", "1", "--val-repeat", "3") == 0
    (record,) = [json.loads(line) for line in (tmp_path / "a" / "metrics.jsonl").read_text().splitlines()]
    names = {*score_names(3), *NAMES}
    assert {name for name in record if name.startswith("val/")} == {f"val/{name}" for name in names}
    assert all(record[f"val/{name}"] > 0 for name in (*NAMES, "tm_best3", "lddt_mean3", "one_minus_tm_mean3"))
    assert record["val/lddt_mean3"] <= record["val/lddt_best3"]
    trained, validated = rows(tmp_path / "a")
    assert (trained["step"], validated["step"]) == ("1", "1")
    assert all(float(validated[f"val/{name}"]) == record[f"val/{name}"] for name in names)
    assert set(record["targets"][0]) == {"id", "length", *names}
    for file in ("metrics.jsonl", FILE):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


@pytest.mark.slow
def test_weights_and_biases_get_the_picture_of_each_validation(dated: Path, tmp_path: Path) -> None:
    """The library itself, offline, in a process of its own: it keeps the settings of its first run."""
    flags = ("--data", dated / "data", "--splits", dated, "--run-dir", tmp_path, "--run-name", "a", "--wandb")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "WANDB_MODE": "offline"}
    line = [sys.executable, ROOT / "train.py", *FAST, *flags, "--epochs", "2", "--train-batches", "1"]
    subprocess.run(list(map(str, line)), check=True, env=environment, cwd=tmp_path)
    pictures = list((tmp_path / "a" / "wandb").glob("offline-run-*/files/media/images/val/structures_*.png"))
    assert len(pictures) == 2
    assert (tmp_path / "a" / FILE).read_bytes() in [picture.read_bytes() for picture in pictures]


def test_without_matplotlib_there_is_no_picture(train, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("rnagen.training.pictures.find_spec", lambda name: None)
    assert train("a", "--epochs", "1", "--train-batches", "1") == 0
    assert not (tmp_path / "a" / FILE).exists()
    assert (tmp_path / "a" / "best.safetensors").exists()


def test_the_last_line_repeats_how_many_chains_are_left_out_and_why(train, data: Path, tmp_path: Path, capsys) -> None:
    lengths = sorted(Dataset.open(data / "data").chains.lengths[:9].tolist())
    least = lengths[4]
    short = sum(length < least for length in lengths)
    assert short
    assert train("a", *NO_VALIDATION, "--train-batches", "1", "--min-length", str(least)) == 0
    printed = capsys.readouterr().out
    reason = f" (left out: {short} shorter than {least} residues)"
    assert printed.splitlines()[-1] == f"finished: {tmp_path / 'a'}{reason}"
    assert f"3 validate{reason}; 1 steps" in printed
    assert train("b", *NO_VALIDATION, "--train-batches", "1") == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"finished: {tmp_path / 'b'}"


def test_weights_and_biases_go_on_with_the_record_of_the_run(train, tmp_path: Path, monkeypatch) -> None:
    made: list[dict] = []

    class Logger(loggers.CSVLogger):
        """Stands in for that of Weights & Biases."""

        def __init__(self, **options) -> None:
            made.append(options)
            super().__init__(options["save_dir"], name="wandb")

        @property
        def experiment(self):
            run = super().experiment
            run.id = "abc123"
            return run

    monkeypatch.setattr(loggers, "WandbLogger", Logger)
    flags = ("--wandb", "--wandb-project", "p", "--wandb-entity", "e", "--wandb-group", "g", "--wandb-tags", "x", "y")
    assert train("a", *NO_VALIDATION, "--train-batches", "1", *flags) == 0
    assert main(["--ckpt", str(tmp_path / "a" / "last.ckpt"), "--epochs", "2"]) == 0
    named = [[one[name] for name in ("project", "entity", "group", "tags", "name", "id")] for one in made]
    assert named == [["p", "e", "g", ["x", "y"], "a", None], ["p", "e", "g", ["x", "y"], "a", "abc123"]]
    assert (tmp_path / "a" / loggers.WANDB_ID).read_text() == "abc123\n"
    assert len(rows(tmp_path / "a")) == 1


@pytest.mark.skipif(find_spec("tensorboard") is not None, reason="TensorBoard is installed")
def test_tensorboard_that_is_not_installed_is_one_line(train, tmp_path: Path, capsys) -> None:
    assert train("a", *NO_VALIDATION, "--train-batches", "1", "--tensorboard") == 2
    error = capsys.readouterr().err.rstrip("\n").splitlines()[-1]
    assert error == "train.py: tensorboard: it is not installed (pip install tensorboard)"
    assert not (tmp_path / "a").exists()
    # Before anything is read.
    assert main(["--tensorboard", "--ckpt", "absent.ckpt"]) == 2
    assert "tensorboard: it is not installed" in capsys.readouterr().err


@pytest.mark.skipif(find_spec("tensorboard") is None, reason="TensorBoard is not installed")
def test_tensorboard_writes_into_the_folder_of_the_run(train, tmp_path: Path) -> None:
    assert train("a", *NO_VALIDATION, "--train-batches", "1", "--tensorboard") == 0
    assert list((tmp_path / "a" / "tensorboard" / "version_0").glob("events.*"))


@pytest.mark.skipif(find_spec("tensorboard") is None, reason="TensorBoard is not installed")
def test_tensorboard_gets_the_picture_of_each_validation(train, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert train("a", "--epochs", "2", "--train-batches", "1", "--tensorboard") == 0
    events = EventAccumulator(str(tmp_path / "a" / "tensorboard" / "version_0"), size_guidance={"images": 0}).Reload()
    assert [image.step for image in events.Images(loggers.PICTURE)] == [1, 2]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--epochs", "-1"), "epochs: -1 cannot be used"),
        (("--mha-heads", "0"), "mha_heads: 0 cannot be used"),
        (("--max-time", "1 week"), "max_time: '1 week' cannot be used (expected 90s, 30m, 1h, 1d or DD:HH:MM:SS)"),
        (("--accelerator", "mps", "--data", "."), "accelerator: 'mps' with devices 1 cannot be used"),
    ],
)
def test_what_cannot_be_is_one_early_line(tmp_path: Path, capsys, flags: tuple[str, ...], words: str) -> None:
    if torch.backends.mps.is_available():
        pytest.skip("this machine has a GPU")
    assert main([*flags, "--run-dir", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_what_the_parser_refuses_is_one_line_too(capsys) -> None:
    assert main(["--epochs", "many"]) == 2
    assert capsys.readouterr().err.startswith("train.py: epochs: 'many' cannot be used")


@pytest.mark.slow
def test_a_run_ends_after_its_time(train, tmp_path: Path) -> None:
    assert train("a", "--epochs", "100000", "--no-validate", "--max-time", "5s") == 0
    assert 0 < torch.load(tmp_path / "a" / "last.ckpt", weights_only=True)["global_step"] < 100_000


@pytest.mark.parametrize("flags", [(), ("--quiet",)])
def test_a_quiet_run_shows_no_progress_of_its_data_either(train, monkeypatch, flags: tuple[str, ...]) -> None:
    """Conformers of a confidence training are sampled there."""
    found = []
    setup = RNADataModule.setup

    def watched(self, stage: str) -> None:
        found.append(is_quiet())
        setup(self, stage)

    monkeypatch.setattr(RNADataModule, "setup", watched)
    assert train("a", *NO_VALIDATION, "--train-batches", "1", *flags) == 0
    assert set(found) == {bool(flags)}
    assert not is_quiet()


def test_an_early_end_has_its_line_and_row_too(train, tmp_path: Path, capsys, monkeypatch) -> None:
    """At a step that is not one of `--print-freq`."""

    def stop(self, trainer, *_) -> None:
        if trainer.global_step == 4:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(MetricsWriter, "on_train_batch_end", stop)
    assert train("a", *NO_VALIDATION, "--train-batches", "7", "--print-freq", "3") == 130
    assert [int(line.split()[1][:-1]) for line in log_lines(capsys.readouterr().out)] == [3, 4]
    assert [row["step"] for row in rows(tmp_path / "a")] == ["3", "4"]


def test_validations_do_not_count_in_the_speed(train, tmp_path: Path, monkeypatch) -> None:
    now = iter(range(10**6))
    monkeypatch.setattr(callbacks, "time", SimpleNamespace(monotonic=lambda: float(next(now))))
    step = FlowModule.validation_step

    def long(self, *arguments):
        next(itertools.islice(now, 1000, None))
        return step(self, *arguments)

    monkeypatch.setattr(FlowModule, "validation_step", long)
    assert train("a", "--epochs", "3", "--train-batches", "2", "--print-freq", "3") == 0
    speeds = [float(row["steps_per_second"]) for row in rows(tmp_path / "a") if row["steps_per_second"]]
    assert len(speeds) == 2
    assert min(speeds) > 0.1
