"""An ensemble comes back from its summary and its coordinates."""

import json
from pathlib import Path

import numpy as np
import pytest

from rnagen.errors import InputError
from rnagen.sampling.ranking import describe_order
from rnagen.sampling.stored import (
    conformers_of,
    describe_ensemble,
    ensemble_of,
    read_coordinates,
    templates_of,
    write_coordinates,
)
from tests.helpers.ensembles import ensemble, template


def test_an_ensemble_comes_back() -> None:
    one = ensemble([0.5, float("nan"), 0.25], [None, template(0.5), None])
    summary = {**describe_order(one, "cif", [0.0] * 3), **describe_ensemble(one), "seconds": 1.0}
    text = json.dumps(summary, allow_nan=False)
    found = ensemble_of(one.structure, json.loads(text))
    np.testing.assert_array_equal(found.confidence.tm, one.confidence.tm)
    np.testing.assert_array_equal(found.confidence.lddt, one.confidence.lddt)
    assert (found.numbers, found.templates, found.checkpoints) == (one.numbers, one.templates, one.checkpoints)
    assert found.candidates is None
    assert json.loads(text)["confidence"]["tm"] == [0.5, None, 0.25]


def test_a_summary_of_version_0_1_0_is_understood() -> None:
    use = {"source": "library", "name": "1abc_A", "predicted_tm": 0.6}
    summary = {
        "geometry": [{}] * 3,
        "selection": {"numbers": [2, 7, 9]},
        "confidence": {"tm": [0.1, 0.2, 0.3]},
        "templates": [use],
    }
    found = conformers_of(summary, "pdb")
    assert [one["file"] for one in found] == ["conformer_1.pdb", "conformer_2.pdb", "conformer_3.pdb"]
    assert [one["sample"] for one in found] == [2, 7, 9]
    assert [one["predicted_tm"] for one in found] == [0.6, 0.2, 0.3]
    assert templates_of(summary) == [{"conformer": 1, **use}]


def test_coordinates_come_back_to_the_bit_and_damage_is_named(tmp_path: Path) -> None:
    coords = np.random.default_rng(0).normal(size=(2, 5, 4, 3)).astype(np.float32)
    write_coordinates(tmp_path / "x", coords)
    np.testing.assert_array_equal(read_coordinates(tmp_path / "x"), coords)
    assert read_coordinates(tmp_path / "none") is None
    (tmp_path / "x").write_bytes(b"half")
    with pytest.raises(InputError, match="cannot be read"):
        read_coordinates(tmp_path / "x")
