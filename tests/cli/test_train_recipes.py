"""The recipes of configs/lineage, and options by epoch, through the command line."""

import json
import sys
from pathlib import Path

import pytest
import torch

from rnagen.cli.train import main
from rnagen.config.files import load_yaml
from rnagen.tasks.structure.module import FlowModule
from tests.helpers.profiles import make_profiles, write_profiles

LINEAGE = Path(__file__).parents[2] / "configs" / "lineage"
SMALL_ENCODER = ("--encoder-dim", "16", "--encoder-layers", "2", "--encoder-heads", "2", "--encoder-pair-dim", "4")
TWO_STEPS = ("--epochs", "2", "--train-batches", "2", "--accumulate-grad", "2", "--val-batches", "1")


def names(task: str) -> list[str]:
    return [path.stem for path in LINEAGE.glob("*.yaml") if load_yaml(path).get("task", "structure") == task]


def test_every_ancestor_has_a_recipe() -> None:
    expected = ["mdgen", "ribonanza", "ribonanzanet3d", "squeezeformer", "structdiff"]
    assert sorted(names("structure") + names("reactivity")) == expected


@pytest.mark.parametrize("name", names("structure"))
def test_a_structure_recipe_starts(train, tmp_path: Path, name: str) -> None:
    assert train("a", "--config", str(LINEAGE / f"{name}.yaml"), *TWO_STEPS) == 0
    assert torch.load(tmp_path / "a" / "last.ckpt", weights_only=True)["global_step"] == 2


@pytest.mark.parametrize("name", names("reactivity"))
def test_a_reactivity_recipe_starts(tmp_path: Path, name: str) -> None:
    profiles = write_profiles(make_profiles(60), tmp_path / "profiles.parquet")
    places = ["--data", str(profiles), "--cache", str(tmp_path / "cache"), "--run-dir", str(tmp_path)]
    flags = ["--config", str(LINEAGE / f"{name}.yaml"), *SMALL_ENCODER, *TWO_STEPS, "--batch-size", "4", *places]
    assert main([*flags, "--run-name", "a", "--accelerator", "cpu"]) == 0
    assert torch.load(tmp_path / "a" / "last.ckpt", weights_only=True)["global_step"] == 2


def test_batch_size_and_weights_change_with_the_epoch_also_after_a_resume(train, tmp_path, monkeypatch) -> None:
    sizes, epochs = [], []
    step = FlowModule.training_step

    def watched(self, batch, batch_idx):
        sizes.append(len(batch.mask))
        epochs.append(self.current_epoch)
        return step(self, batch, batch_idx)

    monkeypatch.setattr(FlowModule, "training_step", watched)
    flags = ("--train-batches", "2", "--no-validate", "--batch-schedule", "0:4,1:2,2:1")
    assert train("a", *flags, "--epochs", "2", "--loss-schedule", "flow:2:0", "dmae:1:1") == 0
    assert main(["--ckpt", str(tmp_path / "a" / "last.ckpt"), "--epochs", "3"]) == 0
    assert sizes == [4, 4, 2, 2, 1, 1]
    assert epochs == [0, 0, 1, 1, 2, 2]


def test_batches_that_do_not_fit_are_counted_in_the_metrics(train, tmp_path, monkeypatch, capsys) -> None:
    import rnagen.tasks.structure.module as place

    made, objective = [], place.objective

    def full(*given):
        made.append(1)
        if len(made) == 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return objective(*given)

    monkeypatch.setattr(place, "objective", full)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)  # so that there is a bar
    assert train("a", "--epochs", "1", "--train-batches", "4", "--skip-oom") == 0
    (record,) = [json.loads(line) for line in (tmp_path / "a" / "metrics.jsonl").read_text().splitlines()]
    assert record["out_of_memory"] == 1
    printed = capsys.readouterr()
    assert "out_of_memory 1" in printed.out
    assert "out_of_memory=1" in printed.out + printed.err
