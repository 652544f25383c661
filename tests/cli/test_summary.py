"""rnagen summary: every layer with its shape, counts that add up, errors in one line."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rnagen.checkpoints.reactivity import save_reactivity_checkpoint
from rnagen.checkpoints.structure import DEFAULT_CHECKPOINT, save_checkpoint
from rnagen.cli.main import main
from rnagen.cli.summary import Layer, layers
from tests.helpers.encoders import KINDS, tiny_reactivity_model
from tests.helpers.tiny import TINY, tiny_model

CONFIGS = Path(__file__).parents[2] / "configs"


def by_name(model: torch.nn.Module, length: int = 11, depth: int = 9) -> dict[str, Layer]:
    return {layer.name: layer for layer in layers(model.to("meta"), length, depth)}


@pytest.mark.parametrize("kind", KINDS)
def test_layers_of_a_reactivity_model(kind: str) -> None:
    model = tiny_reactivity_model(kind)
    rows = by_name(model)
    assert rows[""].shapes == ((1, 11, 3),)
    assert rows[""].parameters == model.num_parameters
    assert rows["head"] == Layer("head", "Linear", 1, ((1, 11, 3),), 3 * 17)
    assert rows["encoder.blocks.1.attention.out"].depth == 4
    pair = [(1, 11, 11, 8)] if kind == "convformer" else []
    assert rows["encoder"].shapes == ((1, 11, 16), *pair, (1, 11, 16), (1, 11, 16))
    assert all(row.shapes for row in rows.values()), "every layer ran"


@pytest.mark.parametrize("recycling", [False, True])
def test_layers_of_a_structure_model(recycling: bool) -> None:
    model = tiny_model(replace(TINY, model=replace(TINY.model, recycling=recycling)))
    rows = by_name(model)
    assert rows[""].shapes == ((1, 1, 11, 4, 3),)
    assert rows[""].parameters == model.num_parameters
    assert rows["trunk"].shapes == ((1, 11, 32), (1, 11, 11, 8))
    assert rows["distogram"].shapes == ((1, 11, 11, TINY.model.distogram_bins),)
    assert all(row.shapes for row in rows.values()), "every layer ran"
    tops = [row.parameters for row in rows.values() if row.depth == 1]
    assert sum(tops) == model.num_parameters


def test_depth_cuts_the_table() -> None:
    model = tiny_reactivity_model()
    assert set(by_name(model, depth=1)) == {"", "encoder", "head"}
    assert "encoder.blocks.1" in by_name(model, depth=2)
    assert "encoder.blocks.1.attention" not in by_name(model, depth=2)
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("name", ["small.yaml", "base.yaml"])
def test_presets(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summary", str(CONFIGS / name), "--length", "30"]) == 0
    printed = capsys.readouterr().out
    assert "structure model" in printed
    assert "trunk.blocks.0" in printed
    assert "1×30×30×" in printed


def test_reactivity_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "reactivity.yaml"
    file.write_text("task: reactivity\nencoder: squeezeformer\nencoder-dim: 32\nencoder_layers: 3\n")
    assert main(["summary", str(file)]) == 0
    printed = capsys.readouterr().out
    assert "reactivity model, squeezeformer" in printed
    assert "encoder.blocks.2" in printed
    assert "4 of 1×100×32" in printed
    assert "1×100×2 " in printed


def test_checkpoints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tiny_reactivity_model("convformer")
    save_reactivity_checkpoint(tmp_path / "a.safetensors", model, {})
    for given in ("a.safetensors", "a.json"):
        assert main(["summary", str(tmp_path / given)]) == 0
        printed = capsys.readouterr().out
        assert "2A3_MaP, DMS_MaP, 1M7" in printed
        assert f"{model.num_parameters:,} parameters" in printed
    save_checkpoint(tmp_path / "b.safetensors", tiny_model(), TINY, {})
    assert main(["summary", str(tmp_path / "b.safetensors")]) == 0
    assert "structure model" in capsys.readouterr().out
    assert main(["summary", str(DEFAULT_CHECKPOINT), "--depth", "1"]) == 0


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
        ("a.yaml", "embed_dim: wide", "embed_dim: 'wide' cannot be used (expected int)"),
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


@pytest.mark.parametrize("flag", ["--length", "--depth"])
def test_numbers_below_one(capsys, flag: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["summary", str(CONFIGS / "small.yaml"), flag, "0"])
    assert stopped.value.code == 2
    assert f"{flag[2:]}: 0 cannot be used" in capsys.readouterr().err
