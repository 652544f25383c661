import pytest
import torch

from rnagen.geometry import random_rotations, rotate, superpose
from rnagen.transport.flow import (
    LOSS_WEIGHTS,
    PREDICTIONS,
    Estimate,
    Problem,
    Transport,
    euler,
    euler_maruyama,
)
from rnagen.transport.interpolants import PATHS
from tests.helpers.gaussian import Gaussian

each_path = pytest.mark.parametrize("path", PATHS)
each_prediction = pytest.mark.parametrize("prediction", PREDICTIONS)
ENDS_OF_TIME = torch.tensor([0.0, 1e-6, 1 - 1e-6, 1.0])


def batch(n: int = 6, dtype: torch.dtype = torch.float64):
    x1, x0 = 2 * torch.randn(n, 5, 3, dtype=dtype) + 1, torch.randn(n, 5, 3, dtype=dtype)
    return x1, x0, torch.linspace(0.05, 0.95, n, dtype=dtype)


TIMES = torch.linspace(1e-3, 1 - 1e-3, 101, dtype=torch.float64)


def a_path(path: str):
    """An estimate along a whole path, x_t and the coefficients there."""
    x1, x0 = torch.randn(2, len(TIMES), 5, 3, dtype=torch.float64)
    c = PATHS[path](TIMES)
    wide = c.expand_to(x1)
    return Estimate.of_ends(x1, x0, c), wide.alpha * x1 + wide.sigma * x0, c


@each_path
@each_prediction
def test_every_form_of_a_prediction_gives_all_others(path, prediction):
    truth, x_t, c = a_path(path)
    found = Estimate.of_prediction(prediction, getattr(truth, prediction), x_t, c)
    for kind in PREDICTIONS:
        assert torch.allclose(getattr(found, kind), getattr(truth, kind), rtol=1e-5, atol=1e-5)
        back = Estimate.of_prediction(kind, getattr(found, kind), x_t, c)
        assert torch.allclose(getattr(back, prediction), getattr(truth, prediction), rtol=1e-5, atol=1e-5)


@each_path
@each_prediction
def test_a_wrong_prediction_still_explains_x_t(path, prediction):
    """Whatever a network outputs, the two ends that follow from it lie on a path through x_t."""
    _, x_t, c = a_path(path)
    output = torch.randn_like(x_t)
    found = Estimate.of_prediction(prediction, output, x_t, c)
    wide = c.expand_to(x_t)
    assert torch.allclose(wide.alpha * found.data + wide.sigma * found.noise, x_t, atol=1e-8)
    assert getattr(found, prediction) is output
    assert torch.allclose(getattr(Estimate.of_ends(found.data, found.noise, c), prediction), output, atol=1e-6)


def test_linear_in_the_plain_form():
    _, x_t, c = a_path("Linear")
    v, t = torch.randn_like(x_t), TIMES[:, None, None]
    found = Estimate.of_prediction("velocity", v, x_t, c)
    assert torch.allclose(found.data, x_t + (1 - t) * v)
    assert torch.allclose(found.noise, x_t - t * v)


@each_path
def test_score_is_the_gradient_of_the_log_density(path):
    data, c = Gaussian(), PATHS[path](TIMES)
    x = torch.randn(len(TIMES), 2, dtype=torch.float64, requires_grad=True)
    mean, covariance = data.marginal(c)
    density = torch.distributions.MultivariateNormal(mean, covariance).log_prob(x)
    (expected,) = torch.autograd.grad(density.sum(), x)
    found = Estimate.of_prediction("velocity", data.network(path, "velocity")(x, TIMES), x, c)
    assert torch.allclose(found.score, expected, rtol=1e-6, atol=1e-8)


def test_an_unknown_prediction_is_refused_by_name():
    x = torch.zeros(2, 3)
    with pytest.raises(ValueError, match="unknown prediction 'x0': choose one of velocity, noise, score, data"):
        Estimate.of_prediction("x0", x, x, PATHS["Linear"](torch.rand(2)))


@each_path
def test_velocity_is_the_derivative_of_the_path(path):
    transport = Transport(path)
    x1, x0, t = batch()
    later, earlier = (transport.interpolate(x1, x0, t + h).x_t for h in (1e-6, -1e-6))
    assert torch.allclose(transport.interpolate(x1, x0, t).u_t, (later - earlier) / 2e-6, rtol=1e-6, atol=1e-6)


