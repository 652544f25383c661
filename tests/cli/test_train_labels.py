"""train.py --labels: the training chains give the categories; what is unknown or missing is named."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import rnagen
from rnagen.checkpoints.structure import load_checkpoint
from rnagen.cli.main import main
from rnagen.config.files import load_yaml
from tests.helpers.training import assert_same, weights

VECTORS = "latent.label.vectors"
SHORT = ("--epochs", "1", "--train-batches", "3")


@pytest.fixture
def splits(data: Path, tmp_path: Path) -> Path:
    """The splits with a family for each chain: of the three validation chains, one has a family of the training."""
    folder = tmp_path / "splits"
    folder.mkdir()
    for name, families in (("train", ["tRNA", "riboswitch", ""] * 3), ("val", ["tRNA", "snRNA", ""])):
        rows = zip((data / f"{name}.csv").read_text().split()[1:], families, strict=True)
        (folder / f"{name}.csv").write_text("id,family\n" + "".join(f"{chain},{label}\n" for chain, label in rows))
    return folder


@pytest.fixture
def labelled(train, splits: Path):
    """Run train.py with the labels of the splits into tmp_path/NAME; returns the exit code."""
    return lambda name, *flags: train(name, "--splits", splits, "--labels", "family", *SHORT, *flags)


def test_a_model_with_labels_is_trained_and_sampled(labelled, tmp_path: Path, capsys) -> None:
    assert labelled("run", "--val-batches", "3", "--lr", "0.01") == 0
    out, error = capsys.readouterr()
    assert "9 chains of" in out
    assert "; 2 labels; 3 steps" in out
    assert "warning: 1 chains count as chains without a label: the model does not know their family (snRNA)" in error
    ckpt = tmp_path / "run" / "last.safetensors"
    described = json.loads(ckpt.with_suffix(".json").read_text())["config"]
    assert described["categories"] == ["riboswitch", "tRNA"]
    assert (described["labels"], described["label_dropout"]) == ("family", 0.1)
    assert load_checkpoint(ckpt).model.config.categories == ("riboswitch", "tRNA")
    assert load_file(ckpt)[VECTORS].any(1).all()
    sample = ["sample", "--ckpt", str(ckpt), "--sequence", "GGGGCUUCGGCCCC", "--steps", "2", "--n", "1"]
    assert main([*sample, "--label", "tRNA", "--cfg-scale", "2", "--out", str(tmp_path / "out")]) == 0
    assert main([*sample, "--label", "snRNA", "--out", str(tmp_path / "unknown")]) == 2
    assert "choose from riboswitch, tRNA" in capsys.readouterr().err
    assert rnagen.sample("GGGGCUUCGGCCCC", 1, label="tRNA", ckpt=ckpt, steps=2).coords.shape == (1, 14, 27, 3)


def test_the_validation_reads_the_true_labels(labelled, tmp_path: Path) -> None:
    """The chain with a known family, and no other, has another loss once the vectors of the labels are gone."""
    assert labelled("run", "--val-batches", "3", "--lr", "0.01") == 0
    state = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)
    state["state_dict"][f"ema.module.{VECTORS}"].zero_()
    torch.save(state, tmp_path / "run" / "last.ckpt")
    assert (
        labelled("run", "--val-batches", "3", "--lr", "0.01", "--validate-only", "--ckpt", tmp_path / "run/last.ckpt")
        == 0
    )
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    first, second = ([row["flow_bin1"] for row in json.loads(line)["targets"]] for line in lines)
    assert [one == other for one, other in zip(first, second)] == [False, True, True]


@pytest.mark.slow
def test_a_run_with_labels_resumes_exactly_and_keeps_them(labelled, splits: Path, tmp_path: Path, capsys) -> None:
    assert labelled("whole", "--epochs", "2") == 0
    assert labelled("parts") == 0
    state = tmp_path / "parts" / "last.ckpt"
    assert main(["train", "--ckpt", str(state), "--epochs", "2"]) == 0
    assert_same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))
    assert load_yaml(tmp_path / "parts" / "config.yaml")["labels"] == "family"
    capsys.readouterr()
    for flag, value in (("labels", "id"), ("label-dropout", "0.5"), ("categories", "tRNA")):
        assert main(["train", "--ckpt", str(state), "--epochs", "3", f"--{flag}", value]) == 2
        error = capsys.readouterr().err
        assert f"{flag.replace('-', '_')}: the run has" in error
        assert error.count("\n") == 1
    table = splits / "train.csv"
    table.write_text(table.read_text().replace("riboswitch", "tRNA", 1))
    assert main(["train", "--ckpt", str(state), "--epochs", "3"]) == 2
    assert "was trained on other data" in capsys.readouterr().err


def test_weights_begin_with_labels_and_go_on_with_theirs(train, labelled, splits: Path, tmp_path: Path, capsys) -> None:
    """Weights without labels start a model with them, and labels that others have count as none."""
    assert train("plain", *SHORT, "--no-validate") == 0
    plain = tmp_path / "plain" / "last.safetensors"
    assert labelled("grown", "--no-validate", "--ckpt", plain, "--lr", "1e-12") == 0
    grown = load_file(tmp_path / "grown" / "last.safetensors")
    assert grown.keys() - load_file(plain).keys() == {VECTORS}
    for name, value in load_file(plain).items():
        torch.testing.assert_close(grown[name], value, rtol=0, atol=1e-6)
    table = splits / "train.csv"
    table.write_text(table.read_text().replace("riboswitch", "snRNA"))
    capsys.readouterr()
    flags = ("--no-validate", "--ckpt", tmp_path / "grown" / "last.safetensors")
    assert labelled("tuned", *flags) == 0
    assert "warning: 4 chains count as chains without a label" in capsys.readouterr().err
    assert load_checkpoint(tmp_path / "tuned" / "last.safetensors").config.model.categories == ("riboswitch", "tRNA")
    assert labelled("others", *flags, "--categories", "snRNA") == 2
    assert "is a model of another shape than this configuration: categories (" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--labels", "familie"), "train.csv: has no column familie (its header: id, family)"),
        (
            ("--categories", "5S"),
            "train.csv: family: no chain that trains has a label in this column that the model knows",
        ),
        (("--label-dropout", "0", "--cfg-scale", "2"), "cfg_scale: this model was trained with --label-dropout 0"),
    ],
)
def test_labels_that_cannot_be_used_are_one_line(labelled, tmp_path: Path, capsys, flags, words: str) -> None:
    assert labelled("run", *flags) == 2
    error = capsys.readouterr().err
    assert words.removeprefix("train.csv: ") in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()
