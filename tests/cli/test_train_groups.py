"""Trainings of models with the optional parts that read references and sample conformers in groups, and sampling."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from rnagen.cli.sample import main as sample
from rnagen.sampling.stored import SAMPLED, read_coordinates

STEPS = ("--epochs", "1", "--train-batches", "2", "--val-batches", "1")


@pytest.fixture
def draw(tmp_path: Path):
    def call(out: str, n: int) -> torch.Tensor:
        weights = str(tmp_path / "a" / "last.safetensors")
        flags = [
            "--sequence",
            "GGGAAACUUCGGUUUCCC",
            "--ckpt",
            weights,
            "--steps",
            "3",
            "--templates",
            "none",
            "--atoms",
            "beads",
        ]
        assert sample([*flags, "--n", str(n), "--out", str(tmp_path / out)]) == 0
        sampled = read_coordinates(tmp_path / out / "rna" / SAMPLED)
        conformers = json.loads((tmp_path / out / "rna" / "summary.json").read_text())["conformers"]
        return torch.tensor(sampled[np.argsort([one["sample"] for one in conformers])])

    return call


def test_conformers_in_groups(train, draw, tmp_path: Path) -> None:
    assert train("a", *STEPS, "--num-conformers", "2", "--copies", "4") == 0
    assert any("group" in name for name in load_file(tmp_path / "a" / "last.safetensors"))
    three, five = draw("three", 3), draw("five", 5)
    assert (len(three), len(five)) == (3, 5)
    torch.testing.assert_close(five[:3], three, atol=2e-3, rtol=0)
    # A run that is added to goes on within a group.
    torch.testing.assert_close(draw("three", 5), five, atol=2e-3, rtol=0)


def test_copies_that_make_no_groups_are_refused(train, capsys) -> None:
    assert train("a", *STEPS, "--num-conformers", "3") == 2
    assert "copies: 2 copies do not make whole groups of num_conformers 3" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["prepend", "interleave"])
def test_invariant_point_attention(train, draw, tmp_path: Path, kind: str) -> None:
    assert train("plain", *STEPS) == 0
    start = ("--ckpt", tmp_path / "plain" / "last.safetensors")
    assert train("a", *STEPS, *start, "--references", "1", "--ipa", kind) == 0
    assert len(draw("out", 2)) == 2


def test_invariant_point_attention_needs_references(train, capsys) -> None:
    assert train("a", *STEPS, "--ipa", "prepend") == 2
    assert "ipa: 'prepend' needs a model that reads references" in capsys.readouterr().err
