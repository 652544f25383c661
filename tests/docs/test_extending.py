"""The changes of docs/extending.md, applied to a copy of the package, do what the page says."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.commands import ROOT, lines_of, python_calls

PAGE = (ROOT / "docs" / "extending.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)
NEW_FILE = re.compile(r"# (rnagen/\S+\.py)\n")


def section(title: str) -> str:
    (text,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, flags=re.DOTALL | re.MULTILINE)
    return text


def patched_files(text: str) -> list[str]:
    return re.findall(r"^\+\+\+ b/(\S+)$", text, flags=re.MULTILINE)


@pytest.fixture
def patched(tmp_path: Path) -> Path:
    """A copy of the package with all changes of the page, and the tiny model."""
    shutil.copytree(ROOT / "rnagen", tmp_path / "rnagen", ignore=shutil.ignore_patterns("__pycache__"))
    for language, text in BLOCKS:
        new = NEW_FILE.match(text)
        if language == "diff":
            done = subprocess.run(
                ["git", "apply", "-"], cwd=tmp_path, input=text, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{done.stderr}\n{text}"
        elif new:
            file = tmp_path / new[1]
            file.parent.mkdir(exist_ok=True)
            file.write_text(text.removeprefix(new[0]))
        elif language == "yaml":
            (tmp_path / "tiny.yaml").write_text(text)
    return tmp_path


def test_a_model_input_touches_at_most_six_files() -> None:
    text = section("A model input")
    files = patched_files(text)
    assert files == re.findall(r"^- `(\S+)`$", text, flags=re.MULTILINE)
    assert 1 <= len(files) <= 6
    assert not NEW_FILE.search(text)


def test_the_examples_run(patched: Path) -> None:
    """In one process, which imports the copy, with a small sample."""
    small = "from rnagen.preparation import sample_set; sample_set.TRAINING, sample_set.VALIDATION = 8, 1"
    program = ["from rnagen.cli.main import main", small]
    for language, text in BLOCKS:
        if language == "sh":
            for line in lines_of(text):
                for name, *arguments in python_calls(line):
                    verb = [] if name == "rnagen" else [Path(name).stem]
                    program.append(f"assert main({[*verb, *arguments]!r}) == 0, {shlex.quote(line)!r}")
        elif language == "python" and not NEW_FILE.match(text):
            program.append(text)
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(program)],
        cwd=patched,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(patched), "PYTHONPATH": str(patched), "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    runs = {folder.name for folder in (patched / "runs").iterdir()}
    assert {"smooth", "gyration", "ends", "pairing"} <= runs
    assert (patched / "out" / "adams" / "rna" / "conformer_2.cif").is_file()
