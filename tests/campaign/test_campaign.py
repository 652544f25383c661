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
    done = campaign(
        "--kills", 2, "--others", 1, "--kinds", *KINDS, "--inputs", 300, "--seed", 1, "--save", tmp_path / "found.json"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["found"] == []
    assert sum(found["inputs"].values()) == 300
    assert found["trials"]["kill, train"] == 2
    # A campaign whose faults come too late to matter shows nothing.
    assert found["ended_by_the_fault"]["kill, sample"] > 0


@pytest.mark.campaign
def test_the_whole_campaign_loses_nothing(tmp_path: Path) -> None:
    done = campaign("--save", tmp_path / "found.json")
    assert done.returncode == 0, done.stdout + done.stderr
