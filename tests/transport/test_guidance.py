import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnagen.geometry import random_rotations, rotate, superpose
from rnagen.transport.flow import PREDICTIONS, Estimate
from rnagen.transport.guidance import guided
from rnagen.transport.interpolants import PATHS

SCALES = st.floats(0, 5)


def pair():
    return torch.randn(2, 6, 5, 3, dtype=torch.float64).unbind()


def test_scale_one_is_the_conditional_itself():
    c, u = pair()
    assert guided(c, u, 1.0) is c
    assert guided(c, u, 1.0, superpose=lambda mobile, target: mobile + torch.nan) is c


def test_scale_zero_is_the_unconditional():
    c, u = pair()
    assert torch.equal(guided(c, u, 0.0), u)


@given(SCALES)
def test_equal_predictions_need_no_guidance(scale):
    c, _ = pair()
    assert torch.equal(guided(c, c.clone(), scale), c)


@given(SCALES)
def test_past_the_conditional_by_the_excess_of_the_scale(scale):
    c, u = pair()
    assert torch.allclose(guided(c, u, scale) - c, (scale - 1) * (c - u))


@pytest.mark.parametrize("scale", [0.3, 1.5, 2.5])
def test_scores_of_two_gaussians_give_that_of_their_product(scale):
    """p_c^w · p_u^(1 − w) is the Gaussian with precision w·A⁻¹ + (1 − w)·B⁻¹, if that is positive."""
    means = torch.tensor([[1.0, -2.0], [-0.5, 0.3]], dtype=torch.float64)
    covariances = torch.tensor([[[1.0, 0.4], [0.4, 0.5]], [[4.0, -0.2], [-0.2, 5.0]]], dtype=torch.float64)
    precisions = torch.linalg.inv(covariances)
    x = 3 * torch.randn(50, 2, dtype=torch.float64)

    def score(mean, covariance):
        point = x.clone().requires_grad_()
        density = torch.distributions.MultivariateNormal(mean, covariance).log_prob(point)
        return torch.autograd.grad(density.sum(), point)[0]

    weights = torch.tensor([scale, 1 - scale], dtype=torch.float64)
    precision = (weights[:, None, None] * precisions).sum(0)
    mean = torch.linalg.solve(precision, (weights[:, None, None] * precisions @ means[..., None]).sum(0))[:, 0]
    assert (torch.linalg.eigvalsh(precision) > 0).all()
    conditional, unconditional = (score(m, c) for m, c in zip(means, covariances))
    expected = score(mean, torch.linalg.inv(precision))
    assert torch.allclose(guided(conditional, unconditional, scale), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kind", PREDICTIONS)
def test_any_kind_of_prediction_may_be_guided(path, kind):
    """Guiding the outputs and taking their data is the same as guiding the data estimates."""
    t = torch.linspace(0.05, 0.95, 6, dtype=torch.float64)
    c = PATHS[path](t)
    x_t, first, second = torch.randn(3, 6, 5, 3, dtype=torch.float64)
    wide = c.expand_to(x_t)
    outputs = [getattr(Estimate.of_ends(x1, (x_t - wide.alpha * x1) / wide.sigma, c), kind) for x1 in (first, second)]
    data = Estimate.of_prediction(kind, guided(*outputs, 2.5), x_t, c).data
    assert torch.allclose(data, guided(first, second, 2.5))


@given(SCALES)
def test_a_pose_is_no_difference_once_superposed(scale):
    c, _ = pair()
    # Rotations in single precision are orthogonal to 1e-7, and guidance multiplies the error.
    u = rotate(c, random_rotations(6, torch.Generator().manual_seed(0)).double()) + 3

    def onto(mobile, target):
        return superpose(mobile, target, torch.ones(6, 5, dtype=torch.bool))

    assert torch.allclose(guided(c, u, scale, onto), c, atol=1e-5)


def test_without_superposition_a_pose_is_amplified():
    c, _ = pair()
    u = rotate(c, random_rotations(6).double())
    assert (guided(c, u, 3.0) - c).abs().max() > 1
