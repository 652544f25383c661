"""What a validation reports: closed forms, and what is undefined left out."""

from dataclasses import replace

import numpy as np
import pytest

from rnagen.metrics.statistics import expected_calibration_error, pearson, rank_correlation, reliability_slope
from rnagen.tasks.confidence.report import ReportedTarget, summarize


def target(predicted: list[float], true: list[float]) -> ReportedTarget:
    tm, true_tm = np.array(predicted, dtype=np.float32), np.array(true, dtype=np.float32)
    lddt = np.linspace(0.2, 0.8, 5, dtype=np.float32) * np.ones((len(tm), 1), dtype=np.float32)
    scored = np.arange(5) < 4
    return ReportedTarget(
        name="t",
        lddt=lddt,
        tm=tm,
        true_lddt=np.where(scored, lddt + np.float32(0.1), 0),
        scored=np.broadcast_to(scored, lddt.shape),
        true_tm=true_tm,
        consensus_lddt=1 - lddt,
        consensus_tm=-true_tm,
        length_lddt=0.5,
        length_tm=0.5,
    )


def test_summary_by_hand() -> None:
    good, bad = target([0.1, 0.2, 0.3], [0.2, 0.3, 0.5]), target([0.3, 0.2, 0.4], [0.3, 0.5, 0.1])
    found = summarize([good, bad])
    assert found["lddt_mae"] == pytest.approx(0.1, abs=1e-6)
    assert found["lddt_ece"] == pytest.approx(0.1, abs=1e-6)
    assert found["lddt_pearson"] == pytest.approx(1, abs=1e-6)
    assert found["lddt_pearson_consensus"] == pytest.approx(-1, abs=1e-6)
    assert found["tm_rank"] == pytest.approx((1 - 1) / 2)
    assert found["tm_rank_consensus"] == pytest.approx(-1)
    assert (found["tm_of_top"], found["tm_of_best"]) == pytest.approx((0.3, 0.5))
    assert found["tm_of_mean"] == pytest.approx((1 / 3 + 0.3) / 2)
    assert found["tm_mae_by_length"] == pytest.approx((0.3 + 0.2 + 0 + 0.2 + 0 + 0.4) / 6)
    assert good.row()["tm_rank"] == 1


def test_what_is_undefined_is_left_out() -> None:
    flat = target([0.4, 0.4], [0.2, 0.2])
    found = summarize([flat])
    assert not {"tm_rank", "tm_slope", "tm_pearson", "tm_rank_consensus"} & found.keys()
    assert "tm_rank" not in flat.row()
    ranked = replace(flat, tm=np.array([0.1, 0.2], dtype=np.float32), true_tm=np.array([1, 2], dtype=np.float32))
    assert summarize([flat, ranked])["tm_rank"] == pytest.approx(1)


def test_calibration_by_hand() -> None:
    predicted, true = np.array([0.11, 0.12, 0.9, 1.0]), np.array([0.21, 0.02, 0.8, 0.9])
    # The first two share a bin and are right on average; the others are 0.1 too high.
    assert expected_calibration_error(predicted, true, bins=10) == pytest.approx(0.05)
    assert expected_calibration_error(true, true) == 0


def test_slope_and_correlations() -> None:
    rng = np.random.default_rng(0)
    predicted = rng.random(500)
    assert reliability_slope(predicted, 0.5 * predicted + 0.2) == pytest.approx(0.5)
    assert pearson(predicted, 2 - predicted) == pytest.approx(-1)
    assert rank_correlation(predicted, predicted**3) == pytest.approx(1)
    noisy = predicted + rng.normal(size=500)
    assert pearson(predicted, noisy) == pytest.approx(np.corrcoef(predicted, noisy)[0, 1])
    for measure in (reliability_slope, pearson, rank_correlation):
        assert np.isnan(measure(np.ones(3), np.arange(3.0)))
