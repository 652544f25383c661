"""train.py --task reactivity: runs as typed, resumes exactly, measures exactly, refuses what cannot be used."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from rnagen.checkpoints.reactivity import load_reactivity_checkpoint
from rnagen.cli.train import main
from rnagen.config.files import load_config, load_yaml
from rnagen.config.reactivity import ReactivityConfig
from rnagen.tasks.reactivity.data import ReactivityDataModule
from rnagen.tasks.reactivity.dataset import ReactivityBatch
from rnagen.tasks.reactivity.module import weighted_error
from tests.helpers.profiles import POSITIONS, config_of, make_profiles, write_profiles

ROOT = Path(__file__).parents[3]
TINY = ["--encoder-dim", "16", "--encoder-layers", "2", "--encoder-heads", "2", "--encoder-pair-dim", "4"]
FAST = [*TINY, "--batch-size", "4", "--epochs", "2", "--print-freq", "1", "--accelerator", "cpu"]
ONE_STEP = ["--epochs", "1", "--train-batches", "1"]


def typed(profiles: Path, run_dir: Path, name: str, *flags: str | Path) -> list[str]:
    """A training as typed, on a table whose cache lies beside it, into run_dir/name."""
    places = ["--data", profiles, "--cache", profiles.parent / "cache", "--run-dir", run_dir, "--run-name", name]
    return [str(f) for f in ("--task", "reactivity", *FAST, *places, *flags)]


@pytest.fixture
def train(profiles: Path, tmp_path: Path):
    """Run train.py on the table into tmp_path/NAME; returns the exit code."""

    def call(name: str, *flags: str | Path) -> int:
        return main(typed(profiles, tmp_path, name, *flags))

    return call


@pytest.fixture(scope="module")
def whole(profiles: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("runs")
    assert main(typed(profiles, folder, "whole")) == 0
    return folder / "whole"


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "last.safetensors")


def assert_same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor], **tolerance: float) -> None:
    assert first.keys() == second.keys()
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, **(tolerance or {"rtol": 0, "atol": 0}), msg=name)


def records(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def assert_usable(folder: Path, encoder: str) -> None:
    names = {".lock", "config.yaml", "log", "metrics.jsonl", "last.ckpt"}
    names |= {f"{which}.{suffix}" for which in ("last", "best") for suffix in ("safetensors", "json")}
    assert {p.name for p in folder.iterdir()} == names
    loaded = load_reactivity_checkpoint(folder / "best.safetensors")
    assert loaded.model.experiments == ("2A3_MaP", "DMS_MaP")
    assert loaded.metadata["metrics"]["val/mae"] == min(record["val/mae"] for record in records(folder))
    assert loaded.metadata["training"]["encoder"] == encoder


def test_a_run_leaves_what_is_needed_to_use_and_to_repeat_it(whole: Path, tmp_path: Path) -> None:
    assert_usable(whole, "transformer")
    assert len(records(whole)) == 2
    # The configuration that was written is one that trains again, without --task.
    assert load_yaml(whole / "config.yaml")["task"] == "reactivity"
    again = ["--config", str(whole / "config.yaml"), "--run-dir", str(tmp_path), "--run-name", "again"]
    assert main(again) == 0
    assert_same(weights(whole), weights(tmp_path / "again"))


@pytest.mark.parametrize("encoder", ["squeezeformer", "convformer"])
def test_every_encoder_trains(train, tmp_path: Path, encoder: str) -> None:
    assert train("a", "--encoder", encoder, *ONE_STEP) == 0
    assert_usable(tmp_path / "a", encoder)


def test_the_metric_equals_a_double_precision_recomputation_from_saved_predictions(
    train, whole: Path, profiles: Path, tmp_path: Path
) -> None:
    assert train("b", "--validate-only", "--ckpt", whole / "last.safetensors") == 0
    found = records(tmp_path / "b")[-1]
    assert found["val/mae"] == records(whole)[-1]["val/mae"]
    columns = [f"reactivity_{position + 1:04d}" for position in range(40)]
    predicted = pd.read_parquet(tmp_path / "b" / "held_out.parquet").set_index(["sequence_id", "experiment_type"])
    measured = pd.read_parquet(profiles).set_index(["sequence_id", "experiment_type"]).loc[predicted.index]
    target = measured[columns].to_numpy(np.float64).clip(0, 1)
    errors = np.abs(predicted.reindex(columns=columns)[columns].to_numpy(np.float64) - target)
    assert 0 < np.isfinite(errors).sum() < errors.size
    assert found["val/mae"] == pytest.approx(np.nanmean(errors), rel=1e-12)
    passing = measured["SN_filter"].to_numpy() == 1
    assert found["val/mae_sn_filter"] == pytest.approx(np.nanmean(errors[passing]), rel=1e-12)
    for name in ("2A3_MaP", "DMS_MaP"):
        mine = predicted.index.get_level_values("experiment_type") == name
        assert found[f"val/mae/{name}"] == pytest.approx(np.nanmean(errors[mine]), rel=1e-12)
    # Every held-out RNA is there once per experiment, and no other.
    data = ReactivityDataModule(config_of(profiles))
    data.setup("fit")
    assert data.val is not None
    assert set(predicted.index.get_level_values(0)) == {data.table.name(int(n)) for n in data.val.numbers}


def test_resume_in_the_middle_of_an_epoch_is_exact(
    train, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rnagen.training.callbacks import StepLog

    def interrupt(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        if trainer.global_step == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(StepLog, "on_train_batch_end", interrupt)
        assert train("parts") == 130
    state = tmp_path / "parts" / "last.ckpt"
    assert torch.load(state, weights_only=True)["global_step"] == 3
    assert train("parts", "--ckpt", state) == 0
    assert_same(weights(whole), weights(tmp_path / "parts"))
    assert records(whole)[-1]["val/mae"] == records(tmp_path / "parts")[-1]["val/mae"]


def test_a_finished_run_goes_on_with_its_own_options_and_more_epochs(train, tmp_path: Path, capsys) -> None:
    """Its one cycle becomes that of the longer run."""
    assert train("a", "--epochs", "1", "--no-flip-validation") == 0
    state = tmp_path / "a" / "last.ckpt"
    first = torch.load(state, weights_only=True)["global_step"]
    assert main(["--ckpt", str(state), "--encoder", "squeezeformer"]) == 2
    line = "encoder: the run has transformer, squeezeformer was given: a resumed run keeps it"
    assert line in capsys.readouterr().err
    assert main(["--ckpt", str(state), "--epochs", "3"]) == 0
    assert torch.load(state, weights_only=True)["global_step"] == 3 * first
    values = load_yaml(tmp_path / "a" / "config.yaml")
    assert (values["task"], values["flip_validation"], values["epochs"]) == ("reactivity", False, 3)


@pytest.mark.slow
def test_two_processes_measure_together_what_one_measures(train, profiles: Path, tmp_path: Path) -> None:
    """The mean is the same, though each holds half of the profiles; the rate is too small to change the weights."""
    flags = [*ONE_STEP, "--lr", "1e-12"]
    assert train("one", *flags) == 0
    command = [sys.executable, str(ROOT / "train.py"), *typed(profiles, tmp_path, "two", *flags, "--devices", "2")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    one, two = (records(tmp_path / name)[-1] for name in ("one", "two"))
    assert two["val/mae"] == pytest.approx(one["val/mae"], rel=1e-6)
    assert two["val/mae/DMS_MaP"] == pytest.approx(one["val/mae/DMS_MaP"], rel=1e-6)


def test_weights_alone_start_a_new_run(train, whole: Path, tmp_path: Path, capsys) -> None:
    start = whole / "last.safetensors"
    assert train("second", "--lr", "1e-12", "--ckpt", start, *ONE_STEP) == 0
    assert_same(weights(whole), weights(tmp_path / "second"), rtol=0, atol=1e-6)
    capsys.readouterr()
    assert train("third", "--encoder", "squeezeformer", "--ckpt", start) == 2
    assert "another shape" in capsys.readouterr().err


def test_it_learns_what_can_be_learnt(tmp_path: Path) -> None:
    """A table in which a base alone decides: the error falls far below that of the best constant, 0.25."""
    frame = make_profiles(60, errors=False).assign(signal_to_noise=5.0)
    reactivity = {"A": 0.9, "C": 0.1, "G": 0.3, "U": 0.6}
    for n in range(POSITIONS):
        frame[f"reactivity_{n + 1:04d}"] = frame["sequence"].str[n].map(reactivity).astype(np.float32)
    path = write_profiles(frame, tmp_path / "profiles.parquet")
    flags = ["--lr", "2e-2", "--base-pairs", "none", "--encoder-layers", "1", "--epochs", "5", "--val-epoch-freq", "5"]
    assert main(typed(path, tmp_path, "a", *flags)) == 0
    assert records(tmp_path / "a")[-1]["val/mae"] < 0.06


def test_a_non_finite_step_is_skipped(train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def sometimes(predicted: torch.Tensor, batch: ReactivityBatch) -> torch.Tensor:
        calls.append(1)
        return weighted_error(predicted, batch) * (float("nan") if len(calls) == 2 else 1.0)

    monkeypatch.setattr("rnagen.tasks.reactivity.module.weighted_error", sometimes)
    assert train("a", "--epochs", "1", "--no-validate") == 0
    assert all(torch.isfinite(value).all() for value in weights(tmp_path / "a").values())
    assert torch.load(tmp_path / "a" / "last.ckpt", weights_only=True)["state_dict"]["skipped_steps"] == 1


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--data", "absent.parquet"], "absent.parquet"),
        (["--max-length", "3"], "too few"),
        (["--ckpt", "absent.ckpt"], "absent.ckpt"),
        (["--validate-only", "--cv-split", "None"], "there is nothing to validate on"),
        (["--task", "folding"], "'folding' does not exist; choose one of structure, reactivity, confidence"),
    ],
)
def test_bad_options_are_named(train, capsys, flags: list[str], words: str) -> None:
    assert train("a", *flags) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("flags", [("--cv-split", "7"), ("--cv-splits", "1"), ("--warmup", "1.5"), ("--flip", "2")])
def test_impossible_values_are_named(train, capsys, flags: tuple[str, str]) -> None:
    assert train("a", *flags) == 2
    line = capsys.readouterr().err
    assert line.startswith(f"train.py: {flags[0][2:].replace('-', '_')}: ")
    assert line.count("\n") == 1


def test_preset_is_a_configuration() -> None:
    values = load_yaml(ROOT / "configs" / "reactivity.yaml")
    config = load_config(ReactivityConfig(), values, "preset")
    assert (config.run.epochs, config.optim.lr, config.optim.weight_decay) == (32, 5e-4, 0.05)
    assert (config.optim.warmup, config.optim.grad_clip) == (0.02, 3.0)


def test_names_of_earlier_versions_are_understood(train, capsys) -> None:
    assert train("a", "--validate-only", "--folds", "4", "--fold", "None") == 2
    message = capsys.readouterr().err
    assert "the option folds is now called cv_splits" in message
    assert "the option fold is now called cv_split" in message
    assert "nothing to validate on" in message
