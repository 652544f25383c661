"""The predicted TM-score of copies."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rnagen.templates import confidence
from rnagen.templates.confidence import FEATURES, Weights, features_of, predicted, predicted_tm, terms
from rnagen.templates.search import align_with
from tests.helpers.queries import query, query_of, random_template, synthetic_template


def test_features_by_hand() -> None:
    chain = synthetic_template(0, 40)
    match = align_with(query_of(chain), [chain])[0]
    found = dict(zip(FEATURES, features_of(match, 40)))
    assert (found["identity"], found["coverage"], found["breaks"]) == (1, 1, 0)
    assert found["log_length"] == found["log_template_length"] == pytest.approx(np.log(40))
    positions = match.positions.copy()
    positions[[10, 11, 20]] = -1
    assert dict(zip(FEATURES, features_of(replace(match, positions=positions), 40)))["breaks"] == 2 / 40


def test_terms_are_the_products() -> None:
    found = terms(np.array([[3.0, 10.0]]), np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    # The second feature is eight deviations from the mean, of which four count.
    assert found.tolist() == [[1, 2, 4, 4, 8, 16]]


def test_a_logistic_model() -> None:
    model = Weights(np.zeros(1), np.ones(1), np.array([0.0, np.log(3), 0.0]))
    np.testing.assert_allclose(predicted(np.array([[0.0], [1.0], [-1.0]]), model), [0.5, 0.75, 0.25])


def test_the_own_structure_is_expected_to_be_right() -> None:
    rng = np.random.default_rng(0)
    chain = synthetic_template(3, 80)
    wanted = query_of(chain)
    others = [random_template(rng, length, f"t{length}_A") for length in (40, 80, 120)]
    own, *rest = predicted_tm([align_with(wanted, [one])[0] for one in (chain, *others)], 80)
    assert own > 0.5
    assert max(rest) < 0.5


def test_what_is_unusual() -> None:
    chain = synthetic_template(0, 40)
    assert predicted_tm([], 40).shape == (0,)
    match = align_with(query_of(chain), [chain])[0]
    nothing = replace(match, positions=np.full(40, -1), identity=0.0, coverage=0.0)
    one = align_with(query("G"), [chain])[0]
    found = [*predicted_tm([nothing, match], 40), *predicted_tm([one], 1)]
    assert all(0 < tm < 1 for tm in found)


def test_weights_of_other_features_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "templates.json"
    path.write_text(json.dumps({"features": ["score"]}))
    monkeypatch.setattr(confidence, "WEIGHTS", path)
    confidence.shipped.cache_clear()
    with pytest.raises(ValueError, match="other features"):
        confidence.shipped()
    confidence.shipped.cache_clear()
