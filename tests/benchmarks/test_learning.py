"""Learning curves: which checkpoints make one, what ten times more gains, what cannot be compared."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnagen.errors import InputError


def save(folder: Path, run: str, step: int, scores: list[float], **changes: Any) -> None:
    """A result with one conformer for each validation RNA."""
    from accuracy_saved import Result

    config = {"run_name": run, "train_share": 1.0, "seed": 0, "crop": 64, **changes.pop("config", {})}
    header = {"name": f"{run}-{step}", "step": step, "hours": step / 100, "parameters": 1, "chains": 800}
    identity = {"checkpoint": run, "n": 1, "steps": 10, **changes.pop("identity", {})}
    header |= {"cutoff": "2022-05-27", "config": config, **changes}
    result = Result(folder / f"{run}-{step}.json", header, identity, {}, {})
    result.expect("validation", len(scores))
    for number, score in enumerate(scores):
        result.add("validation", f"rna{number}", {"tm": [score], "mirror": [0.0], "helix": 0.15})


def curves(folder: Path) -> list:
    from accuracy_saved import read_results
    from learning import find_curves

    return find_curves(read_results(folder))


def test_a_run_at_several_steps_is_a_curve_of_compute(tmp_path: Path) -> None:
    from learning import table, tenfold

    for step, score in ((1000, 0.3), (10, 0.1), (100, 0.2)):
        save(tmp_path, "long", step, [score, score + 0.1])
    (curve,) = curves(tmp_path)
    assert [point.place for point in curve.points] == [10, 100, 1000]
    # Both RNAs gain 0.1 with every tenfold.
    assert tenfold(curve, "validation") == pytest.approx((0.1, 0.1, 0.1))
    lines = table(curve)
    assert lines[2] == "| 10 steps | 1 | 0.150 [0.100, 0.200] |"
    assert lines[-2:] == ["| ten times more | | +0.100 [+0.100, +0.100] |", "| baseline: one helix | | 0.150 |"]


def test_shares_of_the_clusters_are_a_curve_of_data_with_seeds_averaged(tmp_path: Path) -> None:
    from learning import means, tenfold

    for seed, extra in ((0, 0.0), (1, 0.2)):
        for share, chains, score in ((0.1, 80 + seed, 0.2), (1.0, 805, 0.25)):
            save(
                tmp_path,
                f"share{share}-{seed}",
                500,
                [score + extra, score],
                chains=chains,
                config={"train_share": share, "seed": seed},
            )
    # Another configuration is no part of it.
    save(tmp_path, "other", 500, [0.9, 0.9], config={"crop": 96})
    (curve,) = curves(tmp_path)
    assert [point.place for point in curve.points] == [80.5, 805]
    assert [mean for mean, _, _ in means(curve, "validation")] == pytest.approx([0.25, 0.30])
    assert tenfold(curve, "validation") == pytest.approx((0.05, 0.05, 0.05))


def test_what_was_measured_otherwise_is_refused(tmp_path: Path) -> None:
    save(tmp_path, "long", 10, [0.1, 0.2])
    with pytest.raises(InputError, match="no run at several steps"):
        curves(tmp_path)
    save(tmp_path, "long", 20, [0.1, 0.2, 0.3])
    with pytest.raises(InputError, match="other RNAs than those of long-10"):
        curves(tmp_path)
    save(tmp_path, "long", 20, [0.1, 0.2], identity={"steps": 20})
    with pytest.raises(InputError, match="steps: is 20, in long-10 10"):
        curves(tmp_path)


def test_an_unfinished_set_is_refused(tmp_path: Path) -> None:
    from accuracy_saved import Result

    for step in (10, 20):
        save(tmp_path, "long", step, [0.1, 0.2])
        unfinished = Result.read(tmp_path / f"long-{step}.json")
        unfinished.expect("validation", 3)
        unfinished.add("validation", "rna1", {"tm": [0.2], "mirror": [0.0], "helix": 0.15})
    with pytest.raises(InputError, match="2 of 3 are measured"):
        curves(tmp_path)


def metrics(path: Path, *scores: float) -> Path:
    """What a run writes, one validation of two RNAs for each score."""
    lines = [
        {"step": 100 * 10**n, "val/tm_helix": 0.2, "targets": [{"id": i, "tm_best5": score} for i in "ab"]}
        for n, score in enumerate(scores)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_the_validations_of_a_run_are_a_curve(tmp_path: Path) -> None:
    from learning import table, validations

    assert table(validations(metrics(tmp_path / "a.jsonl", 0.1, 0.3)))[2:] == [
        "| 100 steps | 1 | 0.100 [0.100, 0.100] |",
        "| 1,000 steps | 1 | 0.300 [0.300, 0.300] |",
        "| ten times more | | +0.200 [+0.200, +0.200] |",
        "| baseline: one helix | | 0.200 |",
    ]
    with pytest.raises(InputError, match="at least two"):
        validations(metrics(tmp_path / "b.jsonl", 0.1))
    (tmp_path / "c.jsonl").write_text('{"step": 1}\n')
    with pytest.raises(InputError, match=r"c.jsonl: is no metrics.jsonl"):
        validations(tmp_path / "c.jsonl")


@pytest.mark.parametrize("name", ["learning.svg", "learning.png"])
def test_the_picture_is_the_same_for_the_same_results(tmp_path: Path, name: str) -> None:
    from learning import Options, run

    folder = tmp_path / "results"
    folder.mkdir()
    for step in (10, 100):
        save(folder, "long", step, list(np.linspace(0.1, 0.3, 5)))
    contents = []
    for _ in range(2):
        assert run(Options((folder,), metrics(tmp_path / "metrics.jsonl", 0.1, 0.2), tmp_path / name)) == 0
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]
    assert len(contents[0]) > 2000


def test_the_page_holds_the_tables_of_what_is_stored() -> None:
    from learning import Options, read_curves, tables

    page = (Path(__file__).parents[2] / "docs" / "learning.md").read_text()
    (visible,) = re.findall(r"<!-- learning -->\n(.*?)\n<!-- end learning -->", page, flags=re.DOTALL)
    assert visible == tables(read_curves(Options()))
