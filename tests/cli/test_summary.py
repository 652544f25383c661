"""rnagen summary: the layers of configurations and checkpoints of every task, errors in one line."""

from pathlib import Path

import pytest

from rnagen.checkpoints.reactivity import save_reactivity_checkpoint
from rnagen.checkpoints.structure import DEFAULT_CHECKPOINT, save_checkpoint
from rnagen.cli.main import main
from tests.helpers.encoders import tiny_reactivity_model
from tests.helpers.tiny import TINY, tiny_model

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize("name", ["small.yaml", "base.yaml"])
def test_presets(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summary", str(CONFIGS / name)]) == 0
    printed = capsys.readouterr().out
    assert "structure model" in printed
    assert "model.trunk.blocks" in printed
    millions = {"small.yaml": "3.4 M", "base.yaml": "16.7 M"}[name]
    assert millions in printed


@pytest.mark.parametrize(
    ("name", "layer"), [("reactivity.yaml", "model.encoder.blocks"), ("confidence.yaml", "model.blocks")]
)
def test_configurations_of_other_tasks(name: str, layer: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summary", str(CONFIGS / name)]) == 0
    printed = capsys.readouterr().out
    assert f"{name.removesuffix('.yaml')} model" in printed
    assert layer in printed


def test_checkpoints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_reactivity_checkpoint(tmp_path / "a.safetensors", tiny_reactivity_model("convformer"), {"step": 7})
    for given in ("a.safetensors", "a.json"):
        assert main(["summary", str(tmp_path / given)]) == 0
        printed = capsys.readouterr().out
        assert "reactivity model, experiments ['2A3_MaP', 'DMS_MaP', '1M7'], step 7" in printed
        assert "model.encoder.blocks" in printed
    save_checkpoint(tmp_path / "b.safetensors", tiny_model(), TINY, {"cutoff": "2022-05-27"})
    assert main(["summary", str(tmp_path / "b.safetensors")]) == 0
    assert "structure model" in capsys.readouterr().out
    assert main(["summary", str(DEFAULT_CHECKPOINT), "--depth", "1"]) == 0
    printed = capsys.readouterr().out
    assert "model.trunk " in printed
    assert "model.trunk.blocks" not in printed
    assert main(["summary", str(DEFAULT_CHECKPOINT.with_suffix(".confidence.safetensors"))]) == 0
    assert "confidence model" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("absent.yaml", None, "no such file"),
        ("absent.safetensors", None, "no such file"),
        ("last.ckpt", "", "a configuration is a .yaml file, a checkpoint a .safetensors file"),
        ("a.yaml", "- 1", "not a mapping"),
        ("a.yaml", "task: reactivity\nencoder: lstm", "encoder: 'lstm'"),
        ("a.yaml", "task: reactivity\nencoder_heads: 7", "encoder_heads: 7 cannot be used"),
        ("a.yaml", "task: reactivity\nencoder: convformer\nunheard_of: 1", "no such option: unheard_of"),
        ("a.yaml", "embed_dim: wide", "embed_dim: 'wide' cannot be used (expected a whole number)"),
    ],
)
def test_errors_are_one_line(tmp_path: Path, capsys, file: str, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / file).write_text(text)
    assert main(["summary", str(tmp_path / file)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("rnagen summary: ")
    assert message in error
    assert file in error
    assert error.count("\n") == 1


def test_a_depth_below_one(capsys) -> None:
    assert main(["summary", str(CONFIGS / "small.yaml"), "--depth", "0"]) == 2
    assert "depth: 0 cannot be used" in capsys.readouterr().err
