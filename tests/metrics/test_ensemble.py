import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance

from rnagen.geometry import random_rotations
from rnagen.metrics import (
    SEEDS,
    STATES_APART,
    agreement,
    bootstrap_interval,
    bootstrap_statistic,
    both_states,
    distance_wasserstein,
    diversity,
    fluctuation,
    rmsd,
    tm_matrix,
    tm_score,
)


def bent(angle: float) -> torch.Tensor:
    """Two rigid rods of ten points, a hinge between them."""
    step = torch.arange(10.0)[:, None]
    first = torch.cat([-5 * step.flip(0) - 2.5, 0 * step, torch.sin(step)], 1)
    direction = torch.tensor([[np.cos(angle), np.sin(angle), 0.0]], dtype=torch.float32)
    second = 5 * step * direction + 2.5 * direction + torch.cat([0 * step, 0 * step, torch.cos(step)], 1)
    return torch.cat([first, second])


def test_agreement_by_hand() -> None:
    straight, right, back = bent(0), bent(np.pi / 2), bent(np.pi * 0.9)
    samples, refs = torch.stack([straight, straight, right]), torch.stack([straight, back])
    masks = torch.ones(2, 20, dtype=torch.bool)
    found = agreement(samples, refs, masks)
    # Recall: the straight conformer is found, the folded one is not; precision: two of three samples are true.
    assert found.cov_r == {2.0: 0.5, 4.0: 0.5}
    assert found.cov_p[2.0] == pytest.approx(2 / 3)
    far = agreement(torch.stack([right]), torch.stack([back]), masks[:1]).amr_r
    near = agreement(torch.stack([right]), torch.stack([straight]), masks[:1]).amr_r
    assert far > 4
    assert found.amr_r == pytest.approx(far / 2, abs=1e-3)
    assert found.amr_p == pytest.approx(min(near, far) / 3, abs=1e-3)


def test_diversity_of_copies_and_of_one_is_zero() -> None:
    for samples in (bent(0.5).expand(4, -1, -1), bent(0.5)[None]):
        found = diversity(samples)
        assert found.rmsd == pytest.approx(0, abs=1e-3)
        assert found.one_minus_tm == pytest.approx(0, abs=1e-6)


def test_diversity_is_the_mean_over_pairs() -> None:
    a, b = bent(0), bent(2.0)
    pair = diversity(torch.stack([a, b]))
    three = diversity(torch.stack([a, b, a]))
    assert pair.rmsd > 1
    # Of the three pairs one is of equals.
    assert three.rmsd == pytest.approx(pair.rmsd * 2 / 3, rel=1e-3)
    assert three.one_minus_tm == pytest.approx(pair.one_minus_tm * 2 / 3, rel=1e-2)


def test_diversity_compares_where_both_are_present() -> None:
    samples = torch.stack([bent(0), bent(2.0)])
    masks = torch.ones(2, 20, dtype=torch.bool)
    masks[1, 10:] = False
    assert diversity(samples, masks).rmsd == pytest.approx(0, abs=1e-3)


def test_bootstrap_interval_of_normal_values() -> None:
    values = np.random.default_rng(0).normal(2.0, 1.0, size=400)
    low, high = bootstrap_interval(values, 1)
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)
    assert bootstrap_interval(values, 1) == (low, high)
    assert bootstrap_interval(values, 2) != (low, high)


def test_bootstrap_interval_of_one_value_and_of_none() -> None:
    assert bootstrap_interval(np.array([0.25]), 0) == (0.25, 0.25)
    with pytest.raises(ValueError, match="no value"):
        bootstrap_interval(np.zeros(0), 0)


def test_scores_among_samples_are_those_of_the_pairs() -> None:
    samples = torch.cumsum(torch.randn(4, 33, 3, generator=torch.Generator().manual_seed(2)) * 3, dim=1)
    matrix = tm_matrix(samples, seeds=SEEDS)
    assert torch.equal(matrix, matrix.mT)
    assert torch.equal(matrix.diagonal(), torch.ones(4, dtype=torch.float64))
    everything = torch.ones(33, dtype=torch.bool)
    assert float(matrix[3, 1]) == pytest.approx(float(tm_score(samples[3], samples[1], everything)), abs=1e-9)
    off_diagonal = 1 - matrix[~torch.eye(4, dtype=torch.bool)]
    assert float(off_diagonal.mean()) == pytest.approx(diversity(samples).one_minus_tm, abs=1e-9)


def test_fluctuation_is_that_of_the_moved_residues_whatever_the_pose() -> None:
    rod = bent(0.5)
    generator = torch.Generator().manual_seed(0)
    noise = 0.2 * torch.randn(4000, 20, 3, generator=generator)
    posed = (rod + noise) @ random_rotations(4000, generator)
    found = fluctuation(posed, torch.ones(20, dtype=torch.bool))
    # Three axes of 0.2 Å; the superposition takes six of the sixty degrees of freedom.
    assert float(found.square().mean()) == pytest.approx(3 * 0.04 * 54 / 60, rel=0.02)
    assert float(fluctuation(rod.expand(3, -1, -1), torch.ones(20, dtype=torch.bool)).amax()) < 1e-3


def test_wasserstein_of_distances_is_that_of_scipy() -> None:
    generator = torch.Generator().manual_seed(0)
    samples, refs = torch.randn(7, 5, 3, generator=generator), 2 * torch.randn(4, 5, 3, generator=generator)
    counted = torch.tensor([True, True, False, True, True])
    rows = [0, 1, 3, 4]
    expected = [
        wasserstein_distance((samples[:, i] - samples[:, j]).norm(dim=-1), (refs[:, i] - refs[:, j]).norm(dim=-1))
        for a, i in enumerate(rows)
        for j in rows[a + 1 :]
    ]
    assert distance_wasserstein(samples, refs, counted) == pytest.approx(np.mean(expected), rel=1e-5)


def test_both_states_need_a_sample_near_each() -> None:
    refs = torch.stack([bent(0), bent(np.pi * 0.45), bent(np.pi * 0.9)])
    masks = torch.ones(3, 20, dtype=torch.bool)
    apart, reached = both_states(refs[[0, 2]], refs, masks)
    assert apart == pytest.approx(float(rmsd(refs[0], refs[2], masks[0])), abs=1e-3)
    assert reached
    assert not both_states(refs[:2], refs, masks)[1]


def test_a_sample_between_two_near_states_reaches_one_of_them_at_most() -> None:
    refs = torch.stack([bent(0.0), bent(0.6)])
    masks = torch.ones(2, 20, dtype=torch.bool)
    middle = bent(0.3)[None]
    assert float(rmsd(middle.expand_as(refs), refs, masks).amax()) < STATES_APART
    assert not both_states(middle, refs, masks)[1]


def test_interval_of_a_mean_is_that_of_the_mean() -> None:
    values = np.random.default_rng(0).normal(2.0, 1.0, size=200)
    found = bootstrap_statistic(values.tolist(), lambda some: float(np.mean(some)), 0)
    assert found == pytest.approx(bootstrap_interval(values, 0), abs=0.03)
    assert np.isnan(bootstrap_statistic([1.0], lambda some: float("nan"), 0)).all()
