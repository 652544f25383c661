import math

import pytest
import torch

from rnagen.transport.times import QUANTILES, draw_times

each_name = pytest.mark.parametrize("name", QUANTILES)


def distribution(name: str, t: float) -> float:
    """P(T < t)."""
    if name == "uniform":
        return t
    if name == "logit-normal":
        z = (math.log(t / (1 - t)) - 0.8) / 1.7
        return 0.98 * 0.5 * (1 + math.erf(z / math.sqrt(2))) + 0.02 * t
    return 0.98 * t**1.9 + 0.02 * t


@each_name
def test_distribution(name):
    t = draw_times(name, 20_000, 4, torch.Generator().manual_seed(0))
    assert t.shape == (20_000, 4)
    assert t.min() >= 0
    assert t.max() <= 1
    for point in (0.01, 0.1, 0.3, 0.5, 0.8, 0.95):
        assert (t < point).float().mean().item() == pytest.approx(distribution(name, point), abs=0.006)


@each_name
def test_copies_are_stratified(name):
    copies = 8
    t = draw_times(name, 5_000, copies, torch.Generator().manual_seed(0))
    # Each copy has its own eighth of the distribution, but for the uniform share.
    for k in range(1, copies):
        low, high = t[:, :k].flatten(), t[:, k:].flatten()
        edge = high.quantile(0.03)
        assert (low > edge).float().mean() < 0.03
    independent = draw_times(name, 5_000 * copies, 1, torch.Generator().manual_seed(1)).view(-1, copies)
    assert t.mean(1).var() < 0.3 * independent.mean(1).var()


@each_name
def test_the_generator_alone_decides(name):
    first = draw_times(name, 3, 4, torch.Generator().manual_seed(5))
    torch.rand(100)
    assert torch.equal(first, draw_times(name, 3, 4, torch.Generator().manual_seed(5)))
    assert not torch.equal(first, draw_times(name, 3, 4, torch.Generator().manual_seed(6)))


@each_name
def test_the_ends_of_the_distribution_are_finite(name):
    quantile = QUANTILES[name]
    if quantile is None:
        assert name == "uniform"
    else:
        assert quantile(torch.tensor([0.0, 1.0])).tolist() == [0.0, 1.0]


def test_unknown_name_is_refused():
    with pytest.raises(
        ValueError, match="unknown time distribution 'cosine': choose one of uniform, logit-normal, beta"
    ):
        draw_times("cosine", 1, 1)
