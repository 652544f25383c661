"""Accuracy of a checkpoint on three sets: which RNAs, what is saved, what is refused, what the table shows."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnagen.checkpoints.structure import find_checkpoint, load_checkpoint, save_checkpoint
from rnagen.data.dataset import Dataset
from rnagen.errors import InputError
from rnagen.io.kaggle import write_labels
from rnagen.preparation.synthetic import synthetic_dataset, synthetic_rna
from tests.helpers.chains import rewrite
from tests.helpers.tiny import TINY, replace, tiny_model

ROOT = Path(__file__).parents[2]
CUTOFF = "2022-05-27"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of synthetic RNA with dates and splits, a table of two benchmark targets, a checkpoint."""
    folder = tmp_path_factory.mktemp("world")
    synthetic_dataset(folder / "data", 12, seed=1)
    rewrite(folder / "data", release_date=["2020-01-01"] * 9 + ["2023-01-01"] * 3)
    ids = Dataset.open(folder / "data").chains.names
    for name, part in (("train", ids[:9]), ("val", ids[9:])):
        (folder / f"{name}.csv").write_text("id\n" + "".join(f"{i}\n" for i in part))
    targets = [replace(synthetic_rna(seed, 20), name=f"R{seed}") for seed in (7, 8)]
    write_labels(folder / "validation_labels.csv", targets)
    rows = "".join(f"{target.name},{target.sequence},2022-06-01\n" for target in targets)
    (folder / "validation_sequences.csv").write_text("target_id,sequence,temporal_cutoff\n" + rows)
    save(folder, "model")
    return folder


def save(folder: Path, name: str, cutoff: str = CUTOFF, chains: int = 9, step: int = 50) -> Path:
    config = replace(TINY, run=replace(TINY.run, run_name="tiny"))
    data = {"source": "made", "fingerprint": Dataset.open(folder / "data").fingerprint, "chains": chains}
    path = folder / f"{name}.safetensors"
    save_checkpoint(path, tiny_model(), config, {"cutoff": cutoff, "data": data, "step": step, "hours": 0.5})
    return path


