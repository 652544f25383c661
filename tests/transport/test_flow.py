import pytest
import torch

from rnagen.geometry import random_rotations, rotate, superpose
from rnagen.transport import LOSS_WEIGHTS, PATHS, PREDICTIONS, Transport

each_path = pytest.mark.parametrize("path", PATHS)
each_prediction = pytest.mark.parametrize("prediction", PREDICTIONS)
ENDS_OF_TIME = torch.tensor([0.0, 1e-6, 1 - 1e-6, 1.0])


def batch(n: int = 6, dtype: torch.dtype = torch.float64):
    x1, x0 = 2 * torch.randn(n, 5, 3, dtype=dtype) + 1, torch.randn(n, 5, 3, dtype=dtype)
    return x1, x0, torch.linspace(0.05, 0.95, n, dtype=dtype)


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
    said = transport.target(x1, x0, t)
    assert torch.allclose(transport.velocity(said, pair.x_t, t), pair.u_t)
    assert torch.allclose(transport.data(said, pair.x_t, t), x1)
    assert torch.allclose(transport.ends(said, pair.x_t, t).noise, x0)
    estimate = transport.estimate(said, pair.x_t, t)
    assert torch.equal(estimate.velocity, transport.velocity(said, pair.x_t, t))
    sigma = transport.coefficients(t).sigma[:, None, None]
    assert torch.allclose(estimate.score, -x0 / sigma)
    for one, other in zip(estimate, transport.estimate_from_data(x1, pair.x_t, t)):
        assert torch.allclose(one, other)


@each_path
@each_prediction
def test_trap1_everything_is_finite_at_both_ends_of_time(path, prediction):
    transport = Transport(path, prediction)
    x1, x0, _ = batch(4, torch.float32)
    pair = transport.interpolate(x1, x0, ENDS_OF_TIME)
    said = torch.randn_like(x1)
    results = [*pair, transport.target(x1, x0, ENDS_OF_TIME), *transport.ends(said, pair.x_t, ENDS_OF_TIME)]
    results += transport.estimate(said, pair.x_t, ENDS_OF_TIME)
    results += transport.estimate_from_data(said, pair.x_t, ENDS_OF_TIME)
    assert all(torch.isfinite(r).all() for r in results)
    # At the clamped ends Sqrt has α = 0.02 and σ = 0.18, the others hardly anything.
    assert torch.allclose(pair.x_t[0], x0[0], atol=0.05 if transport.closes else 0.2)
    assert torch.allclose(pair.x_t[3], x1[3], atol=0.05 if transport.closes else 1.0)


def test_velocity_prediction_is_not_touched():
    transport = Transport("Linear", "velocity")
    said = torch.randn(4, 5, 3)
    assert transport.velocity(said, torch.randn(4, 5, 3), ENDS_OF_TIME) is said


@each_path
@each_prediction
def test_trap5_a_fully_masked_sample_has_zero_loss_and_gradient(path, prediction):
    transport = Transport(path, prediction)
    x1, x0, t = batch(3, torch.float32)
    mask = torch.ones(3, 5, dtype=torch.bool)
    mask[1] = False
    said = torch.randn(3, 5, 3, requires_grad=True)
    loss = transport.loss(said, transport.target(x1, x0, t), mask, t)
    loss.sum().backward()
    assert loss[1] == 0
    assert (loss[[0, 2]] > 0).all()
    assert said.grad[1].abs().max() == 0
    assert torch.isfinite(said.grad).all()


def test_loss_is_the_mean_over_what_is_resolved():
    transport = Transport()
    x1, x0, t = batch(2)
    target = transport.target(x1, x0, t)
    said = torch.randn_like(target)
    mask = torch.tensor([[True, False, True, True, False], [True] * 5])
    loss = transport.loss(said, target, mask, t)
    for k in range(2):
        assert torch.allclose(loss[k], (said[k, mask[k]] - target[k, mask[k]]).square().mean())
    spoiled = torch.where(mask[..., None], target, torch.nan)
    assert torch.equal(transport.loss(said, spoiled, mask, t), loss)
    elementwise = mask[..., None].expand(said.shape)
    assert torch.equal(transport.loss(said, target, elementwise, t), loss)


def test_loss_of_bfloat16_predictions_is_float32():
    transport = Transport()
    x1, x0, t = batch(2, torch.float32)
    target = transport.target(x1, x0, t)
    said, mask = torch.randn_like(target).bfloat16(), torch.ones(2, 5, dtype=torch.bool)
    with torch.autocast("cpu", torch.bfloat16):
        loss = transport.loss(said, target, mask, t)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, transport.loss(said.float(), target, mask, t))


@each_path
@pytest.mark.parametrize("weight", LOSS_WEIGHTS)
def test_score_and_noise_networks_minimise_the_same_loss(path, weight):
    x1, x0, t = batch()
    mask = torch.ones(6, 5, dtype=torch.bool)
    noise, score = Transport(path, "noise", weight), Transport(path, "score", weight)
    said = torch.randn_like(x0)
    sigma = noise.coefficients(t).sigma[:, None, None]
    expected = noise.loss(said, noise.target(x1, x0, t), mask, t)
    assert (expected > 0).all()
    assert torch.allclose(score.loss(-said / sigma, score.target(x1, x0, t), mask, t), expected)


@each_path
@pytest.mark.parametrize("prediction", ["noise", "score"])
def test_velocity_weight_makes_it_the_velocity_loss(path, prediction):
    x1, x0, t = batch()
    mask = torch.ones(6, 5, dtype=torch.bool)
    transport, flow = Transport(path, prediction, "velocity"), Transport(path, "velocity")
    pair = flow.interpolate(x1, x0, t)
    said = torch.randn_like(x1)
    weighted = transport.loss(said, transport.target(x1, x0, t), mask, t)
    assert torch.allclose(weighted, flow.loss(transport.velocity(said, pair.x_t, t), pair.u_t, mask, t))


@each_path
def test_likelihood_weight(path):
    """g/σ² = α'/α − σ'/σ, the slope of log(α/σ)."""
    x1, x0, t = batch()
    mask = torch.ones(6, 5, dtype=torch.bool)
    plain, weighted = Transport(path, "noise"), Transport(path, "noise", "likelihood")
    later, earlier = (plain.coefficients(t + h) for h in (1e-6, -1e-6))
    slope = ((later.alpha / later.sigma).log() - (earlier.alpha / earlier.sigma).log()) / 2e-6
    said, target = torch.randn_like(x0), plain.target(x1, x0, t)
    ratio = weighted.loss(said, target, mask, t) / plain.loss(said, target, mask, t)
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

    said = (transport.target(turned, x0, t) if prediction == "velocity" else turned).requires_grad_()
    if prediction == "velocity":
        # The data that this velocity implies at x_t is not rigid: make one that implies the turned structure.
        c = transport.coefficients(t).expand_to(x1)
        said = (c.d_alpha * turned + c.d_sigma * (pair.x_t - c.alpha * turned) / c.sigma).requires_grad_()
    assert torch.allclose(transport.data(said, pair.x_t, t), turned)
    target = transport.aligned_target(said, pair, align)
    assert not target.requires_grad
    assert torch.allclose(target, transport.target(turned, x0, t), atol=1e-6)
    if prediction == "data":
        assert torch.allclose(target, said, atol=1e-6)


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
