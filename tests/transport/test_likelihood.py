import math

import pytest
import torch

from rnagen.transport.flow import PREDICTIONS, Transport
from rnagen.transport.interpolants import PATHS, T_EPS
from rnagen.transport.likelihood import LogLikelihood, Subspace, flow_field, rademacher
from tests.helpers.gaussian import Gaussian

CORRELATED = Gaussian()
CLAMPED = LogLikelihood(start=T_EPS, end=1 - T_EPS)
log_likelihood = LogLikelihood(tolerance=1e-4)
each_path = pytest.mark.parametrize("path", PATHS)
each_prediction = pytest.mark.parametrize("prediction", PREDICTIONS)


class Diagonal(Gaussian):
    covariance = torch.diag(torch.tensor([1.0, 0.3], dtype=torch.float64))
    variance, axes = torch.linalg.eigh(covariance)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def everything(x):
    return torch.ones_like(x, dtype=torch.bool)


def flow(data: Gaussian, path: str, prediction: str = "velocity"):
    transport, network = Transport(path, prediction), data.network(path, prediction)
    return lambda x, t: transport.estimate(network(x, t), x, t).velocity


def marginal(data: Gaussian, path: str, t: float):
    mean, covariance = data.marginal(PATHS[path](torch.tensor([t], dtype=torch.float64)))
    return mean[0], covariance[0]


def density_from_pure_noise(data: Gaussian, path: str):
    """What the flow between the clamped times makes of N(0, I). From its own first marginal N(m0, S0) it would come to
    N(m1, S1) by x -> m1 + A(x - m0) with A = √(S1/S0), in the common axes of both."""
    (m0, s0), (m1, s1) = marginal(data, path, T_EPS), marginal(data, path, 1 - T_EPS)
    gain = (torch.diag(data.axes.T @ s1 @ data.axes) / torch.diag(data.axes.T @ s0 @ data.axes)).sqrt()
    a = data.axes @ torch.diag(gain) @ data.axes.T
    return torch.distributions.MultivariateNormal(m1 - a @ m0, a @ a.T)


def sample(density, n: int):
    return density.mean + torch.randn(n, 2, generator=seeded(3), dtype=torch.float64) @ density.scale_tril.T


@each_path
@each_prediction
def test_gaussian_density_with_one_probe(path, prediction):
    data = Diagonal()
    density = density_from_pure_noise(data, path)
    x = sample(density, 1)
    found = CLAMPED(flow(data, path, prediction), x, everything(x), seeded())
    assert torch.allclose(found, density.log_prob(x) / 2, rtol=0, atol=1e-3)


@pytest.mark.parametrize(("path", "worst"), [("Linear", 1e-2), ("GVP", 1e-2), ("VP", 0.06)])
def test_from_zero_to_one_it_is_the_density_of_the_data(path, worst):
    """VP does not begin at pure noise: there single points are further off, but the mean is not."""
    data = Diagonal()
    density = torch.distributions.MultivariateNormal(data.mean, data.covariance)
    x = sample(density, 6)
    error = log_likelihood(flow(data, path), x, everything(x), seeded()) - density.log_prob(x) / 2
    assert error.mean().abs() < 1e-2
    assert error.abs().max() < worst


@each_path
def test_correlated_gaussian_with_averaged_probes(path):
    """In two dimensions a probe has signs that agree or differ; over both alike the estimate is exact."""
    density = density_from_pure_noise(CORRELATED, path)
    x = sample(density, 1)
    velocity = flow(CORRELATED, path)

    def found(seed):
        return CLAMPED(velocity, x, everything(x), seeded(seed)).item()

    agree = next(s for s in range(50) if rademacher(2, seeded(s)).prod() == 1)
    differ = next(s for s in range(50) if rademacher(2, seeded(s)).prod() == -1)
    expected = density.log_prob(x).item() / 2
    assert abs(found(agree) - expected) > 0.1
    assert (found(agree) + found(differ)) / 2 == pytest.approx(expected, abs=1e-2)


@each_path
def test_two_mode_mixture_in_one_dimension(path):
    weights, means, scale = torch.tensor([0.3, 0.7]).double(), torch.tensor([-2.0, 1.0]).double(), 0.4
    transport = Transport(path, "data")

    def velocity(x, t):
        c = transport.coefficients(t).expand_to(x)
        variance = c.alpha.square() * scale**2 + c.sigma.square()
        off = x - c.alpha * means
        share = torch.softmax(weights.log() - 0.5 * off.square() / variance, dim=-1)
        data = (share * (means + c.alpha * scale**2 / variance * off)).sum(-1, keepdim=True)
        return transport.estimate(data, x, t).velocity

    x = torch.tensor([[-2.4], [-0.7]]).double()
    c = PATHS[path](torch.tensor([1 - T_EPS]).double())
    last = (c.alpha.square() * scale**2 + c.sigma.square()).sqrt()
    expected = torch.logsumexp(weights.log() + torch.distributions.Normal(c.alpha * means, last).log_prob(x), dim=1)
    found = CLAMPED(velocity, x, everything(x), seeded())
    assert torch.allclose(found, expected, rtol=0, atol=1e-2)


def mixing(x, t):
    """A velocity that mixes all elements that are not zero, without a closed form."""
    flat = x.flatten(1)
    return (torch.sin(flat + 0.3 * flat.sum(1, keepdim=True)) * (1 - t[:, None])).view_as(x)


