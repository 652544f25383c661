import pytest
import torch
from rnagen.transport.prediction import ends_from, prediction_from

from rnagen.transport import PATHS, PREDICTIONS, Ends, convert
from tests.helpers.gaussian import Gaussian

each_path = pytest.mark.parametrize("path", PATHS)
TIMES = torch.linspace(1e-3, 1 - 1e-3, 101, dtype=torch.float64)


def a_path(path: str):
    x1, x0 = torch.randn(2, len(TIMES), 5, 3, dtype=torch.float64)
    c = PATHS[path](TIMES)
    wide = c.expand_to(x1)
    return Ends(x1, x0), wide.alpha * x1 + wide.sigma * x0, c


@each_path
@pytest.mark.parametrize("source", PREDICTIONS)
@pytest.mark.parametrize("target", PREDICTIONS)
def test_conversions_round_trip(path, source, target):
    ends, x_t, c = a_path(path)
    said = prediction_from(source, ends, c)
    converted = convert(said, x_t, c, source=source, target=target)
    assert torch.allclose(converted, prediction_from(target, ends, c), rtol=1e-5, atol=1e-5)
    assert torch.allclose(convert(converted, x_t, c, source=target, target=source), said, rtol=1e-5, atol=1e-5)


@each_path
@pytest.mark.parametrize("source", PREDICTIONS)
def test_conversion_of_a_wrong_prediction_still_explains_x_t(path, source):
    """Whatever a network says, the two ends that follow from it lie on a path through x_t."""
    _, x_t, c = a_path(path)
    said = torch.randn_like(x_t)
    ends = ends_from(source, said, x_t, c)
    wide = c.expand_to(x_t)
    assert torch.allclose(wide.alpha * ends.data + wide.sigma * ends.noise, x_t, atol=1e-8)
    assert torch.allclose(prediction_from(source, ends, c), said, atol=1e-6)


def test_linear_in_the_plain_form():
    _, x_t, c = a_path("Linear")
    v, t = torch.randn_like(x_t), TIMES[:, None, None]
    ends = ends_from("velocity", v, x_t, c)
    assert torch.allclose(ends.data, x_t + (1 - t) * v)
    assert torch.allclose(ends.noise, x_t - t * v)


@each_path
def test_score_is_the_gradient_of_the_log_density(path):
    data, c = Gaussian(), PATHS[path](TIMES)
    x = torch.randn(len(TIMES), 2, dtype=torch.float64, requires_grad=True)
    mean, covariance = data.marginal(c)
    density = torch.distributions.MultivariateNormal(mean, covariance).log_prob(x)
    (expected,) = torch.autograd.grad(density.sum(), x)
    score = convert(data.network(path, "velocity")(x, TIMES), x, c, source="velocity", target="score")
    assert torch.allclose(score, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    "function", [lambda c: prediction_from("flow", Ends(X, X), c), lambda c: ends_from("x0", X, X, c)]
)
def test_unknown_kinds_are_refused_by_name(function):
    with pytest.raises(ValueError, match=r"unknown prediction '(flow|x0)': choose one of velocity, noise, score, data"):
        function(PATHS["Linear"](torch.rand(2)))


X = torch.zeros(2, 3)