@each_path
@each_prediction
def test_a_network_that_hits_its_target_knows_everything(path, prediction):
    transport = Transport(path, prediction)
    x1, x0, t = batch()
    pair = transport.interpolate(x1, x0, t)
    output = transport.target(x1, x0, t)
    sigma = transport.coefficients(t).sigma[:, None, None]
    estimate = transport.estimate(output, pair.x_t, t)
    for found, expected in zip(estimate, (pair.u_t, x0, -x0 / sigma, x1)):
        assert torch.allclose(found, expected)
    for one, other in zip(estimate, transport.estimate(x1, pair.x_t, t, "data")):
        assert torch.allclose(one, other)


@each_path
@each_prediction
def test_trap1_everything_is_finite_at_both_ends_of_time(path, prediction):
    transport = Transport(path, prediction)
    x1, x0, _ = batch(4, torch.float32)
    pair = transport.interpolate(x1, x0, ENDS_OF_TIME)
    output = torch.randn_like(x1)
    results = [*pair, transport.target(x1, x0, ENDS_OF_TIME), *transport.estimate(output, pair.x_t, ENDS_OF_TIME)]
    results += transport.estimate(output, pair.x_t, ENDS_OF_TIME, "data")
    assert all(torch.isfinite(r).all() for r in results)
    # At the clamped ends Sqrt has α = 0.02 and σ = 0.18, the others hardly anything.
    assert torch.allclose(pair.x_t[0], x0[0], atol=0.05 if transport.closes else 0.2)
    assert torch.allclose(pair.x_t[3], x1[3], atol=0.05 if transport.closes else 1.0)


@each_path
@each_prediction
def test_trap5_a_fully_masked_sample_has_zero_loss_and_gradient(path, prediction):
    transport = Transport(path, prediction)
    x1, x0, t = batch(3, torch.float32)
    mask = torch.ones(3, 5, dtype=torch.bool)
    mask[1] = False
    output = torch.randn(3, 5, 3, requires_grad=True)
    loss = transport.loss(output, transport.target(x1, x0, t), mask, t)
    loss.sum().backward()
    assert loss[1] == 0
    assert (loss[[0, 2]] > 0).all()
    assert output.grad[1].abs().max() == 0
    assert torch.isfinite(output.grad).all()


def test_loss_is_the_mean_over_what_is_resolved():
    transport = Transport()
    x1, x0, t = batch(2)
    target = transport.target(x1, x0, t)
    output = torch.randn_like(target)
    mask = torch.tensor([[True, False, True, True, False], [True] * 5])
    loss = transport.loss(output, target, mask, t)
    for k in range(2):
        assert torch.allclose(loss[k], (output[k, mask[k]] - target[k, mask[k]]).square().mean())
    spoiled = torch.where(mask[..., None], target, torch.nan)
    assert torch.equal(transport.loss(output, spoiled, mask, t), loss)
    elementwise = mask[..., None].expand(output.shape)
    assert torch.equal(transport.loss(output, target, elementwise, t), loss)


def test_loss_of_bfloat16_predictions_is_float32():
    transport = Transport()
    x1, x0, t = batch(2, torch.float32)
    target = transport.target(x1, x0, t)
    output, mask = torch.randn_like(target).bfloat16(), torch.ones(2, 5, dtype=torch.bool)
    with torch.autocast("cpu", torch.bfloat16):
        loss = transport.loss(output, target, mask, t)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, transport.loss(output.float(), target, mask, t))


@each_path
@pytest.mark.parametrize("weight", LOSS_WEIGHTS)
def test_score_and_noise_networks_minimise_the_same_loss(path, weight):
    x1, x0, t = batch()
    mask = torch.ones(6, 5, dtype=torch.bool)
    noise, score = Transport(path, "noise", weight), Transport(path, "score", weight)
    output = torch.randn_like(x0)
    sigma = noise.coefficients(t).sigma[:, None, None]
    expected = noise.loss(output, noise.target(x1, x0, t), mask, t)
    assert (expected > 0).all()
    assert torch.allclose(score.loss(-output / sigma, score.target(x1, x0, t), mask, t), expected)


@each_path
@pytest.mark.parametrize("prediction", ["noise", "score"])
def test_velocity_weight_makes_it_the_velocity_loss(path, prediction):
    x1, x0, t = batch()
    mask = torch.ones(6, 5, dtype=torch.bool)
    transport, flow = Transport(path, prediction, "velocity"), Transport(path, "velocity")
    pair = flow.interpolate(x1, x0, t)
    output = torch.randn_like(x1)
    weighted = transport.loss(output, transport.target(x1, x0, t), mask, t)
    assert torch.allclose(weighted, flow.loss(transport.estimate(output, pair.x_t, t).velocity, pair.u_t, mask, t))


