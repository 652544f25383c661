import pytest
import torch

from rnagen.transport import DIFFUSIONS, PATHS, PREDICTIONS, Transport, integrate, integrate_sde
from tests.transport.gaussian import Gaussian, white_noise

DATA = Gaussian()


def drifts(path: str, prediction: str = "velocity"):
    transport, network = Transport(path, prediction), DATA.network(path, prediction)
    return lambda x, t: transport.velocity_and_score(network(x, t), x, t)


def noise(seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    return lambda shape: torch.randn(shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("diffusion", DIFFUSIONS)
def test_gaussian_data_are_recovered_at_temperature_one(path, prediction, diffusion):
    x0 = white_noise(5000)
    x = integrate_sde(drifts(path, prediction), x0, noise(), steps=150, diffusion=diffusion).x
    # Standard errors: 0.014 of the mean, 0.02 of the variance.
    assert torch.allclose(x.mean(0), DATA.mean, atol=0.045)
    assert torch.allclose(torch.cov(x.T), DATA.covariance, atol=0.07)


def test_noise_is_really_renewed():
    """The ODE would carry each x0 to its own place; the SDE forgets where a sample came from."""
    x0 = white_noise(2000)
    stochastic = integrate_sde(drifts("Linear"), x0, noise(), steps=100).x
    deterministic = integrate(lambda x, t: drifts("Linear")(x, t)[0], x0, steps=100).x

    def correlation(x):
        return torch.corrcoef(torch.stack([x[:, 0], x0[:, 0]]))[0, 1]

    assert correlation(deterministic) > 0.8
    assert correlation(stochastic).abs() < 0.1


def test_lower_temperature_is_less_diverse_about_the_same_mean():
    spread = []
    for tau in (0.0, 0.1, 0.5, 1.0):
        x = integrate_sde(drifts("Linear"), white_noise(2000), noise(), steps=100, tau=tau).x
        assert torch.allclose(x.mean(0), DATA.mean, atol=0.1)
        spread.append(torch.cov(x.T).trace())
    assert spread == sorted(spread)
    assert spread[0] < 0.1 * spread[-1]


@pytest.mark.parametrize("form", DIFFUSIONS)
def test_trap2_every_named_diffusion_is_finite_and_not_negative(form):
    times = [0.0, 1e-9, 0.3, 0.5, 0.98, 0.99, 1.0]
    values = [DIFFUSIONS[form](t) for t in times]
    assert all(0 <= w < float("inf") for w in values)


def test_annealed_diffusion():
    w = DIFFUSIONS["annealed"]
    assert w(0.0) == pytest.approx(100)
    assert w(0.5) == pytest.approx(0.5 / 0.51)
    assert w(0.989) > 0
    assert w(0.99) == w(1.0) == 0


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_trap1_defaults_are_finite_from_zero_to_one_in_float32(path, prediction):
    transport = Transport(path, prediction)

    def bad_network(x, t):
        return transport.velocity_and_score(torch.tanh(x), x, t)

    solution = integrate_sde(bad_network, torch.randn(4, 6, 3), torch.randn, steps=40)
    assert torch.isfinite(solution.x).all()


def test_trap6_steps_are_evaluations_and_the_last_draws_no_noise():
    times, draws = [], []

    def drift(x, t):
        times.append(t[0].item())
        return torch.zeros_like(x), torch.zeros_like(x)

    def draw(shape):
        draws.append(shape)
        return torch.randn(shape)

    solution = integrate_sde(drift, torch.zeros(2, 5, 3), draw, steps=50)
    assert solution.evaluations == len(times) == len(set(times)) == 50
    assert draws == [torch.Size([2, 5, 3])] * 49


def test_last_step_ends_on_the_predicted_data_of_the_linear_path():
    x0 = white_noise(10)
    seen = []
    transport, network = Transport("Linear", "data"), DATA.network("Linear", "data")

    def drift(x, t):
        seen.append(network(x, t))
        return transport.velocity_and_score(seen[-1], x, t)

    assert torch.allclose(integrate_sde(drift, x0, noise(), steps=30).x, seen[-1])


def test_projection_after_every_step():
    calls = []

    def recenter(x):
        calls.append(1)
        return x - x.mean(1, keepdim=True)

    x = integrate_sde(lambda x, t: (x + 1, -x), torch.randn(2, 5), torch.randn, steps=9, project=recenter).x
    assert len(calls) == 9
    assert x.mean(1).abs().max() < 1e-5


def test_the_same_noise_gives_the_same_samples():
    first, second, third = (integrate_sde(drifts("GVP"), white_noise(5), noise(seed), steps=20).x for seed in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, third)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"diffusion": "sbmd"}, "unknown diffusion 'sbmd': choose one of annealed"),
        ({"tau": -0.1}, "temperature tau is at least 0, not -0.1"),
        ({"tau": float("nan")}, "temperature tau is at least 0, not nan"),
        ({"steps": 0}, "at least one step, not 0"),
        ({"grid": "cosine"}, "unknown time grid 'cosine'"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        integrate_sde(lambda x, t: (x, x), torch.zeros(1, 2), torch.randn, **{"steps": 5, **arguments})
