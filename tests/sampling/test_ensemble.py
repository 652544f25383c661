"""Ensembles: one trunk pass per RNA, confidence from the same context, selection by number."""

from pathlib import Path

import gemmi
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
from tests.helpers.ensembles import ensemble, template

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


def test_one_predicted_tm_score_is_shown_everywhere(tmp_path: Path) -> None:
    """The template's where there is one, not the confidence model's, in the property, in print and in the files."""
    one = ensemble([0.5, 0.3, 0.4], [template(0.81234), None, template(0.9, "fix")])
    assert one.predicted_tm is not None
    assert one.predicted_tm.tolist() == [0.8123, 0.3, 0.4]
    assert repr(one) == "Ensemble(rna: 3 conformers of 12 nt, predicted TM-score 0.30 to 0.81)"
    block = gemmi.cif.read(str(one.save(tmp_path / "x.cif"))).sole_block()
    rows = block.find("_ma_qa_metric_global.", ["metric_id", "metric_value"])
    assert [float(row[1]) for row in rows if row[0] == "3"] == [0.8123, 0.3, 0.4]
    np.testing.assert_array_equal(one.confidence.tm, [0.5, 0.3, 0.4])


def test_without_confidence_model_the_template_still_says_something() -> None:
    known = ensemble(n=2, templates=[template(0.75), None])
    np.testing.assert_array_equal(known.predicted_tm, [0.75, np.nan])
    assert repr(known) == "Ensemble(rna: 2 conformers of 12 nt, predicted TM-score 0.75 to 0.75)"
    assert ensemble(n=2).predicted_tm is None
    assert repr(ensemble(n=1)) == "Ensemble(rna: 1 conformer of 12 nt)"
