"""docs/confidence.md shows what is stored: the metrics of the shipped model, and what choosing gains."""

import json
import re
import runpy
from pathlib import Path

from rnagen.checkpoints.confidence import confidence_path, find_confidence
from rnagen.checkpoints.structure import find_checkpoint, load_checkpoint

ROOT = Path(__file__).parents[2]
SMALL = find_checkpoint(Path("small"))
"""The checkpoint of the tables."""


def visible(marker: str) -> dict[str, list[str]]:
    """Rows of the table between the markers, by their first cell."""
    page = (ROOT / "docs" / "confidence.md").read_text()
    (table,) = re.findall(rf"<!-- {marker} -->\n(.*?)<!-- end {marker} -->", page, flags=re.DOTALL)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    return {row[0]: row[1:] for row in rows}


def test_the_metrics_are_those_that_ship() -> None:
    metrics = json.loads(confidence_path(SMALL).with_suffix(".json").read_text())["metrics"]
    rows = visible("metrics")
    assert rows == {f"`{name.removeprefix('val/')}`": [f"{value:.3f}"] for name, value in metrics.items()}


def test_the_gains_are_those_that_are_stored() -> None:
    stored = json.loads((ROOT / "benchmarks" / "results" / "selection.json").read_text())
    confidence = find_confidence(load_checkpoint(SMALL))
    assert confidence is not None
    assert stored["confidence"] == confidence.fingerprint
    for marker, title in (("selection", "model alone"), ("selection with templates", "with templates")):
        assert visible(marker) == {
            name: [
                f"{row['best1']:.3f}",
                "{:.3f} [{:.3f}, {:.3f}]".format(row["best5"], *row["best5_interval"]),
                "{:+.3f} [{:+.3f}, {:+.3f}]".format(row["gain"], *row["gain_interval"]),
            ]
            for name, row in stored["pools"][title]["rows"].items()
        }


def test_what_agreement_adds_is_what_is_stored() -> None:
    stored = json.loads((ROOT / "benchmarks" / "results" / "selection.json").read_text())
    found = stored["pools"]["model alone"]["agreement"]
    titles = {"best1": "its first", "best5": "best of 5", "rank_correlation": "rank correlation within an RNA"}
    assert visible("agreement") == {
        title: [
            f"{found[name]['confidence']:.3f}",
            f"{found[name]['combined']:.3f}",
            "{:+.3f} [{:+.3f}, {:+.3f}]".format(found[name]["gain"], *found[name]["interval"]),
        ]
        for name, title in titles.items()
    }


def test_the_orders_are_those_that_are_stored(capsys, monkeypatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    benchmark = runpy.run_path(str(ROOT / "benchmarks" / "order.py"))
    stored = json.loads((ROOT / "benchmarks" / "results" / "order_small.json").read_text())
    benchmark["show"](list(stored.values()))
    printed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert visible("order") == {
        cells[0]: cells[1:] for line in printed[2:] for cells in [[cell.strip() for cell in line.strip("|").split("|")]]
    }
