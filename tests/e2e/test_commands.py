"""Every command of the README, the documents and the recipes exists, and its options parse."""

import re
import subprocess

import pytest

from tests.helpers.commands import (
    PAGES,
    RECIPES,
    ROOT,
    Command,
    all_commands,
    block_commands,
    blocks,
    inline_code,
    parse_only,
    python_calls,
)

CALLS = [(command, call) for command in all_commands() for call in python_calls(command.line)]
VERBS = (
    "prepare",
    "library",
    "sample",
    "reactivity",
    "evaluate",
    "submit",
    "report",
    "compare",
    "average",
    "summary",
    "cache",
)
TASKS = ("structure", "reactivity", "confidence")


@pytest.mark.parametrize(("command", "call"), CALLS, ids=lambda value: str(value)[:100])
def test_options_parse(command: Command, call: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    parse_only(call, monkeypatch)


def test_there_are_commands_of_each_kind() -> None:
    found = [" ".join(call) for _, call in CALLS]
    programs = ("sample.py", "train.py", "rnagen", "benchmarks/accuracy.py", "benchmarks/experiments.py")
    for word in (*programs, "--task reactivity", "--task confidence", "--candidates", "--likelihood"):
        assert any(word in line for line in found), word


def test_commands_are_in_blocks_of_sh() -> None:
    """A command in a block of another language would not be tested."""
    for page in PAGES:
        others = [block for language in ("", "bash", "text") for block in blocks(page, language)]
        for block in others:
            assert not re.search(r"^(python|rnagen) ", block, flags=re.MULTILINE), f"{page.name}:\n{block}"


def test_shell_syntax() -> None:
    texts = {recipe.name: recipe.read_text() for recipe in RECIPES}
    texts |= {page.name: "\n".join(block_commands(page)) for page in PAGES}
    for name, text in texts.items():
        done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{name}: {done.stderr}"


def test_recipes_are_programs() -> None:
    assert {recipe.name for recipe in RECIPES} == {
        "small.sh",
        "informed.sh",
        "reactivity.sh",
        "library.sh",
        "bare_gpu.sh",
    }
    for recipe in RECIPES:
        assert recipe.stat().st_mode & 0o111, recipe.name
        assert "set -euo pipefail" in recipe.read_text(), recipe.name


def test_options_of_the_prose_exist(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Each `--option` that a page names is one of some command."""
    for call in [["rnagen", verb, "--help-all"] for verb in VERBS]:
        parse_only(call, monkeypatch)
    for task in TASKS:
        parse_only(["train.py", "--task", task, "--help-all"], monkeypatch)
    for script in sorted((ROOT / "benchmarks").glob("*.py")):
        text = script.read_text()
        if "__main__" in text and ("tyro.cli" in text or script.stem == "experiments"):
            call = [f"benchmarks/{script.name}"]
            subcommands = ("run", "table", "flow") if script.stem == "experiments" else ("",)
            for subcommand in subcommands:
                parse_only([*call, *subcommand.split(), "--help"], monkeypatch)
    for call in (["benchmarks/workers.py", "--help"], ["-m", "tests.campaign", "--help"]):
        parse_only(call, monkeypatch)
    known = set(re.findall(r"--[a-z][\w-]*", capsys.readouterr().out, flags=re.IGNORECASE)) | {
        "--config",
        "--help-all",
        "--version",
    }
    for page in PAGES:
        for code in inline_code(page):
            for option in re.findall(r"(?<![\w-])--[a-z][\w-]*", code):
                assert option in known, f"{page.name}: {code}"
