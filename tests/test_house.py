"""The plan of the house: short signatures, small files, one test file per module."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "rnagen"
MOST_PARAMETERS = 8
MOST_LINES = 320


def test_no_signature_is_longer_than_eight_parameters() -> None:
    long = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                given = node.args
                names = [a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
                names += [a.arg for a in (given.vararg, given.kwarg) if a is not None]
                count = len([name for name in names if name not in ("self", "cls")])
                if count > MOST_PARAMETERS:
                    long.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {count}")
    assert not long, long


def test_files_are_small() -> None:
    sizes = {path: len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}
    assert not {str(path.relative_to(ROOT)): size for path, size in sizes.items() if size > MOST_LINES}


def test_no_test_imports_another_test() -> None:
    found = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{path.relative_to(ROOT)}: {name}" for name in names if ".test_" in name]
    assert not found, found


def test_each_test_file_is_named_after_its_module() -> None:
    """tests/<room>/test_<module>.py, or with more words after the module's name; e2e, docs, cases, campaign and
    benchmarks have none."""
    strangers = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        room = path.parent.relative_to(ROOT / "tests")
        if room.parts[:1] in (("e2e",), ("docs",), ("benchmarks",), ("cases",), ("campaign",)) or room == Path("."):
            continue
        modules = [module.stem for module in (PACKAGE / room).glob("*.py")]
        name = path.stem.removeprefix("test_")
        if not any(name == module or name.startswith(f"{module}_") for module in modules):
            strangers.append(str(path.relative_to(ROOT)))
    assert not strangers, strangers