@each_path
def test_likelihood_weight(path):
    """g/σ² = α'/α − σ'/σ, the slope of log(α/σ)."""
    x1, x0, t = batch()
    mask = torch.ones(6, 5, dtype=torch.bool)
    plain, weighted = Transport(path, "noise"), Transport(path, "noise", "likelihood")
    later, earlier = (plain.coefficients(t + h) for h in (1e-6, -1e-6))
    slope = ((later.alpha / later.sigma).log() - (earlier.alpha / earlier.sigma).log()) / 2e-6
    output, target = torch.randn_like(x0), plain.target(x1, x0, t)
    ratio = weighted.loss(output, target, mask, t) / plain.loss(output, target, mask, t)
    assert torch.allclose(ratio, slope, rtol=1e-6)


@each_path
@pytest.mark.parametrize("prediction", ["velocity", "data"])
def test_aligned_target_of_a_turned_but_right_prediction_is_that_prediction(path, prediction):
    """The network found the structure in another pose: with the plain target that is a large error, here none."""
    transport = Transport(path, prediction)
    x1, x0, t = batch()
    pair = transport.interpolate(x1, x0, t)
    turned = rotate(x1, random_rotations(6).double()) + 1

    def align(moving, onto):
        return superpose(moving, onto, torch.ones(6, 5, dtype=torch.bool))

    output = (transport.target(turned, x0, t) if prediction == "velocity" else turned).requires_grad_()
    if prediction == "velocity":
        # The data that this velocity implies at x_t is not rigid: make one that implies the turned structure.
        c = transport.coefficients(t).expand_to(x1)
        output = (c.d_alpha * turned + c.d_sigma * (pair.x_t - c.alpha * turned) / c.sigma).requires_grad_()
    assert torch.allclose(transport.estimate(output, pair.x_t, t).data, turned)
    target = transport.aligned_target(output, pair, align)
    assert not target.requires_grad
    assert torch.allclose(target, transport.target(turned, x0, t), atol=1e-6)
    if prediction == "data":
        assert torch.allclose(target, output, atol=1e-6)


@pytest.mark.parametrize("prediction", ["noise", "score"])
def test_aligned_target_of_noise_is_the_plain_target(prediction):
    transport = Transport("GVP", prediction)
    x1, x0, t = batch()
    pair = transport.interpolate(x1, x0, t)
    aligned = transport.aligned_target(torch.randn_like(x1), pair, lambda moving, onto: moving + 100)
    assert torch.equal(aligned, transport.target(x1, x0, t))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": "linear"}, "unknown path 'linear': choose one of Linear, GVP, VP"),
        ({"prediction": "x0"}, "unknown prediction 'x0': choose one of velocity, noise, score, data"),
        ({"loss_weight": "snr"}, "unknown loss weight 'snr': choose one of none, velocity, likelihood"),
        (
            {"loss_weight": "likelihood"},
            "loss weight 'likelihood' is for noise and score predictions, not for 'velocity'",
        ),
    ],
)
def test_unknown_names_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Transport(**arguments)


def drift(x, t):
    """dx/dt = t with a score of 1 and data of 5."""
    v = t[:, None].expand_as(x)
    return Estimate(v, v, torch.ones_like(x), torch.full_like(x, 5.0))


def test_euler_takes_the_velocity_at_the_start_of_each_step():
    halved = Problem(drift, torch.ones(2, 3), project=lambda x: x / 2)
    # (1 + 0.5·0)/2, then (0.5 + 0.25·0.5)/2.
    assert torch.equal(euler(halved, [0.0, 0.5, 0.75]), torch.full((2, 3), 0.3125))
    assert halved.evaluations == 2


def test_euler_maruyama_adds_score_and_noise():
    problem = Problem(drift, torch.zeros(2, 3), draw_noise=torch.ones)
    x = euler_maruyama(problem, [0.0, 0.5], lambda start, end: start + 2 * end, tau=0.5)
    # w = 1: 0.5·(0 + 1·1) + √(2·0.5·1·0.5).
    assert torch.allclose(x, torch.full((2, 3), 0.5 + 0.5**0.5))


def test_a_problem_without_noise_refuses_to_be_solved_with_noise():
    with pytest.raises(ValueError, match="has no source of noise"):
        euler_maruyama(Problem(drift, torch.zeros(2, 3)), [0.0, 0.5], lambda start, end: 1.0, tau=1.0)
