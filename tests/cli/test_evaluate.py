import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rnagen.allatom import complete
from rnagen.checkpoints.structure import save_checkpoint
from rnagen.cli.evaluate import main
from rnagen.evaluation.baselines import random_walk
from rnagen.evaluation.results import Evaluation
from rnagen.evaluation.scores import score_target
from rnagen.io.files import write_text
from rnagen.io.kaggle import write_labels, write_submission
from rnagen.io.write import write_structure
from rnagen.sampling.outputs import OutputFolder
from rnagen.secondary.interactions import can_annotate
from rnagen.structure import BEADS, RNAStructure
from tests.helpers.helices import double_helix
from tests.helpers.tiny import TINY, tiny_model

NUMBERS = ("best1", "best5", "independent1", "independent5", "helix", "stems", "independent_helix")
SEQUENCES = {"R1": "GGGGAAACCCCA", "R2": "GGCCAAAGGCCAUUGC"}


@pytest.fixture(autouse=True)
def _short_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """How well the stems fit is the baselines' own test."""
    monkeypatch.setattr("rnagen.evaluation.baselines._FIT_STEPS", 20)


def rna(name: str, models: int, seed: int, atoms: tuple[str, ...] = ("C1'",)) -> RNAStructure:
    length = len(SEQUENCES[name])
    c1 = random_walk(length, seed, models).numpy()
    coords = np.stack([c1 + 2 * np.float32(a) for a in range(len(atoms))], axis=2)
    return RNAStructure(name, SEQUENCES[name], coords, np.ones(coords.shape[:3], dtype=bool), atoms)


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """References of R1 (two models) and R2, with dates in May and June 2022."""
    path = tmp_path / "validation_labels.csv"
    write_labels(path, [rna("R1", 2, 1), rna("R2", 1, 2)])
    rows = "R1,GGGGAAACCCCA,2022-05-28\nR2,GGCCAAAGGCCAUUGC,2022-06-04\n"
    (tmp_path / "validation_sequences.csv").write_text(f"target_id,sequence,temporal_cutoff\n{rows}")
    return path


@pytest.fixture
def submission(tmp_path: Path) -> Path:
    path = tmp_path / "out" / "submission.csv"
    path.parent.mkdir()
    write_submission(path, [rna("R1", 5, 3), rna("R2", 5, 4)])
    return path


