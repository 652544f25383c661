"""docs/architecture.md names files, functions and layers that exist."""

import ast
import re
from pathlib import Path

from tests.helpers.commands import ROOT, blocks

FILE = ROOT / "docs" / "architecture.md"
PAGE = FILE.read_text()


def tree_of(page: Path) -> str:
    (tree,) = [block for block in blocks(page, "") if "configs/" in block]
    return tree


def numbered(text: str) -> list[str]:
    return re.findall(r"^\d+\. (.*)", text, flags=re.MULTILINE)


def names_of(path: Path) -> set[str]:
    """Functions, classes and Class.method of a file."""
    names = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{item.name}" for item in node.body if isinstance(item, ast.FunctionDef)}
    return names


def test_each_step_names_a_function_of_its_file() -> None:
    found = re.findall(r"`(rnagen/[\w/]+\.py)`\s+`([\w.]+)`", PAGE)
    assert len(found) > 15
    for file, name in found:
        assert name in names_of(ROOT / file), (file, name)


def test_a_sequence_becomes_a_structure_in_ten_steps_and_twelve_files() -> None:
    (text,) = re.findall(r"## How a sequence becomes a structure\n(.*?)\n## ", PAGE, flags=re.DOTALL)
    steps, files = text.split("Twelve files")
    assert len(numbered(steps)) <= 10
    listed = [item.strip("`") for item in numbered(files)]
    assert len(listed) <= 12
    assert all((ROOT / file).is_file() for file in listed)


def test_the_layers_are_those_of_the_contract() -> None:
    (contract,) = re.findall(
        r"^layers = \[\n(.*?)^\]", (ROOT / "pyproject.toml").read_text(), flags=re.DOTALL | re.MULTILINE
    )
    layers = re.findall(r'"(.*)"', contract)
    (shown,) = re.findall(r"<!-- layers -->\n```\n(.*?)```\n<!-- end layers -->", PAGE, flags=re.DOTALL)
    assert shown.splitlines() == [layer.replace("rnagen.", "") for layer in layers]


def test_the_trees_have_every_room_and_nothing_else() -> None:
    rooms = {path.parent.name for path in (ROOT / "rnagen").glob("*/__init__.py")}
    for page in (FILE, ROOT / "README.md"):
        tree = tree_of(page)
        shown = set(re.findall(r"^  (\w+)/ ", tree, flags=re.MULTILINE)) | set(re.findall(r" (cli)/ ", tree))
        assert shown == rooms


def test_each_file_of_the_tree_exists() -> None:
    room = ROOT
    for line in tree_of(FILE).splitlines():
        if head := re.match(r"  (\w+)/ ", line):
            room = ROOT / "rnagen" / head[1]
        elif re.match(r"\w+/ ", line) or line.startswith(("rnagen", "tests", "  structure.py", "  api.py")):
            room = ROOT
        for name in re.findall(r"\b\w+\.py\b", line):
            places = [ROOT, ROOT / "rnagen", ROOT / "runs"] if room == ROOT else [room, *room.iterdir()]
            assert any((place / name).is_file() for place in places), (line, name)
