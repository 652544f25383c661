"""train.py --task reactivity: runs as typed, resumes exactly, measures exactly, refuses what cannot be used."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
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
from rnagen.tasks.reactivity.data import EpochStream, ReactivityDataModule
from rnagen.tasks.reactivity.dataset import ReactivityBatch, reactivity_batch
from rnagen.tasks.reactivity.module import ReactivityModule, weighted_error
from tests.helpers.profiles import make_profiles, write_profiles

ROOT = Path(__file__).parents[3]
TINY = ["--encoder-dim", "16", "--encoder-layers", "2", "--encoder-heads", "2", "--encoder-pair-dim", "4"]
FAST = [*TINY, "--batch-size", "4", "--epochs", "2", "--print-freq", "1", "--accelerator", "cpu"]
COUNT = 40


@pytest.fixture(scope="module")
def profiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of 40 RNAs, whose cache is filled."""
    folder = tmp_path_factory.mktemp("profiles")
    frame = make_profiles(COUNT)
    frame["signal_to_noise"] = frame["signal_to_noise"].abs() + 1
    path = write_profiles(frame, folder / "profiles.parquet")
    ReactivityDataModule(config_of(path)).prepare_data()
    return path


def config_of(path: Path, **options) -> ReactivityConfig:
    values = {"encoder_dim": 16, "encoder_layers": 2, "encoder_heads": 2, "batch_size": 4}
    return load_config(ReactivityConfig(), {**values, "data": path, "cache": path.parent / "cache", **options}, "test")


@pytest.fixture
def train(profiles: Path, tmp_path: Path):
    """Run train.py on the table into tmp_path/NAME; returns the exit code."""

    def call(name: str, *flags: str | Path) -> int:
        places = ["--data", profiles, "--cache", profiles.parent / "cache", "--run-dir", tmp_path, "--run-name", name]
        return main([str(f) for f in ("--task", "reactivity", *FAST, *places, *flags)])

    return call


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "last.safetensors")


def assert_same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor], **tolerance: float) -> None:
    assert first.keys() == second.keys()
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, **(tolerance or {"rtol": 0, "atol": 0}), msg=name)


