"""docs/performance.md shows what is stored, for every part of benchmarks/all.py."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _benchmarks_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")


def test_the_tables_are_those_of_the_stored_numbers() -> None:
    import all as benchmarks

    stored = json.loads(benchmarks.STORED.read_text())
    assert set(stored["parts"]) == set(benchmarks.PARTS)
    page = benchmarks.PAGE.read_text()
    assert benchmarks.with_tables(page, stored) == page
    assert page.count("<!-- end ") == len(benchmarks.PARTS) + 1