def test_padding_is_counted_nowhere():
    x = torch.randn(2, 4, 3, dtype=torch.float64)
    alone = log_likelihood(mixing, x, everything(x), seeded())
    padded, mask = torch.full((2, 7, 3), torch.nan, dtype=torch.float64), torch.zeros(2, 7, 3, dtype=torch.bool)
    rows = [0, 2, 3, 5]
    padded[:, rows], mask[:, rows] = x, True
    assert torch.allclose(log_likelihood(mixing, padded, mask, seeded()), alone, atol=1e-12)
    prior_of_padding_too = log_likelihood(mixing, padded.nan_to_num(), everything(padded), seeded())
    assert (prior_of_padding_too - alone).abs().min() > 1e-3


def test_trap5_a_fully_masked_sample_is_no_nan():
    x = torch.randn(3, 4, 3)
    mask = everything(x)
    mask[1] = False
    found = log_likelihood(mixing, x, mask, seeded())
    assert found[1] == 0
    assert torch.isfinite(found).all()
    assert torch.equal(found[[0, 2]], log_likelihood(mixing, x[[0, 2]], mask[[0, 2]], seeded()))


def test_samples_do_not_depend_on_each_other():
    x = torch.randn(3, 5, dtype=torch.float64)
    x[1] *= 30
    together = LogLikelihood(tolerance=1e-2)(mixing, x, everything(x), seeded())
    assert together[0] == LogLikelihood(tolerance=1e-2)(mixing, x[:1], everything(x[:1]), seeded())[0]


def test_trap4_the_field_of_the_solver_is_a_function_of_x_and_t():
    """With new signs at each evaluation an adaptive solver would chase noise."""
    x, t = torch.randn(6), torch.tensor(0.3)
    field = flow_field(mixing, Subspace(everything(x[None])), [rademacher(6, seeded()).float()])
    first, other, again = field(x, t), field(x + 1, t), field(x, t)
    assert torch.equal(first[0], again[0])
    assert first[1] == again[1] != other[1]


def test_trap4_the_seed_alone_decides():
    x = torch.randn(2, 6)
    first, again, other = (log_likelihood(mixing, x, everything(x), seeded(s)) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("grad", [True, False])
def test_trap4_works_with_and_without_gradients_and_leaves_none(grad):
    torch.manual_seed(1)
    network = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.Tanh(), torch.nn.Linear(16, 4))
    x = torch.randn(2, 4)
    with torch.set_grad_enabled(grad):
        found = log_likelihood(lambda x, t: network(x) * t[:, None], x, everything(x), seeded())
    with torch.set_grad_enabled(not grad):
        assert torch.equal(found, log_likelihood(lambda x, t: network(x) * t[:, None], x, everything(x), seeded()))
    assert not found.requires_grad
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not x.requires_grad


def test_a_velocity_without_derivative_is_refused():
    """Its divergence would silently be 0."""
    x = torch.randn(1, 3)
    with pytest.raises(RuntimeError, match="does not require grad"):
        log_likelihood(torch.no_grad()(mixing), x, everything(x), seeded())


@pytest.mark.parametrize("probes", [1, 5])
def test_divergence_against_the_whole_jacobian(probes):
    x, t = torch.randn(6, dtype=torch.float64), torch.tensor(0.3, dtype=torch.float64)
    signs = [rademacher(6, seeded(s)).double() for s in range(probes)]
    jacobian = torch.autograd.functional.jacobian(lambda p: mixing(p[None], t[None])[0], x)
    velocity, divergence = flow_field(mixing, Subspace(everything(x[None])), signs)(x, t)
    assert torch.allclose(velocity, mixing(x[None], t[None])[0])
    expected = torch.stack([sign @ jacobian @ sign for sign in signs]).mean()
    assert divergence.item() == pytest.approx(expected.item())


def test_projection_counts_the_subspace_alone():
    """Centred noise scaled by e, in the subspace of dimension 3·4 − 3."""

    def recenter(x):
        return x - x.mean(1, keepdim=True)

    x = recenter(torch.randn(1, 4, 3, dtype=torch.float64))

    def velocity(x, t):
        # What points out of the subspace, and how it spreads there, must not matter.
        return x + 7 * x.mean(1, keepdim=True) + 5

    found = log_likelihood(velocity, x + 2, everything(x), seeded(), project=recenter, dimensions=torch.tensor([9]))
    prior = -0.5 * (x.square().sum() / math.e**2 / 9 + math.log(2 * math.pi))
    divergence = recenter(rademacher(12, seeded()).double().view(1, 4, 3)).square().sum()
    assert found.item() == pytest.approx((prior - divergence / 9).item(), abs=1e-4)
    one_atom = log_likelihood(
        velocity,
        x[:, :1],
        everything(x[:, :1]),
        seeded(),
        project=recenter,
        dimensions=torch.tensor([0]),
    )
    assert one_atom.tolist() == [0]


def test_trap3_no_time_outside_of_the_range():
    times = []

    def velocity(x, t):
        times.append(t.item())
        return mixing(x, t)

    x = torch.randn(2, 3)
    LogLikelihood(start=0.2, end=0.9)(velocity, x, everything(x), seeded())
    assert min(times) == pytest.approx(0.2)
    assert max(times) == pytest.approx(0.9)


def test_rademacher_signs():
    signs = rademacher(2000, seeded())
    assert set(signs.tolist()) == {-1, 1}
    assert signs.float().mean().abs() < 0.1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"project": lambda x: x}, "given together"),
        ({"dimensions": torch.tensor([2])}, "given together"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    x = torch.zeros(1, 3)
    with pytest.raises(ValueError, match=message):
        log_likelihood(mixing, x, everything(x), seeded(), **arguments)
    with pytest.raises(ValueError, match="the number of probes must be at least 1, not 0"):
        LogLikelihood(probes=0)
