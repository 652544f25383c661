"""Ensembles: one trunk pass per RNA, confidence from the same context, selection by number."""

import numpy as np
import pytest
import torch

from rnagen.config.sampling import SamplerConfig, SamplingPlan
from rnagen.io.target import make_target
from rnagen.metrics import tm_matrix
from rnagen.model.trunk import Trunk
from rnagen.sampling.ensemble import Models, draw_ensemble
from rnagen.sampling.selection import choose
from rnagen.sampling.sharing import draw_shared
from rnagen.structure import BEADS

SEQUENCE = "GGGAAACUUCGGUUUCCC"


@pytest.fixture(scope="module")
def shipped() -> Models:
    return Models.load(None, None, "cpu")


@pytest.mark.parametrize("candidates", [None, 4])
def test_the_trunk_runs_once_per_rna_with_the_shipped_confidence_model(shipped, candidates, monkeypatch) -> None:
    passes = []
    forward = Trunk.forward
    monkeypatch.setattr(Trunk, "forward", lambda self, *given: passes.append(1) or forward(self, *given))
    plan = SamplingPlan(2, candidates, options=SamplerConfig(steps=2))
    ensemble = draw_shared([shipped], make_target("test", "r", SEQUENCE), plan)
    assert ensemble.confidence is not None
    assert ensemble.confidence.lddt.shape == (2, len(SEQUENCE))
    assert len(passes) == 1


def test_the_selected_are_conformers_of_the_candidates(shipped) -> None:
    target, options = make_target("test", "r", SEQUENCE), SamplerConfig(steps=2, tau=1.0)
    everything = draw_ensemble(shipped, target, SamplingPlan(6, options=options))
    selected = draw_shared([shipped], target, SamplingPlan(2, 6, options=options, atoms="beads"))
    assert len(selected) == 2
    rows = [number - 1 for number in selected.numbers]
    np.testing.assert_array_equal(selected.coords, everything.coords[rows])
    np.testing.assert_allclose(selected.confidence.tm, everything.confidence.tm[rows], atol=1e-6)
    c1 = torch.from_numpy(everything.to_numpy("C1'"))
    assert rows == choose(1 - tm_matrix(c1).numpy(), 2, everything.confidence.tm)


def test_coordinates_are_centred_and_finite(shipped) -> None:
    ensemble = draw_ensemble(
        shipped, make_target("test", "r", SEQUENCE), SamplingPlan(2, options=SamplerConfig(steps=2))
    )
    beads = torch.from_numpy(ensemble.structure.select_atoms(BEADS).coords)
    torch.testing.assert_close(beads.mean((1, 2)), torch.zeros(2, 3), atol=0.2, rtol=0)
    assert beads.isfinite().all()
