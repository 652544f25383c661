from dataclasses import replace
from pathlib import Path

import gemmi
import numpy as np
import pytest

from rnagen.errors import ConfigError, InputError
from rnagen.io.write import write_structure
from rnagen.structure import BEADS
from rnagen.submission.rows import TargetRows
from rnagen.submission.sources import places_of, read_source
from tests.helpers.submissions import SEQUENCES, rna, run_folder, table

TARGETS = [TargetRows.of_sequence(name, sequence) for name, sequence in SEQUENCES.items()]


def read(path: Path, targets: list[TargetRows] = TARGETS):
    (place,) = places_of([path])
    return read_source(place, targets)


def test_names_of_sources(tmp_path: Path) -> None:
    run, again = run_folder(tmp_path / "one", 1), run_folder(tmp_path / "b" / "one", 2)
    single = table(tmp_path / "their=s.csv", 3)
    names = [p.name for p in places_of([run, again, f"mine={run}", single, run / "submission.csv"])]
    assert names == ["one", "one-2", "mine", "their=s", "one-3"]
    with pytest.raises(ConfigError, match="two are called x"):
        places_of([f"x={run}", f"x={again}"])
    with pytest.raises(ConfigError, match="give at least one"):
        places_of([])


def test_a_run_has_predictions(tmp_path: Path) -> None:
    found = read(run_folder(tmp_path / "run", 1, models=3, tm=0.5))
    assert found.cutoff == "2020-01-01"
    assert [one.predicted_tm for one in found.of("R1")] == pytest.approx([0.2, 0.51, 0.52])
    assert [one.template_date for one in found.of("R1")] == ["2019-01-01", "", ""]


def test_an_unfinished_run_gives_what_is_there(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run", 1)
    (run / "submission.csv").unlink()
    (run / "R1" / "summary.json").unlink()
    found = read(run)
    assert list(found.candidates) == ["R2"]


@pytest.mark.parametrize("suffix", [".cif", ".pdb", ".cif.gz"])
def test_structure_files_are_named_by_target(tmp_path: Path, suffix: str) -> None:
    one = rna("R1", 3, 1, BEADS)
    write_structure(one, tmp_path / "x" / f"r1{suffix}")
    found = read(tmp_path / "x")
    assert [candidate.number for candidate in found.of("R1")] == [1, 2, 3]
    np.testing.assert_allclose(found.of("R1")[2].xyz, one.coords[2, :, 2], atol=1e-3)


def test_a_file_of_several_chains_follows_the_rows(tmp_path: Path) -> None:
    """Chain B of the file comes first in the benchmark."""
    parts = {"A": rna("R1", 1, 1, BEADS), "B": rna("R2", 1, 2, BEADS)}
    whole = gemmi.Structure()
    whole.add_model(gemmi.Model(1))
    for name, part in parts.items():
        write_structure(part, tmp_path / f"{name}.pdb")
        chain = gemmi.read_structure(str(tmp_path / f"{name}.pdb"))[0][0].clone()
        chain.name = name
        whole[0].add_chain(chain)
    (tmp_path / "x").mkdir()
    whole.write_pdb(str(tmp_path / "x" / "T.pdb"))
    (candidate,) = read(tmp_path / "x", [TargetRows.of_sequence("T", SEQUENCES["R2"] + SEQUENCES["R1"])]).of("T")
    expected = np.concatenate([parts["B"].coords[0, :, 2], parts["A"].coords[0, :, 2]])
    np.testing.assert_allclose(candidate.xyz, expected, atol=1e-3)


def test_another_sequence_is_not_used(tmp_path: Path) -> None:
    targets = [replace(TARGETS[0], sequence="A" * 16, resnames=tuple("A" * 16)), TARGETS[1]]
    found = read(table(tmp_path / "x.csv", 1), targets)
    assert list(found.candidates) == ["R1"]
    assert found.notes == ["x: R2: another sequence (R2_1 is 'G'): not used"]
    run = read(run_folder(tmp_path / "run", 1), targets)
    assert list(run.candidates) == ["R1"]
    assert "residue 1 is G in the prediction, A in the reference" in run.notes[0]
    with pytest.raises(InputError, match="has none of the targets"):
        read(table(tmp_path / "x.csv", 1), [TargetRows.of_sequence("R7", "GGG")])


@pytest.mark.parametrize("text", ["{}", "[]", '{"sequence": "GGGGAAACCCCA", "geometry": [1], "templates": [3]}'])
def test_a_damaged_target_leaves_the_others(tmp_path: Path, text: str) -> None:
    run = run_folder(tmp_path / "run", 1)
    (run / "R1" / "summary.json").write_text(text)
    found = read(run)
    assert list(found.candidates) == ["R2"]


def test_a_conformer_file_that_cannot_be_read_is_a_note(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run", 1)
    (run / "R1" / "ensemble.cif").write_text("data_x")
    found = read(run)
    assert list(found.candidates) == ["R2"]
    assert found.notes[0].startswith("run: R1: ")
