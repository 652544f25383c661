from dataclasses import replace

import numpy as np
import pytest
import torch

from rnagen.evaluation.baselines import STEP, helix, random_walk
from rnagen.evaluation.scores import (
    CUTOFF_UNKNOWN,
    DATE_UNKNOWN,
    HONEST,
    LEAKAGE,
    filter_by_date,
    score_conformers,
    score_target,
    summarize,
)
from rnagen.metrics import diversity
from rnagen.structure import RNAStructure

SEQUENCE = "GGGGAAACCCCAAGGGGAAACCCC"


@pytest.fixture(autouse=True)
def _short_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """How well the stems fit is the baselines' own test."""
    monkeypatch.setattr("rnagen.evaluation.baselines._FIT_STEPS", 20)


def rna(models: int, seed: int, name: str = "target") -> RNAStructure:
    coords = random_walk(len(SEQUENCE), seed, models).numpy()[:, :, None]
    return RNAStructure(name, SEQUENCE, coords, np.ones(coords.shape[:3], dtype=bool), ("C1'",))


@pytest.mark.parametrize(
    ("cutoff", "date", "date_filter"),
    [
        ("", "2022-05-27", CUTOFF_UNKNOWN),
        ("2022-05-27", "", DATE_UNKNOWN),
        ("2022-05-27", "2022-05-27", HONEST),
        ("2022-05-27", "2022-06-01", HONEST),
        ("2022-05-28", "2022-05-27", f"{LEAKAGE}: cutoff 2022-05-28, target 2022-05-27"),
    ],
)
def test_date_gate(cutoff: str, date: str, date_filter: str) -> None:
    assert filter_by_date(cutoff, date) == date_filter


def test_best_of_five_and_of_one() -> None:
    reference, prediction = rna(2, 0), rna(5, 1)
    prediction.coords[3] = reference.coords[1] + 7
    score = score_target(prediction, reference, HONEST, with_baselines=False)
    assert score.best5 == pytest.approx(1, abs=1e-5)
    assert score.best1 < 0.5
    assert score.independent5 == pytest.approx(1, abs=1e-5)
    assert score.independent1 < 0.5
    assert score.lddt == pytest.approx(1, abs=1e-3)
    assert score.one_minus_tm > 0.3
    assert score.references == 2
    assert score.agreement is not None
    assert score.agreement.cov_r == {2.0: 0.5, 4.0: 0.5}
    assert score.baselines == {}


def test_only_the_first_five_count() -> None:
    reference, prediction = rna(1, 0), rna(6, 1)
    prediction.coords[5] = reference.coords[0]
    score = score_target(prediction, reference, HONEST, with_baselines=False)
    assert score.predictions == 6
    assert score.best5 < 0.5
    assert score.agreement is None


def test_missing_residues_of_a_prediction_lower_its_score() -> None:
    reference = rna(1, 0)
    prediction = replace(reference, mask=reference.mask.copy())
    prediction.mask[0, :6] = False
    score = score_target(prediction, reference, HONEST, with_baselines=False)
    assert score.best1 == pytest.approx(18 / 24, abs=1e-3)
    assert score.lddt == pytest.approx(0.642, abs=1e-3)


def test_residues_in_another_order_score_by_shape_alone() -> None:
    """A chain shifted by four residues: matched by number it is another structure, by shape 20 of 24 fit."""
    reference = rna(1, 0)
    prediction = replace(reference, coords=np.roll(reference.coords, 4, axis=1))
    score = score_target(prediction, reference, HONEST, with_baselines=False)
    assert score.best1 < 0.5
    assert 20 / 24 - 1e-3 <= score.independent1 < 21 / 24
    assert score.independent1 == score.independent5


def test_baselines_are_scored_on_the_target() -> None:
    reference = rna(1, 0)
    first = score_target(rna(1, 1), reference, HONEST, seed=3)
    again = score_target(rna(1, 1), reference, HONEST, seed=3)
    assert list(first.baselines) == ["helix", "random_walk", "stems", "independent_helix", "independent_stems"]
    assert all(0 < value < 1 for value in first.baselines.values())
    assert first == again


def test_every_conformer_and_its_mirror_image_is_scored() -> None:
    """A right-handed helix is what its own mirror image is not; each counts against its best reference."""
    length = len(SEQUENCE)
    right, flat = helix(length).numpy(), np.zeros((1, length, 3), dtype=np.float32)
    flat[0, :, 0] = STEP * np.arange(length)
    coords = np.concatenate([flat, right])[:, :, None]
    reference = replace(rna(2, 0), coords=coords)
    mirrored = right * np.float32([1, 1, -1])
    prediction = replace(rna(3, 0), coords=np.concatenate([mirrored, right + 5, flat])[:, :, None])
    scores = score_conformers(prediction, reference)
    left, whole, line = scores.tm
    assert whole == pytest.approx(1, abs=1e-5)
    assert left < 0.6
    assert scores.mirror == pytest.approx([whole, left, line], abs=1e-3)
    assert scores.one_minus_tm == pytest.approx(
        diversity(torch.from_numpy(prediction.coords[:, :, 0])).one_minus_tm, abs=1e-6
    )
    first = score_target(prediction, reference, HONEST, with_baselines=False)
    assert (first.best1, first.best5) == pytest.approx((left, whole), abs=1e-9)


def test_summary_has_means_and_a_paired_difference() -> None:
    scores = [score_target(rna(5, seed), rna(1, seed + 50), HONEST, seed=seed) for seed in range(3)]
    summary = summarize(scores, 0)
    assert summary["best5"].mean == pytest.approx(np.mean([score.best5 for score in scores]))
    difference = np.array([score.best5 - score.baselines["helix"] for score in scores])
    assert summary["minus_helix"].mean == pytest.approx(difference.mean())
    assert difference.min() <= summary["minus_helix"].low <= summary["minus_helix"].high <= difference.max()
    free = [score.independent5 - score.baselines["independent_helix"] for score in scores]
    assert summary["independent_minus_helix"].mean == pytest.approx(np.mean(free))


def test_scores_do_not_depend_on_the_random_state() -> None:
    torch.manual_seed(1)
    first = score_target(rna(2, 1), rna(1, 0), HONEST)
    torch.manual_seed(2)
    assert score_target(rna(2, 1), rna(1, 0), HONEST) == first
