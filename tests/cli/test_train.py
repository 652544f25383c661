"""train.py: runs as typed, resumes exactly, two processes equal one with twice the batch."""

import csv
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from rnagen.checkpoints.structure import load_checkpoint
from rnagen.cli.train import main
from rnagen.devices import multiplies_bfloat16
from rnagen.model.model import RNAFlowModel
from tests.helpers.tiny import TINY_MODEL
from tests.helpers.training import FAST, assert_same, weights

LOG = "log/version_0/metrics.csv"
ROOT = Path(__file__).parents[2]

REFERENCE_WEIGHTS = {
    name
    for name in RNAFlowModel(replace(TINY_MODEL, references=2)).state_dict()
    if name.startswith(("trunk.references.", "latent.reference.", "latent.reference_steps."))
}
"""Of the parts that read references."""


def column(path: Path, name: str) -> list[float]:
    with path.open() as file:
        return [float(row[name]) for row in csv.DictReader(file) if row.get(name)]


def test_a_run_leaves_what_is_needed_to_use_and_to_understand_it(train, tmp_path: Path) -> None:
    assert train("a", "--epochs", "2", "--train-batches", "3") == 0
    folder = tmp_path / "a"
    names = {".lock", "config.yaml", "log", "metrics.jsonl", "validation.png", "last.ckpt"}
    names |= {f"{which}.{suffix}" for which in ("last", "best") for suffix in ("safetensors", "json")}
    assert {p.name for p in folder.iterdir()} == names
    assert len(column(folder / LOG, "train/loss")) == 6
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [r["step"] for r in records] == [3, 6]
    assert 0 < records[0]["val/tm_best1"] <= records[0]["val/tm_best2"] <= 1
    loaded = load_checkpoint(folder / "last.safetensors")
    assert loaded.metadata["step"] == 6
    assert loaded.metadata["data"]["chains"] == 9
    assert loaded.metadata["metrics"]["val/tm_best2"] == records[1]["val/tm_best2"]
    # What ships is the average, not the weights of the last step.
    state = weights(folder)
    shipped = load_file(folder / "last.safetensors")
    for name, value in shipped.items():
        torch.testing.assert_close(value, state[f"ema.module.{name}"], rtol=0, atol=0)
    assert any(not torch.equal(value, state[f"model.{name}"]) for name, value in shipped.items())


def test_a_share_of_the_clusters_trains(train, tmp_path: Path) -> None:
    assert train("part", "--epochs", "1", "--train-batches", "1", "--no-validate", "--train-share", "0.5") == 0
    # Nine chains, each a cluster of its own.
    assert load_checkpoint(tmp_path / "part" / "last.safetensors").metadata["data"]["chains"] == 4


def test_weights_along_the_way_are_kept(train, tmp_path: Path) -> None:
    """They are those of the same run ended there."""
    flags = ("--train-batches", "2", "--no-validate", "--keep-freq", "2")
    assert train("long", *flags, "--epochs", "5") == 0
    assert train("short", *flags, "--epochs", "2") == 0
    selected = sorted(path.name for path in (tmp_path / "long").glob("step_*.safetensors"))
    assert selected == ["step_0000004.safetensors", "step_0000008.safetensors"]
    assert [load_checkpoint(tmp_path / "long" / name).metadata["step"] for name in selected] == [4, 8]
    expected = load_file(tmp_path / "short" / "last.safetensors")
    assert_same(load_file(tmp_path / "long" / selected[0]), expected)


def test_resume_at_an_epoch_end_is_exact(train, tmp_path: Path) -> None:
    assert train("whole", "--epochs", "2", "--train-batches", "3", "--dropout", "0.1") == 0
    assert train("parts", "--epochs", "1", "--train-batches", "3", "--dropout", "0.1") == 0
    state = tmp_path / "parts" / "last.ckpt"
    assert train("parts", "--epochs", "2", "--train-batches", "3", "--dropout", "0.1", "--ckpt", state) == 0
    assert_same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))


