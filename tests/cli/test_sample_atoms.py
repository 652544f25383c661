"""Atoms of the structure files: complete nucleotides, or those that the model generates."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rnagen.allatom import complete
from rnagen.checkpoints.structure import save_checkpoint
from rnagen.chemistry import atoms_of
from rnagen.cli.sample import main
from rnagen.io.labels import read_labels
from rnagen.io.read import read_structures
from rnagen.report.page.folder import RunFolder
from rnagen.report.page.record import described, record_of
from rnagen.secondary.interactions import can_annotate
from rnagen.structure import BEADS, HEAVY_ATOMS, RNAStructure
from tests.helpers.helices import double_helix
from tests.helpers.outputs import contents
from tests.helpers.tiny import TINY, tiny_model

SEQUENCE = "GGNAAACCC"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ckpt")
    c1_alone = replace(TINY, model=replace(TINY.model, atoms=("C1'",)))
    for name, config in (("tiny", TINY), ("c1", c1_alone)):
        save_checkpoint(path / f"{name}.safetensors", tiny_model(config), config, {"cutoff": "2022-05-27"})
    return path


@pytest.fixture
def run(folder: Path, tmp_path: Path):
    """Run sample.py into tmp_path/OUT; returns the exit code."""

    def call(*flags: str, out: str = "out", ckpt: str = "tiny", n: int = 1) -> int:
        given = ["--ckpt", str(folder / f"{ckpt}.safetensors"), "--steps", "2", "--no-report", "--templates", "none"]
        return main([*given, "--sequence", SEQUENCE, "--n", str(n), "--out", str(tmp_path / out), *flags])

    return call


def test_files_have_all_atoms_and_the_table_their_c1(run, tmp_path: Path, capsys) -> None:
    assert run(n=2) == 0
    assert "rna: residues of unknown base (N) get backbone and sugar alone: 3" in capsys.readouterr().err
    out = tmp_path / "out"
    (found,) = read_structures(out / "rna" / "ensemble.cif")
    assert found.atoms == HEAVY_ATOMS
    assert found.sequence == SEQUENCE
    for i, base in enumerate(SEQUENCE):
        names = {name for name, there in zip(HEAVY_ATOMS, found.mask[1, i]) if there}
        assert names == set(atoms_of(base)) - ({"N1"} if base == "N" else set())
    (table,) = read_labels(out / "submission.csv")
    np.testing.assert_allclose(table.coords, found.select_atoms(("C1'",)).coords, atol=1e-3)
    summary = json.loads((out / "rna" / "summary.json").read_text())
    assert len(summary["all_atom"]["conformers"]) == 2
    assert [one["structures"][:11] for one in summary["all_atom"]["experiments"]] == ["experiments"] * 3
    assert json.loads((out / "run.json").read_text())["atoms"] == list(HEAVY_ATOMS)


def test_beads_are_what_the_model_generates(run, tmp_path: Path, capsys) -> None:
    assert run("--atoms", "beads", "--format", "pdb") == 0
    assert "unknown base" not in capsys.readouterr().err
    (found,) = read_structures(tmp_path / "out" / "rna" / "conformer_1.pdb")
    assert found.select_atoms(BEADS).mask.sum() == found.mask.sum() == 4 * len(SEQUENCE)
    assert "all_atom" not in json.loads((tmp_path / "out" / "rna" / "summary.json").read_text())


def test_a_model_of_too_few_atoms_is_refused_with_the_remedy(run, tmp_path: Path, capsys) -> None:
    assert run(ckpt="c1") == 2
    message = capsys.readouterr().err
    assert "this model generates C1' alone" in message
    assert "choose --atoms beads" in message
    assert not (tmp_path / "out").exists()
    assert run("--atoms", "beads", ckpt="c1") == 0


def test_a_folder_from_before_the_option_has_beads(run, tmp_path: Path, capsys) -> None:
    assert run("--atoms", "beads") == 0
    file = tmp_path / "out" / "run.json"
    described = json.loads(file.read_text())
    for later in ("atoms", "restraints", "template_use", "interactions"):
        del described["identity"][later]
    file.write_text(json.dumps(described))
    before = contents(tmp_path / "out")
    assert run(n=2) == 2
    assert "atoms: 'beads' there, 'all' now" in capsys.readouterr().err
    assert contents(tmp_path / "out") == before
    assert run("--atoms", "beads", n=2) == 0
    assert len(read_labels(tmp_path / "out" / "submission.csv")[0].coords) == 2


def test_conformers_are_added_without_a_change_to_those_there(run, tmp_path: Path) -> None:
    assert run() == 0
    before = (tmp_path / "out" / "rna" / "conformer_1.cif").read_bytes()
    assert run(n=2) == 0
    assert (tmp_path / "out" / "rna" / "conformer_1.cif").read_bytes() == before
    (found,) = read_structures(tmp_path / "out" / "rna" / "ensemble.cif")
    (first,) = read_structures(tmp_path / "out" / "rna" / "conformer_1.cif")
    np.testing.assert_array_equal(found.coords[0], first.coords[0])


@pytest.mark.skipif(not can_annotate(), reason="RNApolis is not installed")
def test_base_pairs_and_stacking_are_in_the_summary_and_on_the_page_where_they_are_asked_for(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def helix(beads: RNAStructure) -> RNAStructure:
        full = complete(double_helix("GACUG", beads.num_models))
        return replace(beads, coords=full.coords, mask=full.mask, atoms=full.atoms)

    assert run(out="without") == 0
    monkeypatch.setattr("rnagen.sampling.sharing.complete", helix)
    assert run("--sequence", "GACUG&CAGUC", "--interactions", n=2) == 0
    found = RunFolder.open(tmp_path / "out")
    record = record_of(found.read(found.finished[0]))
    one, other = record.rna.summary["interactions"]
    assert one == other
    assert (one["secondary_structure"], one["noncanonical_pairs"]) == ("(((((&)))))", [])
    assert [1, 2] in one["stacking"]
    page = described(record)
    assert (page["interactions"], page["pairs"]) == ([one, other], ["(((((&)))))"] * 2)
    assert "interactions" not in json.loads((tmp_path / "without" / "rna" / "summary.json").read_text())


def test_base_pairs_that_cannot_be_found_are_refused_before_anything_is_sampled(
    run, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("--interactions", "--atoms", "beads") == 2
    assert "interactions: are those of bases, which --atoms beads lacks" in capsys.readouterr().err
    monkeypatch.setattr("rnagen.secondary.interactions.can_annotate", lambda: False)
    assert run("--interactions") == 2
    assert "pip install 'rnagen[pairs]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
