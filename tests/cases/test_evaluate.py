"""Predictions and references as people and programs leave them, through `rnagen evaluate`."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rnagen.cli.evaluate import main
from rnagen.io.files import write_text
from tests.helpers.rna_files import OTHER, SEQUENCE, mmcif, pdb, strand, without

REPEAT = "CUG" * 14
HEADER = "ID,resname,resid," + ",".join(f"{axis}_{k}" for k in range(1, 6) for axis in "xyz")


def scores(folder: Path, *flags: str, code: int = 0) -> dict[str, float]:
    """TM of the best of five by target, of folder/pred against folder/ref."""
    out = folder / "scores.json"
    arguments = [str(folder / "pred"), str(folder / "ref"), "--no-baselines", "--out", str(out), *flags]
    assert main(arguments) == code
    found: dict[str, Any] = json.loads(out.read_text())
    return {target["target"]: target["best5"] for target in found["targets"]}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        write_text(folder / name, text)


def test_every_suffix_counts(tmp_path: Path) -> None:
    whole = strand(SEQUENCE)
    write(tmp_path / "pred", {f"t{k}.pdb": pdb(whole) for k in (1, 2, 3, 4)})
    write(tmp_path / "ref", {"t1.pdb": pdb(whole), "t2.PDB": pdb(whole), "t3.pdb1": pdb(whole)})
    write(tmp_path / "ref", {"t4.mmcif": mmcif({"A": (SEQUENCE, whole)})})
    assert scores(tmp_path) == pytest.approx(dict.fromkeys(("t1", "t2", "t3", "t4"), 1.0))


def test_files_left_out_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "pred", {"t1.pdb": pdb(strand(SEQUENCE))})
    write(tmp_path / "ref", {"t1.pdb": pdb(strand(SEQUENCE)), "t2.xyz": "coordinates"})
    scores(tmp_path)
    assert "1 file left out, which is not a structure: t2.xyz" in capsys.readouterr().err


def test_residues_are_paired_by_number_where_bases_agree(tmp_path: Path) -> None:
    """39 of 42 residues of a repeat have the same number, and the same place."""
    whole = strand("CUG" * 15)
    write(tmp_path / "pred", {"cug.pdb": pdb([atom for atom in whole if atom.number <= 42])})
    write(tmp_path / "ref", {"cug.pdb": pdb([atom for atom in whole if atom.number > 3])})
    assert scores(tmp_path)["cug"] == pytest.approx(39 / 42, abs=1e-3)


def test_numbers_of_the_author_are_no_reason_to_refuse(tmp_path: Path) -> None:
    write(tmp_path / "pred", {"R1.pdb": pdb(strand(SEQUENCE))})
    write(tmp_path / "ref", {"R1.pdb": pdb(strand(SEQUENCE, start=2647))})
    assert scores(tmp_path)["R1"] == pytest.approx(1)


@pytest.mark.parametrize("start", [1, 301])
def test_unresolved_residues_of_a_reference_do_not_count(start: int, tmp_path: Path) -> None:
    write(tmp_path / "pred", {"R1.pdb": pdb(strand(SEQUENCE))})
    write(tmp_path / "ref", {"R1.pdb": pdb(without(strand(SEQUENCE, start=start), *range(start + 8, start + 12)))})
    assert scores(tmp_path)["R1"] == pytest.approx(1)


def test_a_complex_against_one_chain(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = pdb(strand(OTHER), strand(SEQUENCE, chain="B", shift=40.0))
    write(tmp_path / "pred", {"R1.pdb": both, "R2.pdb": pdb(strand(SEQUENCE)), "R3.pdb": both})
    write(tmp_path / "ref", {"R1.pdb": pdb(strand(SEQUENCE, chain="X")), "R2.pdb": both, "R3.pdb": both})
    assert scores(tmp_path) == pytest.approx(dict.fromkeys(("R1", "R2", "R3"), 1.0))


LAYOUTS = {
    "AlphaFold 3 server": [f"fold_r9001_model_{k}.cif" for k in (1, 0)],
    "AlphaFold 3": ["r9001/seed-1_sample-1/model.cif", "r9001/seed-1_sample-0/model.cif", "r9001/r9001_model.cif"],
    "AlphaFold 3 of today": [
        *(f"r9001/seed-1_sample-{k}/r9001_seed-1_sample-{k}_model.cif" for k in (1, 0)),
        "r9001/r9001_model.cif",
    ],
    "Boltz": [f"boltz_results_x/predictions/R9001/R9001_model_{k}.cif" for k in (1, 0)],
    "Protenix": [f"R9001/seed_101/predictions/R9001_sample_{k}.cif" for k in (1, 0)],
    "Protenix of before": [f"R9001/seed_101/predictions/R9001_seed_101_sample_{k}.cif" for k in (1, 0)],
    "Chai": [f"R9001/pred.model_idx_{k}.cif" for k in (1, 0)],
    "RhoFold": ["R9001/unrelaxed_model.cif", "R9001/relaxed_1000_model.cif"],
}


@pytest.mark.parametrize("files", LAYOUTS.values(), ids=LAYOUTS)
def test_folders_of_other_programs(files: list[str], tmp_path: Path) -> None:
    """The best conformer is right, the other is bent; files of confidences beside them change nothing."""
    whole = strand(SEQUENCE)
    bent = [replace(a, xyz=(a.xyz[0], a.xyz[1], -a.xyz[2])) if a.number > 12 else a for a in whole]
    for name, atoms in zip(files, (bent, whole, whole)):
        write(tmp_path / "pred", {name: mmcif({"A": (SEQUENCE, atoms)})})
        write(tmp_path / "pred", {str(Path(name).with_name("summary_confidences_0.json")): "{}"})
    write(tmp_path / "ref", {"R9001.pdb": pdb(whole)})
    out = tmp_path / "scores.json"
    assert main([str(tmp_path / "pred"), str(tmp_path / "ref"), "--no-baselines", "--out", str(out)]) == 0
    (target,) = json.loads(out.read_text())["targets"]
    assert (target["target"], target["predictions"]) == ("R9001", 2)
    assert target["best1"] == pytest.approx(1)


def row(target: str, number: int, base: str, xyz: tuple[float, ...]) -> str:
    return f"{target}_{number},{base},{number}," + ",".join(f"{value:.3f}" for value in xyz * 5)


def submission(target: str, is_zero: bool) -> list[str]:
    atoms = [atom for atom in strand(SEQUENCE) if atom.name == "C1'"]
    return [row(target, atom.number, atom.base, (0.0, 0.0, 0.0) if is_zero else atom.xyz) for atom in atoms]


def test_zeros_are_no_prediction(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "ref", {"R1.pdb": pdb(strand(SEQUENCE)), "R2.pdb": pdb(strand(SEQUENCE))})
    table = tmp_path / "sub.csv"
    table.write_text("\n".join([HEADER, *submission("R1", False), *submission("R2", True)]) + "\n")
    arguments = [str(table), str(tmp_path / "ref"), "--no-baselines"]
    assert main(arguments) == 2
    assert "R2: not predicted: all its coordinates are zero or missing (1 of 2" in capsys.readouterr().err
    assert main([*arguments, "--partial"]) == 1
    captured = capsys.readouterr()
    assert "mean of 1" in captured.out
    assert "R2: not predicted" in captured.err


def test_one_bad_row_of_a_submission_costs_its_target_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "ref", {"R1.pdb": pdb(strand(SEQUENCE)), "R2.pdb": pdb(strand(SEQUENCE))})
    damaged = submission("R2", False)
    damaged[4] = damaged[4].replace(",G,", ",-,")
    (tmp_path / "sub.csv").write_text("\n".join([HEADER, *submission("R1", False), *damaged]) + "\n")
    arguments = [str(tmp_path / "sub.csv"), str(tmp_path / "ref"), "--no-baselines", "--partial"]
    assert main(arguments) == 1
    captured = capsys.readouterr()
    assert "R1" in captured.out
    assert "R2: row R2_5: residue name '-' is not a nucleotide" in captured.err


def test_one_unreadable_file_costs_its_target_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "pred", {"R1.pdb": pdb(strand(SEQUENCE)), "R2.pdb": "ATOM\n"})
    write(tmp_path / "ref", {"R1.pdb": pdb(strand(SEQUENCE)), "R2.pdb": pdb(strand(SEQUENCE)), "R3.cif": "data_x\n"})
    assert scores(tmp_path, "--partial", code=1) == pytest.approx({"R1": 1.0})
    message = capsys.readouterr().err
    assert "R2: R2.pdb: line 1: an atom record cut short" in message
    assert "R3: R3.cif: mmCIF without coordinates" in message


@pytest.mark.parametrize("date", ["3/1/2024", "20240301"])
def test_dates_that_cannot_be_read(date: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, {"pred/R1.pdb": pdb(strand(SEQUENCE)), "ref/R1.pdb": pdb(strand(SEQUENCE))})
    write(tmp_path, {"dates.csv": f"id,release_date\nR1,{date}\n"})
    arguments = [str(tmp_path / "pred"), str(tmp_path / "ref"), "--dates", str(tmp_path / "dates.csv")]
    assert main(arguments) == 2
    assert f"dates.csv: R1: '{date}' is not a date (expected YYYY-MM-DD)" in capsys.readouterr().err


def test_one_bad_conformer_leaves_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = mmcif({"A": (SEQUENCE, strand(SEQUENCE))})
    files = {f"R1/R1_model_{k}.cif": good for k in (0, 1)}
    files |= {"R1/R1_model_2.cif": good[:900], "R1/R1_model_3.cif": mmcif({"A": (OTHER, strand(OTHER))})}
    write(tmp_path, {f"pred/{name}": text for name, text in files.items()} | {"ref/R1.pdb": pdb(strand(SEQUENCE))})
    assert scores(tmp_path, code=1) == pytest.approx({"R1": 1.0})
    assert "R1: R1_model_3.cif: other chains than R1_model_0.cif" in capsys.readouterr().err


def test_an_unusable_prediction_is_not_called_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, {"pred/fold_r1_a_model_0.cif": "data_x\n", "ref/R1_A.pdb": pdb(strand(SEQUENCE))})
    assert main([str(tmp_path / "pred"), str(tmp_path / "ref"), "--no-baselines"]) == 2
    assert "R1_A: fold_r1_a_model_0.cif: mmCIF without coordinates" in capsys.readouterr().err


def test_a_name_that_is_taken_is_not_given_to_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, {"pred/R1107.pdb": pdb(strand(SEQUENCE))})
    write(tmp_path, {"ref/R1107.pdb": pdb(strand(SEQUENCE)), "ref/r-1107.pdb": pdb(strand(OTHER))})
    assert main([str(tmp_path / "pred"), str(tmp_path / "ref"), "--no-baselines"]) == 2
    assert "r-1107: no prediction (1 of 2 targets have none" in capsys.readouterr().err


def test_residues_that_are_not_predicted_score_nothing(tmp_path: Path) -> None:
    half = [atom for atom in strand(SEQUENCE) if atom.number <= 12]
    write(tmp_path, {"pred/R1.pdb": pdb(half), "ref/R1.pdb": pdb(strand(SEQUENCE))})
    assert scores(tmp_path)["R1"] == pytest.approx(0.5, abs=1e-3)
    (target,) = json.loads((tmp_path / "scores.json").read_text())["targets"]
    assert target["lddt"] < 0.5