def test_resume_in_the_middle_of_an_epoch_is_exact(train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C after the second of five steps; the resumed run sees the other three and ends at the same weights."""
    assert train("whole", "--epochs", "1", "--train-batches", "5") == 0

    from rnagen.training.callbacks import StepLog

    def interrupt(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        if trainer.global_step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(StepLog, "on_train_batch_end", interrupt)
        assert train("parts", "--epochs", "1", "--train-batches", "5") == 130
    state = tmp_path / "parts" / "last.ckpt"
    assert torch.load(state, weights_only=True)["global_step"] == 2
    assert train("parts", "--epochs", "1", "--train-batches", "5", "--ckpt", state) == 0
    assert torch.load(state, weights_only=True)["global_step"] == 5
    assert_same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))


def test_weights_alone_start_a_new_run(train, tmp_path: Path) -> None:
    assert train("first", "--epochs", "1", "--train-batches", "2") == 0
    start = tmp_path / "first" / "last.safetensors"
    assert train("second", "--epochs", "1", "--train-batches", "1", "--lr", "1e-12", "--ckpt", start) == 0
    expected = load_file(start)
    for name, value in load_file(tmp_path / "second" / "last.safetensors").items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("added", "new"),
    [
        (("--references", "2"), REFERENCE_WEIGHTS),
        (("--strands",), {"trunk.other_strand.weight"}),
        (("--pair-features", "turner1999", "langdon2018"), {"trunk.pair_features.weight"}),
        (
            ("--secondary-structure", "--structure-share", "1"),
            {f"trunk.secondary_structure.{part}.weight" for part in ("residue", "paired")},
        ),
        (("--dropout", "0.2"), set()),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_weights_start_a_model_that_reads_more(train, tmp_path: Path, added: tuple[str, ...], new: set[str]) -> None:
    assert train("first", "--epochs", "1", "--train-batches", "2") == 0
    start = tmp_path / "first" / "last.safetensors"
    flags = ("--epochs", "1", "--train-batches", "2", "--ckpt", start)
    assert train("grown", *flags, *added, "--lr", "1e-12") == 0
    grown = tmp_path / "grown" / "last.safetensors"
    assert load_file(grown).keys() - load_file(start).keys() == new
    for name, value in load_file(start).items():
        torch.testing.assert_close(load_file(grown)[name], value, rtol=0, atol=1e-6)


def test_weights_start_no_model_of_another_shape(train, tmp_path: Path, capsys) -> None:
    assert train("first", "--epochs", "1", "--train-batches", "2", "--references", "2") == 0
    capsys.readouterr()
    start = tmp_path / "first" / "last.safetensors"
    assert train("more", "--ckpt", start, "--references", "2", "--self-conditioning") == 2
    assert train("back", "--ckpt", start, "--references", "0", "--pair-dim", "16") == 2
    more, back = capsys.readouterr().err.splitlines()
    shape = f"train.py: ckpt: {start} is a model of another shape than this configuration"
    assert more == f"{shape}: self_conditioning (False there, True here)"
    assert back == f"{shape}: pair_dim (8 there, 16 here), references (2 there, 0 here)"


def test_weights_bring_the_shape_of_their_model_and_its_path(train, dated: Path, tmp_path: Path) -> None:
    flags = ("--epochs", "1", "--train-batches", "1", "--no-validate")
    assert train("first", *flags, "--references", "2", "--path-type", "GVP", "--dropout", "0.1") == 0
    start = tmp_path / "first" / "last.safetensors"
    places = ["--data", dated / "data", "--splits", dated, "--run-dir", tmp_path, "--run-name", "second"]
    limits = ["--crop", "24", "--batch-size", "2", "--accelerator", "cpu"]
    assert main([str(flag) for flag in (*flags, *limits, *places, "--ckpt", start)]) == 0
    first, second = (load_checkpoint(tmp_path / name / "last.safetensors").config for name in ("first", "second"))
    assert second.model == replace(first.model, dropout=0.0)
    assert second.transport.path_type == "GVP"
    # Beside weights without a description, which are refused themselves.
    start.with_suffix(".json").write_text("{}")
    assert main([str(flag) for flag in (*flags, *limits, *places[:-1], "third", "--ckpt", start)]) == 2


def test_a_run_is_not_overwritten(train, tmp_path: Path, capsys) -> None:
    assert train("a", "--epochs", "1", "--train-batches", "1", "--no-validate") == 0
    assert train("a", "--epochs", "1", "--train-batches", "1") == 2
    assert "--ckpt" in capsys.readouterr().err


def test_validate_only(train, tmp_path: Path) -> None:
    assert train("a", "--epochs", "1", "--train-batches", "1") == 0
    before = (tmp_path / "a" / "best.safetensors").read_bytes()
    assert train("a", "--validate-only", "--ckpt", tmp_path / "a" / "last.ckpt") == 0
    records = [json.loads(line) for line in (tmp_path / "a" / "metrics.jsonl").read_text().splitlines()]
    assert records[0]["targets"] == records[1]["targets"]
    assert (tmp_path / "a" / "best.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    "flags",
    [
        ("--path-type", "Sqrt", "--prediction", "noise", "--sampling-method", "ddim"),
        ("--prediction", "score", "--loss-weight", "velocity", "--self-conditioning", "--references", "1"),
        ("--prediction", "data", "--condition-dropout", "0.5", "--cfg-scale", "1.5", "--consistency-weight", "0.5"),
    ],
)
def test_everything_about_the_flow_is_an_option(train, tmp_path: Path, flags: tuple[str, ...]) -> None:
    assert train("a", "--epochs", "1", "--train-batches", "4", *flags) == 0
    flow = column(tmp_path / "a" / LOG, "train/flow")
    assert flow
    assert min(flow) > 0
    assert (
        load_checkpoint(tmp_path / "a" / "last.safetensors").config.transport.prediction
        == flags[flags.index("--prediction") + 1]
    )


@pytest.mark.parametrize("path_type", ["GVP", "VP"])
def test_other_paths_and_accumulation(train, tmp_path: Path, path_type: str, capsys) -> None:
    flags = ("--path-type", path_type, "--accumulate-grad", "2", "--precision", "bf16", "--grad-checkpointing")
    assert train("a", "--epochs", "1", "--train-batches", "4", "--check-grad", *flags) == 0
    assert torch.load(tmp_path / "a" / "last.ckpt", weights_only=True)["global_step"] == 2
    assert column(tmp_path / "a" / LOG, "grad_norm/trunk")
    warned = "warning: precision: this processor has no instructions for bf16" in capsys.readouterr().err
    assert warned is not multiplies_bfloat16("cpu")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--ckpt", "absent.ckpt"], "absent.ckpt"),
        (["--ckpt", str(ROOT / "LICENSE")], "neither"),
        (["--config", "absent.yaml"], "absent.yaml"),
        (["--splits", "absent"], "train.csv"),
        (["--sampling-method", "ddpm"], "ddpm is for the path Sqrt"),
        (["--cfg-scale", "2"], "without --condition-dropout"),
    ],
)
def test_bad_options_are_named(data: Path, tmp_path: Path, capsys, flags: list[str], words: str) -> None:
    places = ["--data", str(data / "data"), "--splits", str(data), "--run-dir", str(tmp_path)]
    assert main([*FAST, *places, *flags]) == 2
    assert words in capsys.readouterr().err


def test_a_chain_past_the_cutoff_is_refused(data: Path, tmp_path: Path, capsys) -> None:
    places = ["--data", str(data / "data"), "--splits", str(data), "--run-dir", str(tmp_path)]
    assert main([*FAST, *places]) == 2
    assert "has no release date, but the cutoff is 2022-05-27" in capsys.readouterr().err


def run_script(folder: Path, *flags: str | Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, str(ROOT / "train.py"), *FAST, "--run-dir", folder, *flags]
    done = subprocess.run(
        [str(c) for c in command], capture_output=True, text=True, cwd=folder, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout


@pytest.mark.slow
def test_two_processes_equal_one_with_twice_the_batch(dated: Path, tmp_path: Path) -> None:
    places = ["--data", dated / "data", "--splits", dated]
    shared = ["--epochs", "1", "--train-batches", "4", "--no-validate", *places]
    run_script(tmp_path, *shared, "--run-name", "one", "--batch-size", "4")
    run_script(tmp_path, *shared, "--run-name", "two", "--batch-size", "2", "--devices", "2")
    assert_same(weights(tmp_path / "one"), weights(tmp_path / "two"), rtol=1e-3, atol=1e-4)
    losses = [column(tmp_path / name / LOG, "train/loss") for name in ("one", "two")]
    assert len(losses[0]) == 4
    torch.testing.assert_close(torch.tensor(losses[1]), torch.tensor(losses[0]), rtol=1e-4, atol=1e-4)
    cutoffs = [json.loads((tmp_path / name / "last.json").read_text())["cutoff"] for name in ("one", "two")]
    assert cutoffs == ["2022-05-27"] * 2
