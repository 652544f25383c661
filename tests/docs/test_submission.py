"""docs/submission.md: its commands run, and it lists every kind of problem."""

import re
from pathlib import Path

import pytest

from rnagen.cli.main import main
from tests.helpers.commands import ROOT, block_commands, python_calls

PAGE = ROOT / "docs" / "submission.md"


@pytest.mark.slow
def test_its_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those without the tables of the benchmark, with fewer steps."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_rnas.fasta").write_text(">first\nGGGAAACUUCGGUUUCCC\n>second\nGGCGAAAGCC\n")
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    commands = [line for line in block_commands(PAGE) if "casp15" not in line]
    assert len(commands) == 6
    for command in commands:
        for program, *arguments in python_calls(command):
            given = ["sample", *arguments, "--steps", "2"] if program == "sample.py" else arguments
            assert main(given) == 0, command


def test_every_kind_of_problem_is_listed() -> None:
    table = PAGE.read_text().split("| kind | |")[1].split("\n\n")[0]
    listed = {kind.strip() for row in table.splitlines()[2:] for kind in row.split("|")[1].split(",")}
    found = set()
    for name in ("checks.py", "conformer.py", "run.py"):
        text = (ROOT / "rnagen" / "submission" / name).read_text()
        found |= set(re.findall(r'(?:Problem|Fault)\(\s*"([^"]+)"', text))
    assert listed == found
