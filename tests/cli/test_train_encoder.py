"""train.py --encoder: the stages one after the other, resumes, and what is refused."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from rnagen.checkpoints.structure import load_checkpoint
from rnagen.cli.main import main as rnagen
from rnagen.cli.sample import main as sample
from rnagen.config.files import load_config, load_yaml
from rnagen.config.structure import TrainConfig
from tests.helpers.encoders import save_encoder
from tests.helpers.training import FAST, assert_same, weights

ROOT = Path(__file__).parents[2]
ONE_EPOCH = ("--epochs", "1", "--train-batches", "2")


@pytest.fixture
def reads(tmp_path: Path) -> Path:
    """A tiny encoder."""
    return save_encoder(tmp_path / "reads.safetensors", dropout=0.1)


def encoder_of(path: Path) -> dict[str, torch.Tensor]:
    return {n.split("encoder.")[1]: t for n, t in load_file(path).items() if n.startswith("encoder.")}


@pytest.mark.slow
def test_the_stages_one_after_the_other(train, reads: Path, tmp_path: Path, capsys) -> None:
    """Frozen, then trained, then used, each without the files of the stage before the last."""
    assert train("plain", *ONE_EPOCH, "--no-validate") == 0
    assert train("two", *ONE_EPOCH, "--encoder", reads, "--ckpt", tmp_path / "plain/last.safetensors") == 0
    original = encoder_of(reads)
    two = tmp_path / "two" / "last.safetensors"
    assert original.keys() == encoder_of(two).keys()
    assert all(torch.equal(encoder_of(two)[name], value) for name, value in original.items())
    described = json.loads(two.with_suffix(".json").read_text())["encoder"]
    assert described["config"]["encoder"] == "convformer"
    assert described["fingerprint"] == json.loads(reads.with_suffix(".json").read_text())["weights_sha256"]
    encodings = list((tmp_path / "encoded").rglob("*.npy"))
    assert len(encodings) == 2 * 12, "layers and pairs of each chain"

    shutil.rmtree(tmp_path / "encoded")
    reads.unlink()
    assert train("three", *ONE_EPOCH, "--encoder-rate", "0.5", "--ckpt", two, "--lr", "1e-2") == 0
    three = tmp_path / "three" / "last.safetensors"
    changed = {name for name, value in encoder_of(three).items() if not torch.equal(value, original[name])}
    assert any(name.startswith("blocks.0") for name in changed)
    assert not any(name.startswith("norm.") for name in changed), "nothing reads it"
    assert not (tmp_path / "encoded").exists(), "an encoder that changes is asked every time"

    flags = ["--ckpt", str(three), "--sequence", "GGGAAACCC", "--out", str(tmp_path / "out"), "--steps", "2"]
    assert sample([*flags, "--n", "2", "--device", "cpu"]) == 0
    capsys.readouterr()
    assert rnagen(["summary", str(three)]) == 0
    printed = capsys.readouterr().out
    assert "model.encoder" in printed
    assert "conditioning" in printed


def test_resuming_a_frozen_encoder_is_exact_and_needs_no_file(train, reads: Path, tmp_path: Path) -> None:
    assert train("whole", "--epochs", "2", "--train-batches", "2", "--encoder", reads) == 0
    assert train("parts", *ONE_EPOCH, "--encoder", reads) == 0
    reads.unlink()
    shutil.rmtree(tmp_path / "encoded")
    state = tmp_path / "parts" / "last.ckpt"
    assert train("parts", "--epochs", "2", "--train-batches", "2", "--ckpt", state) == 0
    assert_same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))
    assert load_checkpoint(tmp_path / "parts" / "last.safetensors").encoder is not None


@pytest.mark.slow
def test_resuming_a_trained_encoder_is_exact(train, reads: Path, tmp_path: Path, capsys) -> None:
    flags = ("--encoder", reads, "--encoder-rate", "0.1", "--lr", "1e-2")
    assert train("whole", "--epochs", "2", "--train-batches", "2", *flags) == 0
    assert train("parts", *ONE_EPOCH, *flags) == 0
    state = tmp_path / "parts" / "last.ckpt"
    assert train("parts", "--epochs", "2", "--train-batches", "2", *flags, "--ckpt", state) == 0
    assert_same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))
    # Frozen from here on would be another run.
    assert train("parts", "--epochs", "3", "--train-batches", "2", "--encoder-rate", "0", "--ckpt", state) == 2
    assert "encoder_rate: the run has 0.1, 0.0 was given: a resumed run keeps it" in capsys.readouterr().err


def test_a_state_without_encoder_is_not_resumed_with_one(train, reads: Path, tmp_path: Path, capsys) -> None:
    assert train("plain", *ONE_EPOCH, "--no-validate") == 0
    assert train("plain", *ONE_EPOCH, "--encoder", reads, "--ckpt", tmp_path / "plain" / "last.ckpt") == 2
    assert f"encoder: the run has None, {reads} was given: a resumed run keeps it" in capsys.readouterr().err


def test_every_way_of_training_goes_with_an_encoder(train, reads: Path) -> None:
    flags = ("--condition-dropout", "0.5", "--cfg-scale", "1.5", "--self-conditioning", "--check-grad")
    precise = ("--precision", "bf16", "--grad-checkpointing", "--accumulate-grad", "2")
    assert train("frozen", *ONE_EPOCH, "--encoder", reads, *flags, *precise) == 0
    assert train("trained", *ONE_EPOCH, "--encoder", reads, "--encoder-rate", "0.1", *flags, *precise) == 0


@pytest.mark.parametrize("name", ["stage2_frozen", "stage3_finetune"])
def test_the_presets_are_configurations(name: str) -> None:
    path = ROOT / "configs" / f"{name}.yaml"
    config = load_config(TrainConfig(), load_yaml(path), str(path))
    assert config.pretrained.encoder_rate == {"stage2_frozen": 0, "stage3_finetune": 0.05}[name]
    assert f"configs/{name}.yaml" in path.read_text()


def test_a_missing_encoder_is_named(train, tmp_path: Path, capsys) -> None:
    assert train("a", "--encoder", tmp_path / "absent.safetensors") == 2
    assert "absent.safetensors" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()


@pytest.mark.slow
def test_two_processes_equal_one_with_twice_the_batch(reads: Path, dated: Path, tmp_path: Path) -> None:
    """Every parameter that is waited for gets a gradient, those of the encoder included."""
    save_encoder(reads)  # without dropout, whose random numbers differ
    places = ["--data", dated / "data", "--splits", dated]
    shared = ["--epochs", "1", "--train-batches", "3", "--no-validate", *places, "--encoder", reads]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    for name, batch, devices in (("one", "4", "1"), ("two", "2", "2")):
        flags = [*shared, "--run-name", name, "--batch-size", batch, "--devices", devices, "--encoder-rate", "0.1"]
        command = [sys.executable, ROOT / "train.py", *FAST, "--run-dir", tmp_path, *flags]
        done = subprocess.run(
            [str(c) for c in command], capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
        )
        assert done.returncode == 0, done.stderr + done.stdout
    assert_same(weights(tmp_path / "one"), weights(tmp_path / "two"), rtol=1e-3, atol=1e-4)
