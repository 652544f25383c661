import math

import numpy as np
import pandas as pd
import pytest
import torch

from rnagen.geometry import a_form_helix, random_rotations
from rnagen.metrics import independent_tm_scores, tm_score


def chain(length: int, seed: int = 0, n: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 4 * torch.randn(n, length, 3, generator=generator).cumsum(1)


def turned(x: torch.Tensor, seed: int = 0) -> torch.Tensor:
    return x @ random_rotations(1, torch.Generator().manual_seed(seed))[0].T + torch.tensor([30.0, -80.0, 7.0])


def score(pred: torch.Tensor, ref: torch.Tensor) -> float:
    return float(independent_tm_scores(pred[None], ref[None], torch.ones(1, len(ref), dtype=torch.bool))[0, 0])


@pytest.mark.parametrize("length", [3, 4, 11, 20, 60])
def test_a_moved_copy_scores_one(length: int) -> None:
    ref = chain(length)[0]
    assert score(turned(ref), ref) == pytest.approx(1, abs=1e-4)


def test_score_does_not_depend_on_the_pose() -> None:
    pred, ref = chain(60, 1)[0], chain(60, 2)[0]
    still = score(pred, ref)
    assert 0.05 < still < 0.6
    # The search is numerical: rounding may send it to another of two nearly equal alignments.
    assert score(turned(pred), ref) == pytest.approx(still, abs=5e-3)


def test_numbers_do_not_count() -> None:
    """A prediction whose first ten residues are others: matched by number it would be another structure."""
    ref = chain(60)[0]
    pred = turned(torch.cat([ref[:1] + chain(10, 7)[0] - 40, ref[:50]]))
    assert 50 / 60 - 1e-3 <= score(pred, ref) < 52 / 60
    assert tm_score(pred, ref, torch.ones(60, dtype=torch.bool)) < 0.5


def test_an_insertion_is_left_out() -> None:
    ref = chain(60)[0]
    pred = turned(torch.cat([ref[:30], ref[29] + 100 + chain(9, 3)[0], ref[30:]]))
    assert score(pred, ref) == pytest.approx(1, abs=0.01)
    # The other way round, the reference counts its insertion.
    assert score(ref, pred) == pytest.approx(60 / 69, abs=0.01)


def test_a_mirror_image_scores_less() -> None:
    ref = a_form_helix(40)
    assert score(ref * torch.tensor([1.0, 1.0, -1.0]), ref) < 0.5


def test_masked_residues_do_not_count() -> None:
    pred, ref = chain(50, 1)[0], chain(50, 2)[0]
    expected = score(pred[:40], ref[10:])
    mask = (torch.arange(50) >= 10)[None]
    ref[:10], pred[40:] = math.nan, math.nan
    masked = independent_tm_scores(pred[None], ref[None], mask, (torch.arange(50) < 40)[None])
    assert masked[0, 0] == pytest.approx(expected, abs=1e-6)


def test_batch_equals_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    preds, refs = chain(40, 1, n=3), chain(35, 2, n=2)
    masks = torch.ones(2, 35, dtype=torch.bool)
    masks[1, :5] = False
    one_by_one = [[score(pred, ref[mask]) for ref, mask in zip(refs, masks)] for pred in preds]
    whole = independent_tm_scores(preds, refs, masks).numpy()
    # Other batches, other rounding.
    np.testing.assert_allclose(whole, one_by_one, atol=5e-3)
    monkeypatch.setattr("rnagen.metrics.independent_tm._CELLS", 1)
    np.testing.assert_allclose(independent_tm_scores(preds, refs, masks).numpy(), one_by_one, atol=5e-3)


def test_two_residues_have_no_superposition() -> None:
    assert score(chain(2)[0], chain(2)[0]) == 0
    masks = torch.zeros(1, 5, dtype=torch.bool)
    assert independent_tm_scores(chain(5), chain(5), masks)[0, 0] == 0


def test_coordinates_must_be_finite() -> None:
    pred = chain(10)
    pred[0, 3] = math.nan
    with pytest.raises(ValueError, match="finite"):
        independent_tm_scores(pred, chain(10), torch.ones(1, 10, dtype=torch.bool))


@pytest.mark.data
def test_against_us_align(shared_data) -> None:  # type: ignore[no-untyped-def]
    """The numbers of docs/accuracy.md."""
    pairs = pd.read_parquet(shared_data / "tmscore_pairs.parquet")
    difference = []
    for row in pairs.itertuples():
        pred, ref = (torch.tensor(np.array(flat, dtype=float)).view(-1, 3) for flat in (row.pred, row.ref))
        found = independent_tm_scores(pred[None], ref[None].nan_to_num(), ~ref.isnan().any(1)[None])
        difference.append(float(found[0, 0]) - row.tm_default)
    found, resolved = np.array(difference), pairs["resolved"].to_numpy()
    assert np.abs(found).mean() < 0.006
    for longer_than, mean, most in ((20, 0.003, 0.03), (49, 0.0015, 0.01)):
        chosen = found[resolved > longer_than]
        assert np.abs(chosen).mean() < mean
        assert np.abs(chosen).max() < most
        # Hardly a bias: neither search finds much more than the other.
        assert abs(chosen.mean()) < mean / 2
