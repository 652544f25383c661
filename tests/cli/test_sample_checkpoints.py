"""sample.py with several checkpoints: they take turns, and each makes what it makes alone."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import rnagen
from rnagen.checkpoints.confidence import StructureModelId, confidence_path, save_confidence_checkpoint
from rnagen.checkpoints.structure import load_checkpoint, save_checkpoint
from rnagen.cli.sample import main
from rnagen.errors import ConfigError
from rnagen.evaluation.inputs import read_cutoff
from rnagen.sampling.ensemble import Ensemble
from tests.helpers.outputs import contents
from tests.helpers.scored import tiny_head
from tests.helpers.tiny import TINY, tiny_model

SEQUENCE = "GGGAAACUUCGGUUUCCC"


@pytest.fixture
def ckpts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two checkpoints of one file name; the first has a confidence model."""
    monkeypatch.chdir(tmp_path)
    for folder, cutoff in (("one", "2022-05-27"), ("two", "2020-01-01")):
        Path(folder).mkdir()
        model = tiny_model()
        if folder == "two":
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.mul_(1.1)
        save_checkpoint(Path(folder, "best.safetensors"), model, TINY, {"cutoff": cutoff})
    first = Path("one/best.safetensors")
    save_confidence_checkpoint(confidence_path(first), tiny_head(), StructureModelId.of(load_checkpoint(first)), {})
    return ["one/best.safetensors", "two/best.safetensors"]


def sample(ckpts: list[str], out: str, n: int, *flags: str) -> int:
    given = ["--sequence", SEQUENCE, "--steps", "2", "--n", str(n), "--out", out, "--templates", "none"]
    return main([*given, "--ckpt", *ckpts, *flags])


def by_number(result: Ensemble) -> dict[int, np.ndarray]:
    return dict(zip(result.numbers, result.to_numpy("C1'")))


def distances(xyz: np.ndarray) -> np.ndarray:
    return np.linalg.norm(xyz[:, None] - xyz[None], axis=-1)


def test_they_take_turns_and_each_makes_what_it_makes_alone(ckpts: list[str]) -> None:
    options = {"steps": 2, "templates": "none"}
    both = rnagen.sample(SEQUENCE, 5, ckpt=ckpts, **options)
    made = dict(zip(both.numbers, both.checkpoints))
    assert made == {1: "one/best", 2: "two/best", 3: "one/best", 4: "two/best", 5: "one/best"}
    for place, ckpt in enumerate(ckpts):
        alone = by_number(rnagen.sample(SEQUENCE, 5, ckpt=ckpt, **options))
        for number in range(place + 1, 6, 2):
            np.testing.assert_allclose(distances(by_number(both)[number]), distances(alone[number]), atol=1e-2)
    known = {number: np.isfinite(tm) for number, tm in zip(both.numbers, both.confidence.tm)}
    assert known == {1: True, 2: False, 3: True, 4: False, 5: True}


@pytest.mark.slow
def test_a_run_of_two_is_added_to_and_described(ckpts: list[str], capsys) -> None:
    assert sample(ckpts, "out", 3) == 0
    assert "two/best has no confidence model" in capsys.readouterr().out
    assert sample(ckpts, "out", 6) == 0
    described = json.loads(Path("out/run.json").read_text())
    assert [one["name"] for one in described["checkpoints"]] == ["one/best", "two/best"]
    assert read_cutoff(Path("out"), None) == "2022-05-27"
    with open("out/ranking.csv") as file:
        rows = {int(row["sample"]): row for row in csv.DictReader(file)}
    assert {number: row["checkpoint"] for number, row in rows.items()} == {
        number: "one/best" if number % 2 else "two/best" for number in range(1, 7)
    }
    assert all(bool(row["predicted_tm"]) == bool(number % 2) for number, row in rows.items())
    before = contents(Path("out"))
    assert sample(ckpts, "out", 6) == 0
    assert contents(Path("out")) == before
    capsys.readouterr()
    assert sample(ckpts[::-1], "out", 6) == 2
    assert "ckpt (the weights): not the same" in capsys.readouterr().err


def test_candidates_of_all_are_selected_from(ckpts: list[str]) -> None:
    assert sample(ckpts, "out", 2, "--candidates", "6") == 0
    summary = json.loads(Path("out/rna/summary.json").read_text())
    assert summary["selection"] == {"candidates": 6, "by": "clusters"}
    assert all(one["checkpoint"] == ckpts[1 - one["sample"] % 2][:8] for one in summary["conformers"])


def test_what_cannot_be_one_ensemble_is_refused(ckpts: list[str]) -> None:
    with pytest.raises(ConfigError, match="1 conformer cannot be shared out over 2 checkpoints"):
        rnagen.sample(SEQUENCE, 1, ckpt=ckpts)
    with pytest.raises(ConfigError, match=r"ckpt: one/best.safetensors is there twice"):
        rnagen.sample(SEQUENCE, 2, ckpt=[ckpts[0], ckpts[0]])
    config = replace(TINY, model=replace(TINY.model, atoms=("P", "C1'")))
    save_checkpoint(Path("few.safetensors"), tiny_model(config), config, {"cutoff": "2022-05-27"})
    with pytest.raises(ConfigError, match=r"few.safetensors makes other atoms \(P, C1'\) than one"):
        rnagen.sample(SEQUENCE, 2, ckpt=[ckpts[0], "few.safetensors"])
