"""`tests/transport/test_likelihood.py` holds the density against closed forms; here it meets the real model."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rnagen.config.structure import TransportConfig
from rnagen.errors import InputError
from rnagen.evaluation.likelihood import checkpoint_of, conformer_likelihoods, with_all_atoms
from rnagen.evaluation.scores import rank_by_likelihood
from rnagen.features import from_sequence
from rnagen.io.files import write_text
from rnagen.model.model import RNAFlowModel
from rnagen.sampling.denoiser import Flow
from rnagen.sampling.outputs import OutputFolder
from rnagen.structure import BEADS, RNAStructure
from rnagen.transport.flow import Transport
from tests.helpers.tiny import tiny_model

SEQUENCE = "GGGCAAAGCCC"
TRANSPORT = Transport(TransportConfig().path_type, TransportConfig().prediction)


def ensemble(models: int = 2) -> RNAStructure:
    rng = np.random.default_rng(0)
    coords = rng.normal(scale=12, size=(models, len(SEQUENCE), 4, 3)).astype(np.float32)
    return RNAStructure("hairpin", SEQUENCE, coords, np.ones(coords.shape[:3], dtype=bool), BEADS)


def score(structure: RNAStructure, seed: int = 0, rotations: int = 1, transport: Transport = TRANSPORT) -> list[float]:
    return likelihoods(tiny_model(), structure, seed, rotations, transport)


def likelihoods(
    model: RNAFlowModel, structure: RNAStructure, seed: int, rotations: int, transport: Transport = TRANSPORT
) -> list[float]:
    with torch.no_grad():
        context = model.condition(from_sequence(model.config, structure.sequence))
    return list(conformer_likelihoods(Flow(model, transport), context, structure, seed, rotations))


def test_a_conformer_does_not_depend_on_its_company_or_place() -> None:
    structure = ensemble()
    together = score(structure)
    assert len(set(together)) == 2
    shifted = replace(structure, coords=structure.coords[::-1] + np.float32(100))
    assert score(shifted) == pytest.approx(together[::-1], abs=1e-3)
    assert score(structure.models([1])) == together[1:]


def test_the_seed_decides_on_rotations_and_probes() -> None:
    structure = ensemble(1)
    assert score(structure) == score(structure)
    assert score(structure, seed=1) != score(structure)
    assert score(structure, rotations=3) != score(structure)


def test_a_model_whose_velocity_is_zero_has_the_density_of_the_noise() -> None:
    """In 3·L·A − 3 dimensions of centred coordinates, model units."""
    structure = ensemble(1)
    model = tiny_model()
    with torch.no_grad():
        for parameter in model.latent.out.parameters():
            parameter.zero_()
    for factor in (0.5, 1.0, 2.0):
        scaled = replace(structure, coords=factor * structure.coords)
        x = torch.from_numpy(scaled.coords[0]) / model.config.sigma_data
        x = x - x.mean((0, 1))
        expected = -0.5 * (x.square().sum() / (x.numel() - 3) + np.log(2 * np.pi))
        (found,) = likelihoods(model, scaled, 0, 1)
        assert found == pytest.approx(expected.item(), abs=1e-3)


@pytest.mark.parametrize(("path", "prediction"), [("VP", "noise"), ("GVP", "score"), ("Linear", "velocity")])
def test_other_paths_and_predictions_are_finite(path: str, prediction: str) -> None:
    assert np.isfinite(score(ensemble(1), transport=Transport(path, prediction))).all()


@pytest.mark.parametrize("grad", [True, False])
def test_the_model_gets_no_gradient(grad: bool) -> None:
    model = tiny_model()
    with torch.set_grad_enabled(grad):
        (found,) = likelihoods(model, ensemble(1), 0, 1)
    assert found == score(ensemble(1))[0]
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_missing_atom_is_refused_by_name() -> None:
    structure = ensemble()
    structure.mask[1, 3, 0] = False
    with pytest.raises(
        InputError, match="hairpin: conformer 2: residue 4 has no P; the likelihood needs all of P, C4'"
    ):
        score(structure)
    with pytest.raises(InputError, match="conformer 1: residue 1 has no P"):
        score(structure.select_atoms(("C1'",)))


def test_which_checkpoint_and_which_files(tmp_path: Path) -> None:
    table = tmp_path / "submission.csv"
    table.write_text("")
    with pytest.raises(InputError, match="give the folder of the sampling run"):
        checkpoint_of(table, None, "cpu")
    with pytest.raises(InputError, match="was not made by the shipped checkpoint"):
        checkpoint_of(tmp_path, None, "cpu")
    only_c1 = {"hairpin": ensemble().select_atoms(("C1'",))}
    with pytest.raises(InputError, match=r"no run\.json that tells the format"):
        with_all_atoms(only_c1, tmp_path)
    (tmp_path / "run.json").write_text("[]")
    with pytest.raises(InputError, match="must hold a JSON object"):
        with_all_atoms(only_c1, tmp_path)
    table.unlink()
    assert with_all_atoms(only_c1, tmp_path) is only_c1


def test_all_atoms_come_from_the_files_of_the_run(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path / "run", "cif")
    write_text(tmp_path / "run" / "run.json", json.dumps({"identity": {"format": "cif"}}))
    folder.write_target(ensemble(), {})
    folder.write_submission([("hairpin", SEQUENCE)], 2)
    found = with_all_atoms({"hairpin": ensemble().select_atoms(("C1'",))}, tmp_path / "run")["hairpin"]
    assert found.select_atoms(BEADS).mask.all()
    assert np.allclose(found.select_atoms(BEADS).coords, ensemble().coords, atol=1e-3)


def test_ranking_against_tm() -> None:
    reference = replace(ensemble(1).select_atoms(("C1'",)), name="reference")
    noise = np.random.default_rng(1).normal(size=(4, *reference.coords.shape[1:]))
    coords = (reference.coords + np.array([8, 0, 4, 2])[:, None, None, None] * noise).astype(np.float32)
    prediction = replace(reference, coords=coords, mask=np.ones(coords.shape[:3], dtype=bool))
    found = rank_by_likelihood(prediction, reference, [1.0, 4.0, 2.0, 3.0])
    assert found.most_likely == pytest.approx(1, abs=1e-3)
    assert found.rank_correlation == pytest.approx(1)
    worst = rank_by_likelihood(prediction, reference, [4.0, 1.0, 3.0, 2.0])
    assert worst.most_likely < 0.5
    assert worst.rank_correlation == pytest.approx(-1)
    assert rank_by_likelihood(prediction, reference, [2.0] * 4).rank_correlation is None
    assert rank_by_likelihood(prediction.models([0]), reference, [2.0]).rank_correlation is None
    with pytest.raises(ValueError, match="1 likelihoods for 4 models"):
        rank_by_likelihood(prediction, reference, [2.0])
