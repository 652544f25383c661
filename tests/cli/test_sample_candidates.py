"""sample.py --candidates: the selected are among those that a larger --n samples, with the confidence of a head beside
the weights."""

import json
from pathlib import Path

import gemmi
import numpy as np
import pytest

import rnagen
from rnagen.checkpoints.confidence import StructureModelId, confidence_path, save_confidence_checkpoint
from rnagen.checkpoints.structure import load_checkpoint, save_checkpoint
from rnagen.cli.sample import main
from rnagen.errors import ConfigError
from rnagen.metrics import tm_matrix
from rnagen.sampling.selection import choose
from rnagen.sampling.stored import read_coordinates
from tests.helpers.outputs import contents
from tests.helpers.scored import C1, tiny_head
from tests.helpers.tiny import TINY, tiny_model

SEQUENCE = "GGGAAACUUCGGUUUCCC"


@pytest.fixture(params=[False, True], ids=["clusters", "confidence"])
def ckpt(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    save_checkpoint(path, tiny_model(), TINY, {"cutoff": "2022-05-27"})
    if request.param:
        save_confidence_checkpoint(confidence_path(path), tiny_head(), StructureModelId.of(load_checkpoint(path)), {})
    return path


def sample(ckpt: Path, out: Path, *flags: str) -> int:
    given = [
        "--sequence",
        SEQUENCE,
        "--atoms",
        "beads",
        "--steps",
        "3",
        "--tau",
        "0.5",
        "--ckpt",
        str(ckpt),
        "--out",
        str(out),
    ]
    return main([*given, "--templates", "none", *flags])


def test_the_selected_are_among_the_candidates_with_their_numbers(ckpt: Path, tmp_path: Path) -> None:
    assert sample(ckpt, tmp_path / "all", "--n", "7") == 0
    assert sample(ckpt, tmp_path / "selected", "--n", "3", "--candidates", "7") == 0
    summary = json.loads((tmp_path / "selected" / "rna" / "summary.json").read_text())
    whole = json.loads((tmp_path / "all" / "rna" / "summary.json").read_text())
    selection, confident = summary["selection"], confidence_path(ckpt).is_file()
    assert "selection" not in whole
    assert selection["candidates"] == 7
    assert selection["by"] == ("confidence" if confident else "clusters")
    numbers = [one["sample"] for one in summary["conformers"]]
    by_number = {one["sample"]: row for row, one in enumerate(whole["conformers"])}
    assert set(by_number) == set(range(1, 8))
    rows = [by_number[number] for number in numbers]
    sampled = read_coordinates(tmp_path / "all" / "rna" / "sampled.safetensors")
    selected = read_coordinates(tmp_path / "selected" / "rna" / "sampled.safetensors")
    np.testing.assert_array_equal(selected, sampled[rows])
    assert ("confidence" in summary) == confident
    if not confident:
        return
    for name in ("tm", "lddt", "lddt_per_residue"):
        assert summary["confidence"][name] == [whole["confidence"][name][row] for row in rows]
    assert summary["confidence"]["tm"] == sorted(summary["confidence"]["tm"], reverse=True)
    assert summary["ordered_by"] == whole["ordered_by"] == "predicted TM-score"
    # B factors are per cent, in the single files as in that of all.
    expected = 100 * np.array(summary["confidence"]["lddt_per_residue"])
    for k in range(3):
        for file, model in ((f"conformer_{k + 1}.cif", 0), ("ensemble.cif", k)):
            (chain,) = gemmi.read_structure(str(tmp_path / "selected" / "rna" / file))[model]
            found = [{atom.b_iso for atom in residue} for residue in chain]
            assert all(len(values) == 1 for values in found)
            np.testing.assert_allclose([values.pop() for values in found], expected[k], atol=0.06)


def test_the_api_selects_as_the_library_does(ckpt: Path, tmp_path: Path) -> None:
    everything = rnagen.sample(SEQUENCE, 6, ckpt=ckpt, steps=3, tau=0.5, templates="none", atoms="beads")
    selected = rnagen.sample(SEQUENCE, 2, candidates=6, ckpt=ckpt, steps=3, tau=0.5, templates="none", atoms="beads")
    if not confidence_path(ckpt).is_file():
        import torch

        in_order = everything.of(np.argsort(everything.numbers).tolist())
        c1 = torch.from_numpy(in_order.coords[:, :, C1])
        chosen = choose(1 - tm_matrix(c1).numpy(), 2)
        assert selected.numbers == [in_order.numbers[row] for row in chosen]
    assert selected.candidates == 6
    rows = [everything.numbers.index(number) for number in selected.numbers]
    # The same conformers, each in a pose of its own.
    for one, other in zip(selected.coords[:, :, C1], everything.of(rows).coords[:, :, C1]):
        distances = [np.linalg.norm(c1[:, None] - c1, axis=-1) for c1 in (one, other)]
        np.testing.assert_allclose(*distances, atol=2e-2)
    with pytest.raises(ConfigError, match="3 conformers cannot be selected from 2"):
        rnagen.sample(SEQUENCE, 3, candidates=2, ckpt=ckpt)


def test_a_run_resumes_with_the_same_candidates_and_head_only(ckpt: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    assert sample(ckpt, out, "--n", "2", "--candidates", "4") == 0
    before = contents(out)
    assert sample(ckpt, out, "--n", "2", "--candidates", "4") == 0
    assert contents(out) == before
    capsys.readouterr()
    assert sample(ckpt, out, "--n", "2", "--candidates", "5") == 2
    assert "candidates: 4 there, 5 now" in capsys.readouterr().err
    head = confidence_path(ckpt)
    if head.is_file():
        head.unlink()
        assert sample(ckpt, out, "--n", "2", "--candidates", "4") == 2
        assert "the confidence model beside the weights: not the same" in capsys.readouterr().err


def test_fewer_candidates_than_n_are_refused() -> None:
    assert main(["--n", "5", "--candidates", "4"]) == 2
