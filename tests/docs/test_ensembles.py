"""docs/ensembles.md has the table that is stored, of the RNAs of the committed split."""

import json
import re

import pandas as pd
import pytest

from tests.helpers.commands import ROOT

PAGE = (ROOT / "docs" / "ensembles.md").read_text()
STORED = json.loads((ROOT / "benchmarks" / "results" / "ensembles.json").read_text())


def test_the_table_is_that_of_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from ensembles import table_of

    (table,) = re.findall(r"<!-- ensembles -->\n(.*?)<!-- end ensembles -->", PAGE, flags=re.DOTALL)
    assert table.splitlines() == table_of(STORED)


def test_all_settings_are_of_the_same_rnas_and_these_of_the_split() -> None:
    split = pd.read_csv(ROOT / "splits" / "ensemble.csv").set_index("id")
    assert set(STORED["rnas"]) <= set(split.index)
    for row in STORED["rows"].values():
        assert list(row["rnas"]) == STORED["rnas"]
        for name, found in row["rnas"].items():
            if found is not None:
                assert found["seen"] == (split["training"][name] == "yes")
                assert found["references"] == split["models"][name]
