"""The campaign of faults: a short one with the slow tests, the whole one by `pytest -m campaign`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KINDS = ("kill", "terminate", "disk full")
"""Of faults, in the short campaign."""


def campaign(*options: str | Path) -> subprocess.CompletedProcess[str]:
    """In a process of its own, which is forked for each trial and has no other threads."""
    words = [sys.executable, "-m", "tests.campaign", *map(str, options)]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.long
def test_a_few_faults_and_inputs_lose_nothing(tmp_path: Path) -> None:
    save = ("--seed", 1, "--save", tmp_path / "found.json")
    for words in (
        ("--kills", 2, "--others", 1, "--kinds", *KINDS, "--inputs", 0),
        ("--kills", 0, "--others", 0, "--inputs", 300),
    ):
        done = campaign(*words, *save)
        assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    faults, inputs = found["faults"], found["mutated inputs"]
    assert faults["found"] == inputs["found"] == []
    assert sum(inputs["outcomes"].values()) == 300
    assert faults["trials"]["kill, train"] == 2
    # A campaign whose faults come too late to matter shows nothing.
    assert faults["ended_by_the_fault"]["kill, sample"] > 0


@pytest.mark.campaign
def test_the_whole_campaign_loses_nothing(tmp_path: Path) -> None:
    done = campaign("--save", tmp_path / "found.json")
    assert done.returncode == 0, done.stdout + done.stderr
