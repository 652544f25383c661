"""The base pairs of conformers in their summary."""

import json

import pytest

from rnagen.allatom import complete
from rnagen.config.sampling import SamplingPlan
from rnagen.io.target import make_target
from rnagen.sampling.ensemble import Ensemble
from rnagen.sampling.outputs import summarize
from rnagen.secondary.interactions import can_annotate
from rnagen.structure import RNAStructure
from tests.helpers.helices import double_helix


def summary(structure: RNAStructure) -> dict:
    target = make_target("test", structure.name, structure.sequence)
    numbers = list(range(1, structure.num_models + 1))
    ensemble = Ensemble(structure, numbers, None, None, evaluations=1, redrawn=0, seconds=0.0)
    return json.loads(json.dumps(summarize(ensemble, SamplingPlan(), target)))


@pytest.mark.skipif(not can_annotate(), reason="RNApolis is not installed")
def test_conformers_with_all_atoms_have_their_base_pairs() -> None:
    one, other = summary(complete(double_helix("GACUG", models=2)))["base_pairs"]
    assert one == other
    assert one["secondary_structure"] == "((((()))))"
    assert [1, 2] in one["stacking"]


def test_beads_or_a_missing_annotator_leave_them_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "base_pairs" not in summary(double_helix("GACUG"))
    monkeypatch.setattr("rnagen.sampling.outputs.can_annotate", lambda: False)
    assert "base_pairs" not in summary(complete(double_helix("GACUG")))