def evaluate(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def trained_until(folder: Path, cutoff: str) -> None:
    (folder / "run.json").write_text(json.dumps({"identity": {}, "checkpoint": {"cutoff": cutoff}}))


def test_table_and_json(labels: Path, submission: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "scores.json"
    assert evaluate(submission, labels, "--out", out) == 0
    printed = capsys.readouterr().out
    assert "helix" in printed
    assert "mean of 2" in printed
    for mode in ("matched by residue number", "sequence-independent"):
        assert f"minus one helix, paired by target, {mode}" in printed
    assert "indep. 1" in printed
    assert "indep. 5" in printed
    assert printed.count("cutoff unknown") == 3
    found = json.loads(out.read_text())
    assert [target["target"] for target in found["targets"]] == ["R1", "R2"]
    assert found["summary"]["best5"]["low"] <= found["summary"]["best5"]["mean"] <= found["summary"]["best5"]["high"]
    assert found["targets"][0]["agreement"] is not None
    assert found["cutoff"] is None


def test_csv_has_a_row_per_target(labels: Path, submission: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.csv"
    assert evaluate(submission, labels, "--out", out) == 0
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [row["target"] for row in rows] == ["R1", "R2"]
    assert all(0 < float(row[name]) < 1 for row in rows for name in NUMBERS)
    assert "baselines" not in rows[0]


def test_perfect_predictions_without_baselines(
    labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "flat"
    folder.mkdir()
    write_structure(rna("R1", 2, 1, BEADS[2:]), folder / "R1.cif")
    write_structure(rna("R2", 1, 2, BEADS[2:]), folder / "R2.pdb")
    assert evaluate(folder, labels, "--no-baselines", "--out", tmp_path / "x.json") == 0
    assert "helix" not in capsys.readouterr().out
    assert json.loads((tmp_path / "x.json").read_text())["summary"]["best5"]["mean"] == pytest.approx(1, abs=1e-3)


def test_a_folder_of_conformers_per_target_keeps_their_order(labels: Path, tmp_path: Path) -> None:
    for name, seed in (("R1", 3), ("R2", 4)):
        (tmp_path / "run" / name).mkdir(parents=True)
        structure = rna(name, 11, seed, BEADS)
        for k in range(11):
            one = replace(structure, coords=structure.coords[k : k + 1], mask=structure.mask[k : k + 1])
            write_structure(one, tmp_path / "run" / name / f"conformer_{k + 1}.cif")
        write_structure(structure, tmp_path / "run" / name / "ensemble.cif")
    # The order of the names would put conformer_10 second: then the first five would be others.
    folder = tmp_path / "five"
    folder.mkdir()
    for name, seed in (("R1", 3), ("R2", 4)):
        write_structure(rna(name, 11, seed, BEADS), folder / f"{name}.cif")
    outs = [tmp_path / "a.json", tmp_path / "b.json"]
    for predictions, out in zip((tmp_path / "run", folder), outs):
        assert evaluate(predictions, labels, "--no-baselines", "--out", out) == 0
    first, second = (json.loads(out.read_text())["targets"] for out in outs)
    assert first == second
    assert first[0]["predictions"] == 11


def test_references_from_structure_files(submission: Path, tmp_path: Path) -> None:
    folder = tmp_path / "natives"
    folder.mkdir()
    for name, seed in (("R1", 1), ("R2", 2)):
        write_structure(rna(name, 1, seed, BEADS), folder / f"{name}.cif.gz")
    assert evaluate(submission, folder, "--no-baselines") == 0


def test_references_from_a_dataset_and_its_split(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from rnagen.data.dataset import Dataset
    from rnagen.preparation.synthetic import synthetic_dataset

    synthetic_dataset(tmp_path / "data", 3, seed=0)
    chains = Dataset.open(tmp_path / "data").chains
    names = [chains.names[i] for i in (0, 2)]
    split = tmp_path / "val.csv"
    split.write_text("id,length\n" + "".join(f"{name},1\n" for name in names))
    predictions = tmp_path / "x.csv"
    write_labels(predictions, [chains.structure(i) for i in (0, 2)])
    out = tmp_path / "x.json"
    assert evaluate(predictions, tmp_path / "data", "--split", split, "--no-baselines", "--out", out) == 0
    assert [target["target"] for target in json.loads(out.read_text())["targets"]] == names
    split.write_text("id\nnowhere_A\n")
    assert evaluate(predictions, tmp_path / "data", "--split", split) == 2
    assert "nowhere_A: is not in the dataset" in capsys.readouterr().err


def test_the_spread_against_several_references(
    labels: Path, submission: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "x.json"
    assert evaluate(submission, labels, "--no-baselines", "--ensemble", "--out", out) == 0
    assert "Spread of all conformers" in capsys.readouterr().out
    found = json.loads(out.read_text())
    # R2 has one reference.
    assert list(found["ensembles"]) == ["R1"]
    assert found["ensembles"]["R1"]["samples"] == 5
    assert found["ensemble_summary"]["amr_r"]["mean"] == found["ensembles"]["R1"]["agreement"]["amr_r"]
    single = tmp_path / "single.csv"
    write_labels(single, [rna("R1", 1, 1), rna("R2", 1, 2)])
    assert evaluate(submission, single, "--no-baselines", "--ensemble") == 2
    assert "--ensemble needs several conformers" in capsys.readouterr().err


@pytest.mark.skipif(not can_annotate(), reason="RNApolis is not installed")
def test_interactions_of_two_files_with_all_atoms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    full = replace(complete(double_helix()), residue_index=np.arange(1, 17, dtype=np.int32), chain="A")
    for name in ("mine.cif", "native.pdb"):
        write_structure(full, tmp_path / name)
    out = tmp_path / "x.json"
    assert evaluate(tmp_path / "mine.cif", tmp_path / "native.pdb", "--no-baselines", "--out", out) == 0
    expected = "interaction network fidelity: all 1.000, canonical pairs 1.000, other pairs none"
    assert expected in capsys.readouterr().out
    found = json.loads(out.read_text())
    assert found["targets"][0]["network"] == {"inf": 1.0, "inf_wc": 1.0, "inf_nwc": None, "inf_stacking": 1.0}
    assert found["summary"]["inf"]["mean"] == 1
    assert evaluate(tmp_path / "mine.cif", tmp_path / "native.pdb", "--no-baselines", "--out", tmp_path / "x.csv") == 0
    (row,) = csv.DictReader((tmp_path / "x.csv").open())
    assert float(row["inf_stacking"]) == 1


def test_without_rnapolis_the_interactions_are_left_out_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    full = replace(complete(double_helix()), residue_index=np.arange(1, 17, dtype=np.int32), chain="A")
    write_structure(full, tmp_path / "x.cif")
    monkeypatch.setattr("rnagen.evaluation.run.can_annotate", lambda: False)
    assert evaluate(tmp_path / "x.cif", tmp_path / "x.cif", "--no-baselines") == 0
    captured = capsys.readouterr()
    assert "base pairs are not compared, which needs RNApolis: pip install 'rnagen[pairs]'" in captured.err
    assert "interaction network" not in captured.out


def test_an_honest_cutoff(labels: Path, submission: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained_until(submission.parent, "2022-05-28")
    for predictions in (submission, submission.parent):
        assert evaluate(predictions, labels, "--no-baselines") == 0
        assert capsys.readouterr().out.count("cutoff before target") == 2


def test_leakage_is_refused(labels: Path, submission: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained_until(submission.parent, "2022-06-01")
    assert evaluate(submission, labels, "--no-baselines") == 2
    captured = capsys.readouterr()
    assert "R1: the training cutoff 2022-06-01 is later than the date of 1 of 2 targets" in captured.err
    assert "R1" not in captured.out
    assert evaluate(submission, labels, "--no-baselines", "--allow-leakage") == 0
    printed = capsys.readouterr().out
    assert printed.count("LEAKAGE: cutoff 2022-06-01, target 2022-05-28") == 1
    # Every row is marked, the means included.
    assert printed.count("cutoff before target; LEAKAGE in 1 of 2") == 1
    assert printed.count("LEAKAGE") == 3


def test_a_template_as_late_as_its_target_is_leakage(labels: Path, submission: Path, capsys) -> None:
    trained_until(submission.parent, "2020-01-01")
    (submission.parent / "R1").mkdir(exist_ok=True)
    use = {"source": "library", "release_date": "2022-05-28"}
    (submission.parent / "R1" / "summary.json").write_text(json.dumps({"name": "R1", "templates": [use]}))
    assert evaluate(submission, labels, "--no-baselines") == 2
    assert "R1: a template of 2022-05-28 is not older than the date of 1 of 2 targets" in capsys.readouterr().err
    assert evaluate(submission, labels, "--no-baselines", "--allow-leakage") == 0
    assert "LEAKAGE: template of 2022-05-28, target 2022-05-28" in capsys.readouterr().out


def test_the_date_of_a_template_stands_beside_a_target_without_one(labels: Path, submission: Path, capsys) -> None:
    labels.with_name("validation_sequences.csv").unlink()
    trained_until(submission.parent, "2020-01-01")
    (submission.parent / "R1").mkdir()
    use = {"source": "library", "release_date": "2022-05-28"}
    (submission.parent / "R1" / "summary.json").write_text(json.dumps({"name": "R1", "templates": [use]}))
    out = submission.with_name("scores.json")
    assert evaluate(submission, labels, "--no-baselines", "--out", out) == 0
    found = {row["target"]: row["date_filter"] for row in json.loads(out.read_text())["targets"]}
    assert found == {"R1": "date unknown, template of 2022-05-28", "R2": "date unknown"}


def test_a_table_that_lies_in_a_run_is_not_of_that_run(labels: Path, submission: Path, capsys) -> None:
    trained_until(submission.parent, "2022-06-01")
    foreign = submission.with_name("otherprogram.csv")
    foreign.write_bytes(submission.read_bytes())
    (submission.parent / "R1" / "summary.json").mkdir(parents=True)
    assert evaluate(foreign, labels, "--no-baselines") == 0
    captured = capsys.readouterr()
    assert "run.json beside it belongs to another table than otherprogram.csv: not used" in captured.err
    assert "2022-06-01" not in captured.out
    assert "cutoff unknown" in captured.out


def test_cutoff_of_a_checkpoint_and_dates_of_a_table(
    labels: Path, submission: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "small.json").write_text('{"cutoff": "2020-01-01"}')
    (tmp_path / "dates.csv").write_text("id,release_date\nR2,2019-01-01\n")
    assert evaluate(submission, labels, "--no-baselines", "--ckpt", tmp_path / "small.safetensors") == 0
    capsys.readouterr()
    arguments = (
        submission,
        labels,
        "--no-baselines",
        "--ckpt",
        tmp_path / "small.json",
        "--dates",
        tmp_path / "dates.csv",
    )
    assert evaluate(*arguments) == 2
    assert "R2: the training cutoff 2020-01-01" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["{", "[]", '{"checkpoint": {"cutoff": "May"}}'])
def test_a_run_description_that_cannot_be_used(labels: Path, submission: Path, text: str) -> None:
    (submission.parent / "run.json").write_text(text)
    assert evaluate(submission, labels) == 2


def test_missing_predictions(labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "one.csv"
    write_submission(path, [rna("R2", 5, 4)])
    assert evaluate(path, labels, "--no-baselines") == 2
    assert "R1: no prediction (1 of 2 targets have none; --partial" in capsys.readouterr().err
    assert evaluate(path, labels, "--no-baselines", "--partial") == 0
    captured = capsys.readouterr()
    assert "mean of 1" in captured.out
    assert "1 of 2 targets without a prediction" in captured.err


def test_predictions_under_other_names_are_listed(labels: Path, tmp_path: Path, capsys) -> None:
    path = tmp_path / "other.csv"
    write_submission(path, [rna("R2", 5, 4), replace(rna("R2", 5, 4), name="mine")])
    assert evaluate(path, labels, "--no-baselines") == 2
    assert "R1: no prediction of this name; there are others (mine) (1 of 2 targets" in capsys.readouterr().err


def test_another_rna_under_the_same_name(labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "wrong.csv"
    write_submission(path, [replace(rna("R2", 5, 4), name="R1"), rna("R2", 5, 4)])
    assert evaluate(path, labels, "--no-baselines") == 1
    captured = capsys.readouterr()
    assert "R1: 16 residues are predicted, the reference has 12" in captured.err
    assert "mean of 1" in captured.out


def test_inputs_that_are_not_there(labels: Path, submission: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert evaluate(tmp_path / "no.csv", labels) == 2
    assert evaluate(submission, tmp_path / "no.csv") == 2
    assert evaluate(tmp_path / "empty", labels) == 2
    assert evaluate(submission, tmp_path / "empty") == 2
    assert evaluate(submission, labels, "--out", tmp_path / "x.txt") == 2
    assert evaluate(submission, labels, "--ckpt", tmp_path / "no.safetensors") == 2
    assert evaluate(submission, labels, "--split", labels) == 2


@pytest.fixture
def sampled(tmp_path: Path) -> Path:
    """A sampling run of R1 and R2, and the checkpoint that is recorded as its origin."""
    save_checkpoint(tmp_path / "tiny.safetensors", tiny_model(), TINY, {"cutoff": "2020-01-01"})
    folder = OutputFolder(tmp_path / "run", "cif")
    write_text(
        tmp_path / "run" / "run.json", json.dumps({"identity": {"format": "cif", "checkpoint_sha256": "another"}})
    )
    for name, seed in (("R1", 3), ("R2", 4)):
        folder.write_target(rna(name, 2, seed, BEADS), {})
    folder.write_submission(list(SEQUENCES.items()), 2)
    return tmp_path / "run"


def test_likelihood(labels: Path, sampled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "x.json"
    arguments = ("--no-baselines", "--likelihood", "--ckpt", tmp_path / "tiny.safetensors", "--out", out)
    assert evaluate(sampled, labels, *arguments) == 0
    printed = capsys.readouterr().out
    assert "likeliest" in printed
    assert "rank corr." in printed
    found = json.loads(out.read_text())
    for target in found["targets"]:
        ranking = target["ranking"]
        assert len(set(ranking["log_likelihoods"])) == 2
        assert 0 < ranking["most_likely"] <= target["best5"]
        assert ranking["rank_correlation"] == pytest.approx(1 if ranking["most_likely"] == target["best5"] else -1)
    for name in ("most_likely", "rank_correlation"):
        summary = found["summary"][name]
        assert summary["mean"] == pytest.approx(np.mean([target["ranking"][name] for target in found["targets"]]))
        assert summary["low"] <= summary["mean"] <= summary["high"]


def test_likelihood_in_the_table_of_targets() -> None:
    score = score_target(
        rna("R1", 3, 1), rna("R1", 1, 2), "date_filter", with_baselines=False, log_likelihoods=[1.0, 3.0, 2.0]
    )
    (row,) = csv.DictReader(Evaluation([score], {}, "", "", "").to_csv().splitlines())
    assert score.ranking is not None
    assert float(row["most_likely"]) == score.ranking.most_likely
    assert float(row["rank_correlation"]) == score.ranking.rank_correlation
    assert "log_likelihoods" not in row


def test_likelihood_is_refused_where_it_is_not_known_whose(
    labels: Path, sampled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(sampled, labels, "--likelihood") == 2
    assert "was not made by the shipped checkpoint" in capsys.readouterr().err
    checkpoint = ("--likelihood", "--ckpt", tmp_path / "tiny.safetensors")
    assert evaluate(sampled / "submission.csv", labels, *checkpoint) == 2
    assert "give the folder of the sampling run" in capsys.readouterr().err
    folder = tmp_path / "flat"
    folder.mkdir()
    for name in SEQUENCES:
        write_structure(rna(name, 1, 1), folder / f"{name}.cif")
    assert evaluate(folder, labels, *checkpoint) == 2
    assert "R1: conformer 1: residue 1 has no P" in capsys.readouterr().err


@pytest.mark.data
def test_one_helix_on_casp15(shared_data: Path) -> None:
    from rnagen.evaluation.baselines import helix
    from rnagen.evaluation.scores import c1_atoms
    from rnagen.io.labels import read_labels
    from rnagen.metrics import best_of, tm_scores

    references = read_labels(shared_data / "kaggle" / "validation_labels.csv")
    scores = [float(best_of(tm_scores(helix(len(r)), *c1_atoms(r)))) for r in references]
    assert len(scores) == 12
    assert np.mean(scores) == pytest.approx(0.134, abs=0.0015)
