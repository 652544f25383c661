"""rnagen average: the mean of the weights, with the later cutoff; parts that do not fit are named."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import rnagen
from rnagen.checkpoints.average import ALIKE, likeness
from rnagen.checkpoints.structure import load_checkpoint, save_checkpoint
from rnagen.cli.main import main
from rnagen.config.structure import TrainConfig
from rnagen.model.model import RNAFlowModel
from tests.helpers.tiny import TINY

ASSETS = Path(rnagen.__file__).parent / "assets"


def save(path: Path, seed: int, config: TrainConfig = TINY, origin: int = 0, **changes: object) -> Path:
    torch.manual_seed(origin)
    ancestor = RNAFlowModel(TINY.model).state_dict()
    model = RNAFlowModel(config.model)
    model.load_state_dict(ancestor, strict=False)
    torch.manual_seed(seed)
    with torch.no_grad():
        for value in model.parameters():
            value += 0.1 * value.std(correction=0) * torch.randn_like(value)
    metadata = {"cutoff": "2022-05-27", "data": {"chains": 3}, "parameters": 1, "step": seed, "hours": float(seed)}
    metadata |= {"versions": {}, "command": f"train {seed}", **changes}
    save_checkpoint(path, model, config, metadata)
    return path


def test_the_mean_of_the_weights_with_the_latest_cutoff(tmp_path: Path) -> None:
    a = save(tmp_path / "a.safetensors", 1, cutoff="2023-01-01")
    b = save(tmp_path / "b.safetensors", 2)
    out = tmp_path / "new" / "mean.safetensors"
    assert main(["average", str(a), str(b), "--weights", "3", "1", "--out", str(out)]) == 0
    assert not torch.equal(load_file(a)["trunk.base.weight"], load_file(b)["trunk.base.weight"])
    for name, value in load_file(out).items():
        torch.testing.assert_close(value, 0.75 * load_file(a)[name] + 0.25 * load_file(b)[name])
    metadata = load_checkpoint(out).metadata
    assert metadata["cutoff"] == "2023-01-01"
    assert metadata["command"] == f"rnagen average {a} {b} --weights 3.0 1.0 --out {out}"
    assert (metadata["step"], metadata["hours"]) == (2, 3.0)
    assert [(part["share"], part["command"]) for part in metadata["average_of"]] == [
        (0.75, "train 1"),
        (0.25, "train 2"),
    ]


def test_an_ancestor_that_reads_less_has_no_share_in_what_it_lacks(tmp_path: Path) -> None:
    reads = replace(TINY, model=replace(TINY.model, references=2, strands=True))
    a = save(tmp_path / "a.safetensors", 1, reads, parameters=2)
    b = save(tmp_path / "b.safetensors", 2)
    out = tmp_path / "mean.safetensors"
    assert main(["average", str(a), str(b), "--half", "--out", str(out)]) == 0
    found, new, old = load_file(out), load_file(a), load_file(b)
    assert found.keys() == new.keys() > old.keys()
    for name, value in found.items():
        assert value.dtype is torch.float16
        mean = (new[name] + old[name]) / 2 if name in old else new[name]
        torch.testing.assert_close(value, mean.half())
    loaded = load_checkpoint(out)
    assert (loaded.config.model, loaded.metadata["parameters"]) == (reads.model, 2)
    assert main(["average", str(b), str(a), "--out", str(tmp_path / "other.safetensors")]) == 2


def test_the_trunk_may_have_shares_of_its_own(tmp_path: Path) -> None:
    a, b = save(tmp_path / "a.safetensors", 1), save(tmp_path / "b.safetensors", 2)
    out = tmp_path / "mean.safetensors"
    shares = ["--weights", "1", "0", "--trunk-weights", "1", "3"]
    assert main(["average", str(a), str(b), *shares, "--out", str(out)]) == 0
    new, old = load_file(a), load_file(b)
    for name, value in load_file(out).items():
        mean = 0.25 * new[name] + 0.75 * old[name] if name.startswith("trunk.") else new[name]
        torch.testing.assert_close(value, mean)
    parts = load_checkpoint(out).metadata["average_of"]
    assert [(part["share"], part["trunk_share"]) for part in parts] == [(1.0, 0.25), (0.0, 0.75)]


def test_an_unrelated_training_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = save(tmp_path / "a.safetensors", 1), save(tmp_path / "b.safetensors", 2, origin=5)
    out = tmp_path / "mean.safetensors"
    assert main(["average", str(a), str(b), "--out", str(out)]) == 2
    err = capsys.readouterr().err
    assert f"{b}: is unrelated to {a}: the cosine between their weights is " in err
    assert err.count("\n") == 1
    assert not out.exists()


def test_shipped_relatives_are_alike() -> None:
    informed, base = (load_file(ASSETS / f"{name}.safetensors") for name in ("informed", "base"))
    assert likeness(informed, base) > 0.98
    small = load_checkpoint(ASSETS / "small.safetensors").model
    # Its training began from the random weights of seed 0, as every training does by default.
    for seed, most in ((0, 0.7), (1, 0.05)):
        torch.manual_seed(seed)
        assert likeness(small.state_dict(), RNAFlowModel(small.config).state_dict()) < most < ALIKE


def test_parts_that_do_not_fit_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = save(tmp_path / "a.safetensors", 1), save(tmp_path / "b.safetensors", 2)
    described = json.loads(b.with_suffix(".json").read_text())
    described["config"]["path_type"] = "GVP"
    b.with_suffix(".json").write_text(json.dumps(described))
    out = tmp_path / "mean.safetensors"
    assert main(["average", str(a), str(b), "--out", str(out)]) == 2
    assert f"{b}: path and prediction" in capsys.readouterr().err
    wider = replace(TINY, model=replace(TINY.model, embed_dim=2 * TINY.model.embed_dim))
    save_checkpoint(b, RNAFlowModel(wider.model), wider, {"cutoff": "2022-05-27"})
    assert main(["average", str(a), str(b), "--out", str(out)]) == 2
    assert f"{b}: model" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["a.safetensors"], "at least two"),
        (["a.safetensors", "b.safetensors", "--weights", "1"], "1 for 2"),
        (["a.safetensors", "b.safetensors", "--weights", "0", "1"], "above 0"),
        (["a.safetensors", "b.safetensors", "--weights", "1", "nan"], "above 0"),
        (["a.safetensors", "b.safetensors", "--out", "c"], "does not end in .safetensors"),
        (["a.safetensors", "b.safetensors"], "no such file"),
    ],
)
def test_what_cannot_be_averaged(flags: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["average", *flags]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(("hours", "words"), [(None, "b.json: hours: missing"), ("long", "'long' is not a number")])
def test_a_part_with_an_incomplete_description(tmp_path: Path, capsys, hours: str | None, words: str) -> None:
    a, b = save(tmp_path / "a.safetensors", 1), save(tmp_path / "b.safetensors", 2)
    described = json.loads(b.with_suffix(".json").read_text())
    described["hours"] = hours
    b.with_suffix(".json").write_text(json.dumps({k: v for k, v in described.items() if v is not None}))
    assert main(["average", str(a), str(b), "--out", str(tmp_path / "mean.safetensors")]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "mean.safetensors").exists()


def test_a_mean_that_cannot_be_written_is_one_line(tmp_path: Path, capsys) -> None:
    a, b = save(tmp_path / "a.safetensors", 1), save(tmp_path / "b.safetensors", 2)
    (tmp_path / "file").touch()
    assert main(["average", str(a), str(b), "--out", str(tmp_path / "file" / "mean.safetensors")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