@pytest.fixture
def flags(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How accuracy.py is called here."""
    monkeypatch.setattr("rnagen.evaluation.baselines._FIT_STEPS", 20)
    places = ("--data", world / "data", "--splits", world, "--casp15", world / "validation_labels.csv")
    sizes = ("--train-chains", 2, "--n", 3, "--steps", 2, "--results", tmp_path / "results")
    return [str(part) for part in (*places, *sizes)]


@settings(max_examples=50, deadline=None)
@given(
    chains=st.lists(st.tuples(st.integers(20, 60), st.integers(0, 8)), min_size=1, max_size=30),
    wanted=st.lists(st.integers(20, 60), min_size=1, max_size=10),
    count=st.integers(1, 4),
)
def test_training_chains_are_of_different_clusters_within_the_limits(
    chains: list[tuple[int, int]], wanted: list[int], count: int
) -> None:
    from accuracy_targets import matched_rows

    lengths, clusters = zip(*chains)
    fitting = {cluster for length, cluster in chains if min(wanted) <= length <= max(wanted)}
    if len(fitting) < count:
        with pytest.raises(InputError, match=f"{len(fitting)} clusters have a chain"):
            matched_rows(lengths, clusters, wanted, count)
        return
    rows = matched_rows(lengths, clusters, wanted, count)
    assert len({clusters[row] for row in rows}) == len(rows) == count
    assert all(min(wanted) <= lengths[row] <= max(wanted) for row in rows)
    assert rows == matched_rows(lengths, clusters, wanted, count)


def test_training_chains_are_as_long_as_those_wanted() -> None:
    from accuracy_targets import matched_rows

    lengths = list(range(20, 220))
    rows = matched_rows(lengths, range(200), [30, 60, 90, 120, 200], 5)
    assert [lengths[row] for row in rows] == [30, 60, 90, 120, 200]


def test_three_sets_are_measured_saved_and_shown(
    world: Path, flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import accuracy

    out = tmp_path / "numbers.json"
    assert accuracy.main([str(world / "model.safetensors"), *flags, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "| tiny-50: 0.5 h, 9 chains | training, 2 RNAs | validation, 3 RNAs | CASP15, 2 RNAs |" in printed
    saved = tmp_path / "results" / "tiny-50.json"
    result = json.loads(saved.read_text())
    assert set(result["targets"]["casp15"]) == {"R7", "R8"}
    trained = set(pd.read_csv(world / "train.csv")["id"])
    assert set(result["targets"]["train"]) <= trained
    assert not set(result["targets"]["validation"]) & trained
    assert result["header"]["config"]["run_name"] == "tiny"
    one = result["targets"]["casp15"]["R7"]
    assert len(one["tm"]) == len(one["mirror"]) == 3
    numbers = json.loads(out.read_text())["tiny-50"]["casp15"]
    best = np.mean([max(target["tm"]) for target in result["targets"]["casp15"].values()])
    assert numbers["best"]["mean"] == pytest.approx(best, abs=1e-4)
    gains = [max(target["tm"]) - target["helix"] for target in result["targets"]["casp15"].values()]
    assert numbers["best_minus_helix"]["mean"] == pytest.approx(np.mean(gains), abs=1e-4)
    assert numbers["best_minus_helix"]["low"] == pytest.approx(min(gains), abs=1e-4)
    bands = json.loads(out.read_text())["tiny-50"]["casp15"]["by_length"]
    assert sum(band["targets"] for band in bands.values()) == 2
    weighted = sum(band["targets"] * band["best"] for band in bands.values()) / 2
    assert weighted == pytest.approx(best, abs=1e-4)
    # The table alone, from what is saved.
    assert accuracy.main(["--results", str(tmp_path / "results")]) == 0
    assert capsys.readouterr().out == printed


BEADS = ("--atoms", "beads")


def test_the_numbers_are_those_of_sampling_and_evaluating(world: Path, flags: list[str], tmp_path: Path) -> None:
    import accuracy

    from rnagen.cli import evaluate, sample

    path = str(world / "model.safetensors")
    assert accuracy.main([path, *flags, "--sets", "casp15"]) == 0
    sampled, scored = tmp_path / "sampled", tmp_path / "scored.json"
    sampling = ["--csv", str(world / "validation_sequences.csv"), "--out", str(sampled), "--ckpt", path]
    assert sample.main([*sampling, "--n", "3", "--steps", "2", "--device", "cpu", "--templates", "none", *BEADS]) == 0
    assert evaluate.main([str(sampled), str(world / "validation_labels.csv"), "--out", str(scored)]) == 0
    found = json.loads((tmp_path / "results" / "tiny-50.json").read_text())["targets"]["casp15"]
    for target in json.loads(scored.read_text())["targets"]:
        mine = found[target["target"]]
        assert (mine["tm"][0], max(mine["tm"])) == pytest.approx((target["best1"], target["best5"]), abs=2e-3)
        assert mine["one_minus_tm"] == pytest.approx(target["one_minus_tm"], abs=2e-3)
        for baseline in ("helix", "random_walk", "stems"):
            assert mine[baseline] == pytest.approx(target["baselines"][baseline], abs=1e-4)


def test_an_interrupted_measurement_goes_on(
    world: Path, flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import accuracy

    arguments = [str(world / "model.safetensors"), *flags, "--sets", "validation"]
    measured, sampled = accuracy.measure_target, []

    def interrupted(models, target, options):
        if len(sampled) == 2:
            raise KeyboardInterrupt
        sampled.append(target.name)
        return measured(models, target, options)

    with monkeypatch.context() as patch:
        patch.setattr(accuracy, "measure_target", interrupted)
        assert accuracy.main(arguments) == 130
    capsys.readouterr()
    assert accuracy.main(["--results", str(tmp_path / "results")]) == 0
    assert "validation, 2 RNAs (unfinished: of 3)" in capsys.readouterr().out
    rest = []
    monkeypatch.setattr(accuracy, "measure_target", lambda *args: rest.append(args[1].name) or measured(*args))
    assert accuracy.main(arguments) == 0
    assert len(rest) == 1
    assert not set(rest) & set(sampled)


def test_what_cannot_be_compared_is_refused(world: Path, flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    import accuracy

    model = str(world / "model.safetensors")
    assert accuracy.main([model, *flags, "--sets", "casp15"]) == 0
    assert accuracy.main([model, *flags, "--sets", "casp15", "--tau", "0.5"]) == 2
    assert "was measured otherwise (tau 0.05, now 0.5)" in capsys.readouterr().err
    late = str(save(world, "late", cutoff="2022-07-01", step=51))
    assert accuracy.main([late, *flags, "--sets", "casp15"]) == 2
    assert "R7: LEAKAGE: cutoff 2022-07-01, target 2022-06-01" in capsys.readouterr().err
    other = str(save(world, "other", chains=8, step=52))
    assert accuracy.main([other, *flags]) == 2
    assert "was trained on 8 chains, here it would be on 9" in capsys.readouterr().err
    assert accuracy.main([other, *flags, "--sets", "casp15"]) == 0


def test_a_smaller_training_set_is_that_of_the_checkpoint(world: Path) -> None:
    from accuracy_targets import training_chains

    from rnagen.data.dataset import read_data

    config = replace(TINY, dataset=replace(TINY.dataset, train_share=0.5), run=replace(TINY.run, seed=4))
    checkpoint = load_checkpoint(save(world, "half", chains=4))
    packed = read_data(world / "data", world, CUTOFF, ("C1'",))
    seen = training_chains(replace(checkpoint, config=config), packed, world)
    assert len(seen) == 4
    assert set(seen.names) <= set(packed.train.names)


def test_mirror_folds_are_counted() -> None:
    from accuracy_table import mirror_cell, mirror_folds

    targets = {"a": {"tm": [0.5, 0.2], "mirror": [0.1, 0.3]}, "b": {"tm": [0.4, 0.4], "mirror": [0.4, 0.7]}}
    found = mirror_folds(targets)
    assert found == {"conformers": 4, "higher": 2, "mean": 0.2, "most": 0.3, "best": 0.7}
    assert mirror_cell(found) == "2 of 4, by 0.200 (at most 0.300), up to 0.700"
    assert mirror_cell(mirror_folds({"a": targets["a"] | {"mirror": [0.1, 0.1]}})) == "0 of 2"


def test_the_page_is_what_the_benchmark_prints() -> None:
    """All checkpoints in one table, and the shipped one in its own."""
    from accuracy import RESULTS
    from accuracy_saved import read_results
    from accuracy_table import overview, table

    results = read_results(RESULTS)
    shipped = load_checkpoint(find_checkpoint(Path("small"))).fingerprint
    (small,) = [result for result in results if result.identity["checkpoint"] == shipped]
    page = (ROOT / "docs" / "accuracy.md").read_text()
    for marker, lines in (("overview", overview(results)), ("accuracy", table(small))):
        (visible,) = re.findall(rf"<!-- {marker} -->\n(.*?)<!-- end {marker} -->", page, flags=re.DOTALL)
        assert visible.splitlines() == lines
