"""The commands of the documents and recipes: where they stand, and whether their options parse."""

import argparse
import re
import runpy
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tyro

from rnagen.cli.main import main

ROOT = Path(__file__).parents[2]
EXTENDING = ROOT / "docs" / "extending.md"
"""Its commands need its changes: tests/docs/test_extending.py runs them."""
PAGES = [
    *(ROOT / "README.md", ROOT / "CONTRIBUTING.md"),
    *sorted(page for page in (ROOT / "docs").glob("*.md") if page != EXTENDING),
]
RECIPES = sorted((ROOT / "runs").glob("*.sh"))
PROGRAMS = re.compile(r"^(\.venv/bin/)?(python3?|rnagen)$")


@dataclass(frozen=True)
class Command:
    """One command line and the file that has it."""

    file: str
    line: str

    def __str__(self) -> str:
        return f"{self.file}: {self.line}"


def blocks(page: Path, language: str) -> list[str]:
    """Fenced blocks of one language, in order."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    return [text for name, text in found if name == language]


def lines_of(text: str) -> list[str]:
    """Command lines, continuation lines joined, without comments."""
    lines = text.replace("\\\n", " ").splitlines()
    return [line.split("   #")[0].strip() for line in lines if line.strip() and not line.startswith("#")]


def block_commands(page: Path) -> list[str]:
    """The lines of all `sh` blocks of a page."""
    return [line for block in blocks(page, "sh") for line in lines_of(block)]


def inline_code(page: Path) -> list[str]:
    """`…` outside blocks, also where it is broken over two lines."""
    prose = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose)]


def all_commands() -> list[Command]:
    """Every command of every page and recipe, of those in prose the ones that can be typed as they stand."""
    found = [Command(page.name, line) for page in PAGES for line in block_commands(page)]
    found += [
        Command(preset.name, line)
        for preset in sorted((ROOT / "configs").glob("*.yaml"))
        for line in re.findall(r"^#   ((?:python|rnagen) .*)", preset.read_text(), flags=re.MULTILINE)
    ]
    found += [Command(page.name, code) for page in PAGES for code in inline_code(page) if code.startswith("python ")]
    return found + [Command(recipe.name, line) for recipe in RECIPES for line in lines_of(recipe.read_text())]


def python_calls(line: str) -> list[list[str]]:
    """The calls of python and rnagen in a command line, as words, without the interpreter."""
    calls = []
    for part in line.split("&&"):
        words = shlex.split(part)
        if words and PROGRAMS.match(words[0]) and words[1:3] != ["-m", "venv"]:
            calls.append(words if words[0].endswith("rnagen") else words[1:])
    return calls


class _Parsed(BaseException):
    """Raised as soon as the options have been parsed, so that nothing is done."""


def parse_only(call: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a command up to the end of its option parser, from the root of the repository.

    Raises:
        AssertionError: the command does not exist or its options do not parse.
    """

    def stopping(parser: Callable[..., Any]) -> Callable[..., None]:
        def stop(*args: Any, **options: Any) -> None:
            parser(*args, **options)
            raise _Parsed

        return stop

    program, *arguments = call
    with monkeypatch.context() as patch:
        patch.chdir(ROOT)
        for module, name in ((tyro, "cli"), (tyro.extras, "subcommand_cli_from_dict")):
            patch.setattr(module, name, stopping(getattr(module, name)))
        patch.setattr(sys, "argv", [program, *arguments])
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        if program.startswith("runs/"):
            patch.syspath_prepend(str((ROOT / program).parent))
        if program == "-m" or ((ROOT / program).suffix == ".py" and "import argparse" in (ROOT / program).read_text()):
            patch.setattr(argparse.ArgumentParser, "parse_args", stopping(argparse.ArgumentParser.parse_args))
        try:
            if program == "-m":
                patch.setattr(sys, "argv", arguments)
                runpy.run_module(arguments[0], run_name="__main__")
            code = main(arguments) if program == "rnagen" else _run_script(ROOT / program, arguments)
        except _Parsed:
            return
        except SystemExit as exit_:
            code = exit_.code
    assert not code, f"{shlex.join(call)}: exit code {code}"


def _run_script(script: Path, arguments: list[str]) -> int:
    assert script.is_file(), f"{script}: no such file"
    source = script.read_text()
    if not any(parser in source for parser in ("tyro", "parse(", "parse_args(", "main([", "benchmark(")):
        # A script of a few positional arguments: its docstring has the usage line.
        usage = [line.strip() for line in source.splitlines() if f"python benchmarks/{script.name}" in line]
        assert usage, f"{script}: no usage line"
        assert len(arguments) in {len(shlex.split(line)) - 2 for line in usage}, usage
        return 0
    runpy.run_path(str(script), run_name="__main__")
    raise AssertionError(f"{script}: ended without parsing its options")
