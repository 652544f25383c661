import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnagen.geometry import a_form_helix, random_rotations
from rnagen.metrics import FAST_SEEDS, best_of, tm_d0, tm_score, tm_scores
from rnagen.metrics.superpose import Motion, PointPair


def chain(length: int, seed: int = 0, n: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 4 * torch.randn(n, length, 3, generator=generator).cumsum(1)


def everywhere(length: int) -> torch.Tensor:
    return torch.ones(length, dtype=torch.bool)


@pytest.mark.parametrize(
    ("length", "d0"), [(1, 0.3), (11, 0.3), (12, 0.4), (15, 0.4), (16, 0.5), (20, 0.6), (24, 0.7), (29, 0.7)]
)
def test_d0_of_short_references(length: int, d0: float) -> None:
    assert tm_d0(length) == d0


def test_d0_of_long_references() -> None:
    assert tm_d0(30) == pytest.approx(0.6 * math.sqrt(29.5) - 2.5)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 60), st.integers(0, 1000))
def test_a_moved_copy_scores_one(length: int, seed: int) -> None:
    ref = chain(length, seed)[0]
    rotation = random_rotations(1, torch.Generator().manual_seed(seed))[0]
    moved = ref @ rotation.T + torch.tensor([100.0, -30.0, 7.0])
    assert tm_score(moved, ref, everywhere(length)) == pytest.approx(1, abs=1e-4)


@settings(max_examples=10, deadline=None)
@given(st.integers(30, 60), st.integers(0, 1000))
def test_score_does_not_depend_on_the_pose(length: int, seed: int) -> None:
    ref, pred = chain(length, seed)[0], chain(length, seed + 1)[0]
    rotation = random_rotations(1, torch.Generator().manual_seed(seed))[0]
    still = tm_score(pred, ref, everywhere(length))
    moved = tm_score(pred @ rotation.T + 50, ref, everywhere(length))
    assert 0 < still < 1
    # The search is numerical: rounding may send a seed to another of two nearly equal optima.
    assert moved == pytest.approx(float(still), abs=2e-3)


def test_no_reflection() -> None:
    ref = a_form_helix(40)
    assert tm_score(ref * torch.tensor([1.0, 1.0, -1.0]), ref, everywhere(40)) < 0.5


def test_two_rigid_halves_find_the_larger_one() -> None:
    ref = chain(80)[0]
    pred = ref.clone()
    pred[:30] = pred[:30] @ random_rotations(1, torch.Generator().manual_seed(3))[0].T + 500
    score = tm_score(pred, ref, everywhere(80))
    assert 50 / 80 <= score < 50 / 80 + 0.02


def test_lref_counts_resolved_residues_only() -> None:
    ref, pred = chain(60, 1)[0], chain(60, 2)[0]
    mask = everywhere(60)
    mask[40:] = False
    pred[40:] = 1e6
    expected = tm_score(pred[:40], ref[:40], everywhere(40))
    ref[40:] = math.nan
    assert tm_score(pred, ref, mask) == pytest.approx(float(expected), abs=1e-9)


def test_missing_predictions_score_nothing_but_count() -> None:
    ref = chain(60)
    pred_masks = torch.stack([everywhere(60), everywhere(60)])
    pred_masks[1, 45:] = False
    scores = tm_scores(ref.expand(2, -1, -1), ref, everywhere(60)[None], pred_masks)
    assert scores[:, 0].tolist() == pytest.approx([1, 45 / 60], abs=1e-6)


def test_batch_equals_one_by_one() -> None:
    preds, refs = chain(40, 1, n=3), chain(40, 2, n=2)
    masks = torch.rand(2, 40) > 0.3
    one_by_one = [[float(tm_score(p, r, m)) for r, m in zip(refs, masks)] for p in preds]
    np.testing.assert_allclose(tm_scores(preds, refs, masks).numpy(), one_by_one, atol=1e-6)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    preds, refs = chain(40, 1, n=3), chain(40, 2)
    whole = tm_scores(preds, refs, everywhere(40)[None])
    monkeypatch.setattr("rnagen.metrics.tm._CHUNK", 1)
    torch.testing.assert_close(tm_scores(preds, refs, everywhere(40)[None]), whole, atol=1e-6, rtol=0)


def test_fully_masked_reference_scores_zero() -> None:
    masks = torch.zeros(2, 10, dtype=torch.bool)
    masks[1] = True
    scores = tm_scores(chain(10), chain(10).expand(2, -1, -1), masks)
    assert scores[0].tolist() == pytest.approx([0, 1], abs=1e-6)
    assert best_of(scores) == pytest.approx(1, abs=1e-6)


def test_coordinates_must_be_finite() -> None:
    pred = chain(10)
    pred[0, 3] = math.nan
    with pytest.raises(ValueError, match="finite"):
        tm_scores(pred, chain(10), everywhere(10)[None])


def test_fewer_seeds_never_score_higher_than_the_maximum() -> None:
    pred, ref = chain(60, 1)[0], chain(60, 2)[0]
    assert tm_score(pred, ref, everywhere(60), seeds=FAST_SEEDS) <= tm_score(pred, ref, everywhere(60)) + 1e-3


def test_best_of_takes_the_first_k_and_any_reference() -> None:
    scores = torch.tensor([[0.1, 0.2], [0.5, 0.3], [0.4, 0.9]])
    assert [float(best_of(scores, k)) for k in (1, 2, None)] == pytest.approx([0.2, 0.5, 0.9])


def test_superposition_is_the_least_squares_one_and_distances_are_its() -> None:
    mobile, target = chain(12, 1, n=2).double(), chain(12, 2)[0].double()
    weights = torch.rand(2, 3, 12, dtype=torch.float64)
    pair = PointPair(mobile, target)
    motion = pair.superpose(weights)
    torch.testing.assert_close(torch.linalg.det(motion.rotation), torch.ones(2, 3, dtype=torch.float64))
    centred = mobile - mobile.mean(1, keepdim=True)
    moved = torch.einsum("nsab,nlb->nsla", motion.rotation, centred) + motion.translation[:, :, None]
    squares = (moved - (target - target.mean(0))).square().sum(-1)
    torch.testing.assert_close(pair.square_distances(motion), squares)
    best = (weights * squares).sum(-1)
    for seed in range(20):
        turn = torch.matrix_exp(0.05 * torch.tensor([[0, 1, 2], [-1, 0, 3], [-2, -3, 0.0]]).double() * (seed - 9.5))
        other = Motion(turn @ motion.rotation, motion.translation)
        assert ((weights * pair.square_distances(other)).sum(-1) >= best).all()


@pytest.mark.data
def test_against_us_align(shared_data) -> None:  # type: ignore[no-untyped-def]
    pairs = pd.read_parquet(shared_data / "tmscore_pairs.parquet")
    difference = []
    for row in pairs.itertuples():
        pred, ref = (torch.tensor(np.array(flat, dtype=float)).view(-1, 3) for flat in (row.pred, row.ref))
        difference.append(float(tm_score(pred, ref.nan_to_num(), ~ref.isnan().any(1))) - row.tm_matched)
    found = np.array(difference)
    resolved = pairs["resolved"].to_numpy()
    assert found.min() > -0.002
    # US-align leaves more on the table the smaller d0 is; from 50 nt on there is little to gain.
    assert found[resolved >= 50].max() < 0.005
    assert found[resolved >= 50].mean() < 0.001