def records(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("encoder", ["transformer", "squeezeformer", "convformer"])
def test_a_run_leaves_what_is_needed_to_use_and_to_understand_it(train, tmp_path: Path, encoder: str) -> None:
    assert train("a", "--encoder", encoder) == 0
    folder = tmp_path / "a"
    names = {"config.yaml", "log", "metrics.jsonl", "last.ckpt"}
    names |= {f"{which}.{suffix}" for which in ("last", "best") for suffix in ("safetensors", "json")}
    assert {p.name for p in folder.iterdir()} == names
    assert len(records(folder)) == 2
    loaded = load_reactivity_checkpoint(folder / "best.safetensors")
    assert loaded.model.experiments == ("2A3_MaP", "DMS_MaP")
    assert loaded.metadata["metrics"]["val/mae"] == min(record["val/mae"] for record in records(folder))
    assert loaded.metadata["training"]["encoder"] == encoder
    # The configuration that was written is one that trains again, without --task.
    assert load_yaml(folder / "config.yaml")["task"] == "reactivity"
    again = ["--config", str(folder / "config.yaml"), "--run-name", "b"]
    assert main(again) == 0
    assert_same(weights(folder), weights(tmp_path / "b"))


def test_the_metric_equals_a_double_precision_recomputation_from_saved_predictions(
    train, profiles: Path, tmp_path: Path
) -> None:
    assert train("a") == 0
    assert train("b", "--validate-only", "--ckpt", tmp_path / "a" / "last.safetensors") == 0
    found = records(tmp_path / "b")[-1]
    assert found["val/mae"] == records(tmp_path / "a")[-1]["val/mae"]
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


def test_held_out_sequences_do_not_train(profiles: Path) -> None:
    data = ReactivityDataModule(config_of(profiles))
    data.setup("fit")
    assert data.val is not None
    trained = {data.table.sequence(int(n)) for n in data.train.numbers}
    held_out = {data.table.sequence(int(n)) for n in data.val.numbers}
    assert trained
    assert held_out
    assert not trained & held_out
    short = ReactivityDataModule(config_of(profiles, max_length=30))
    short.setup("fit")
    assert short.train.lengths.max() <= 30
    assert short.val is not None
    assert short.val.lengths.max() > 30
    everything = ReactivityDataModule(config_of(profiles, cv_split=None))
    everything.setup("fit")
    assert everything.val is None
    assert len(everything.train) == COUNT


def test_every_split_is_another_part(profiles: Path) -> None:
    parts = []
    for cv_split in range(5):
        data = ReactivityDataModule(config_of(profiles, cv_split=cv_split))
        data.setup("fit")
        assert data.val is not None
        parts += data.val.numbers.tolist()
    assert sorted(parts) == list(range(COUNT))


def test_resume_in_the_middle_of_an_epoch_is_exact(train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert train("whole") == 0

    from rnagen.training.callbacks import StepLog

    def interrupt(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        if trainer.global_step == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(StepLog, "on_train_batch_end", interrupt)
        assert train("parts") == 0
    state = tmp_path / "parts" / "last.ckpt"
    assert torch.load(state, weights_only=True)["global_step"] == 3
    assert train("parts", "--ckpt", state) == 0
    assert_same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))
    assert records(tmp_path / "whole")[-1]["val/mae"] == records(tmp_path / "parts")[-1]["val/mae"]


def test_an_epoch_goes_on_where_it_stood(profiles: Path) -> None:
    data = ReactivityDataModule(config_of(profiles))
    data.setup("fit")
    stream = EpochStream(data._batches(0, 1), 7)
    epochs = [list(stream), list(stream)]
    assert [len(epoch) for epoch in epochs] == [7, 7]
    assert epochs[0] != epochs[1]
    resumed = EpochStream(data._batches(0, 1), 7)
    resumed.position = 10
    assert list(resumed) == epochs[1][3:]


def test_two_processes_see_together_what_one_with_twice_the_batch_sees(profiles: Path, tmp_path: Path) -> None:
    """And they measure the same mean, though they hold different profiles."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    for name, devices in (("one", "1"), ("two", "2")):
        places = ["--data", profiles, "--cache", profiles.parent / "cache", "--run-dir", tmp_path, "--run-name", name]
        flags = ["--task", "reactivity", *FAST, *places, "--devices", devices, "--lr", "1e-12"]
        command = [sys.executable, str(ROOT / "train.py"), *map(str, flags)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
        assert done.returncode == 0, done.stderr + done.stdout
    one, two = (records(tmp_path / name)[-1] for name in ("one", "two"))
    assert two["val/mae"] == pytest.approx(one["val/mae"], rel=1e-6)
    assert two["val/mae/DMS_MaP"] == pytest.approx(one["val/mae/DMS_MaP"], rel=1e-6)


def test_weights_alone_start_a_new_run_and_are_validated(train, tmp_path: Path, capsys) -> None:
    assert train("first") == 0
    start = tmp_path / "first" / "last.safetensors"
    assert train("second", "--lr", "1e-12", "--ckpt", start) == 0
    assert_same(weights(tmp_path / "first"), weights(tmp_path / "second"), rtol=0, atol=1e-6)
    assert train("third", "--validate-only", "--ckpt", start) == 0
    assert records(tmp_path / "third")[-1]["val/mae"] == records(tmp_path / "first")[-1]["val/mae"]
    capsys.readouterr()
    assert train("fourth", "--encoder", "squeezeformer", "--ckpt", start) == 2
    assert "another shape" in capsys.readouterr().err


def test_it_learns_what_can_be_learnt(profiles: Path, tmp_path: Path) -> None:
    """A table in which a base alone decides: the error falls far below that of the best constant."""
    frame = make_profiles(60)
    columns = [name for name in frame if name.startswith("reactivity_0")]
    for row in frame.index:
        values = np.full(len(columns), np.nan, dtype=np.float32)
        for n, base in enumerate(frame.loc[row, "sequence"]):
            values[n] = {"A": 0.9, "C": 0.1, "G": 0.3, "U": 0.6}[base]
        frame.loc[row, columns] = values
    frame["signal_to_noise"] = 5.0
    path = write_profiles(frame, tmp_path / "profiles.parquet")
    flags = ["--data", path, "--cache", tmp_path / "cache", "--run-dir", tmp_path, "--run-name", "a", "--lr", "1e-2"]
    assert main([str(f) for f in ("--task", "reactivity", *FAST, *flags, "--epochs", "12")]) == 0
    assert records(tmp_path / "a")[-1]["val/mae"] < 0.06 < 0.25


def batch_of(profiles: Path) -> ReactivityBatch:
    data = ReactivityDataModule(config_of(profiles))
    data.setup("fit")
    return reactivity_batch([data.train[n] for n in range(4)])


def test_loss_is_the_weighted_mean_of_what_was_observed(profiles: Path) -> None:
    batch = batch_of(profiles)
    predicted = torch.rand(batch.reactivity.shape, generator=torch.Generator().manual_seed(0))
    weight = (batch.weight[:, None] * batch.observed).double().numpy()
    errors = np.abs(predicted.double().numpy() - batch.reactivity.double().numpy().clip(0, 1))
    assert float(weighted_error(predicted, batch)) == pytest.approx((weight * errors).sum() / weight.sum(), rel=1e-5)
    # What was not observed does not count, nor does what lies beyond the clipped range.
    other = replace(batch, reactivity=torch.where(batch.observed, batch.reactivity, torch.tensor(0.7)))
    assert float(weighted_error(predicted, other)) == float(weighted_error(predicted, batch))
    clipped = replace(batch, reactivity=batch.reactivity.clamp(0, 1))
    assert float(weighted_error(predicted, clipped)) == float(weighted_error(predicted, batch))
    assert float(weighted_error(predicted, replace(batch, weight=torch.zeros_like(batch.weight)))) == 0.0


def test_rate_makes_one_cycle(profiles: Path) -> None:
    module = ReactivityModule(config_of(profiles, lr=1e-3, warmup=0.1), ("a",), steps=100)
    optimizers = module.configure_optimizers()
    schedule, rates = optimizers["lr_scheduler"]["scheduler"], []
    for _ in range(100):
        rates.append(optimizers["optimizer"].param_groups[0]["lr"])
        optimizers["optimizer"].step()
        if len(rates) < 100:
            schedule.step()
    assert max(rates) == pytest.approx(1e-3)
    assert int(np.argmax(rates)) == 9
    assert rates[-1] < 1e-7


def test_a_non_finite_step_is_skipped(train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def sometimes(predicted: torch.Tensor, batch: ReactivityBatch) -> torch.Tensor:
        calls.append(1)
        return weighted_error(predicted, batch) * (float("nan") if len(calls) == 2 else 1.0)

    monkeypatch.setattr("rnagen.tasks.reactivity.module.weighted_error", sometimes)
    assert train("a") == 0
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
    with pytest.raises(SystemExit) as stopped:
        train("a", *flags)
    assert stopped.value.code == 2
    assert f"{flags[0][2:].replace('-', '_')}: " in capsys.readouterr().err


def test_preset_is_a_configuration() -> None:
    values = load_yaml(ROOT / "configs" / "reactivity.yaml")
    config = load_config(ReactivityConfig(), values, "preset")
    assert (config.run.epochs, config.optim.lr, config.optim.weight_decay) == (32, 5e-4, 0.05)
    assert (config.optim.warmup, config.optim.grad_clip) == (0.02, 3.0)
