import functools
import itertools

import pytest
import torch

from rnagen.transport.flow import PREDICTIONS, Transport
from rnagen.transport.interpolants import PATHS, clamp_time, time_of_alpha
from rnagen.transport.sampler import Sampler
from rnagen.transport.solvers.diffusion import Ddim
from rnagen.transport.solvers.grids import GRIDS
from rnagen.transport.solvers.ode import SLOPES, Dopri5, Ode
from rnagen.transport.solvers.sde import DIFFUSIONS, LAST_STEPS, EulerMaruyama, SdeHeun
from tests.helpers.gaussian import SOME_TIMES, Gaussian, white_noise
from tests.helpers.mixture import TWO_MODES, Mixture

DATA = Gaussian()
SDE = {"euler-maruyama": EulerMaruyama, "sde-heun": SdeHeun}
DISCRETE = {"ddpm": functools.partial(Ddim, eta=1.0), "ddim": Ddim}
METHODS = (*SLOPES, "dopri5", *SDE, *DISCRETE)
STOCHASTIC = (*SDE, "ddpm")
CASES = [(path, method) for path in PATHS for method in METHODS if method not in DISCRETE or path == "Sqrt"]
each_path_and_method = pytest.mark.parametrize(("path", "method"), CASES)


def solver(method: str, steps: int, **options):
    """Loose tolerances for dopri5, which takes a hundred evaluations for each sample."""
    if method == "dopri5":
        return Dopri5(1e-3, 1e-3, last_step="tweedie", **options)
    if method in SLOPES:
        return Ode(steps, method=method, **options)
    return (SDE | DISCRETE)[method](steps, **options)


def sampler(path: str, method: str, steps: int, prediction: str = "noise", **options) -> Sampler:
    return Sampler(Transport(path, prediction), solver(method, steps, **options))


def noise():
    """Not of seed 0, which made the starting points."""
    generator = torch.Generator().manual_seed(1)
    return lambda shape: torch.randn(shape, generator=generator, dtype=torch.float64)


def solve(path: str, method: str, steps: int, n: int = 3, data=DATA, adjust=None, prediction="noise", **options):
    chosen = sampler(path, method, steps, prediction, **options)
    return chosen.solve(data.network(path, prediction), white_noise(n), noise(), adjust=adjust).x


def lacking(path: str, t: float):
    """Covariance of the data given x_t, which the estimate of the data at the last time t does not have."""
    c = PATHS[path](clamp_time(torch.tensor(t, dtype=torch.float64)))
    variance = DATA.variance * c.sigma**2 / (c.alpha**2 * DATA.variance + c.sigma**2)
    return (DATA.axes * variance) @ DATA.axes.T


@each_path_and_method
def test_every_sampler_recovers_a_gaussian(path, method):
    """With noise of mean 0 and covariance 1 an ordinary equation, an affine flow, needs but three samples."""
    x = solve(path, method, 25, 1000 if method in STOCHASTIC else 3)
    expected = DATA.covariance - lacking(path, 1.0 if method == "dopri5" else 1 - 1 / 25)
    # Standard errors of 1000 samples are 0.03 of the mean and 0.04 of a variance; the rest is 25 steps.
    assert torch.allclose(x.mean(0), DATA.mean, atol=0.2)
    assert torch.allclose(torch.cov(x.T), expected, atol=0.2)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_every_prediction_samples_alike(path, prediction):
    for method in ("heun", "sde-heun"):
        x = solve(path, method, 4, prediction=prediction)
        assert torch.isfinite(x).all()
        assert torch.allclose(x, solve(path, method, 4, prediction="velocity"), atol=1e-6), method


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_nothing_is_nan_in_single_precision(path, prediction):
    """A network that has learned nothing, and the fewest steps."""
    x0 = torch.randn(2, 3, 2)
    methods = [m for m in METHODS if m not in DISCRETE or (path, prediction) == ("Sqrt", "noise")]
    for method, steps in itertools.product(methods, (1, 2)):
        x = sampler(path, method, steps, prediction).solve(lambda x, t: 0.1 * x, x0, torch.randn).x
        assert x.dtype == torch.float32
        assert torch.isfinite(x).all(), (method, steps)


@each_path_and_method
def test_data_of_one_point_are_met(path, method):
    """If the data have no width, as those of one structure, noise that a sampler leaves is all error."""
    point = torch.tensor([1.5, -2.0], dtype=torch.float64)

    def network(x, t):
        c = PATHS[path](t).expand_to(x)
        return (x - c.alpha * point) / c.sigma

    for form in DIFFUSIONS if method in SDE else (None,):
        options = {} if form is None else {"diffusion": form}
        x = sampler(path, method, 10, **options).solve(network, white_noise(3), noise()).x
        assert torch.allclose(x, point.expand_as(x), atol=0.02 if method == "dopri5" else 1e-9), form


@pytest.mark.parametrize("method", ["heun", "euler-maruyama"])
def test_weights_of_two_modes_are_recovered(method):
    x = solve("Linear", method, 100, 2000, TWO_MODES, prediction="velocity")
    share = (TWO_MODES.nearest(x) == 0).double().mean().item()
    # Standard error 0.01.
    assert share == pytest.approx(0.3, abs=0.035)


def test_the_network_of_a_mixture_is_the_gradient_of_its_density():
    """Otherwise the test above would prove nothing."""
    for path, t in itertools.product(PATHS, SOME_TIMES[1:-1]):
        x, times = (3 * white_noise(20)).requires_grad_(), t.expand(20)
        density = TWO_MODES.log_density(x, PATHS[path](clamp_time(times)))
        (score,) = torch.autograd.grad(density.sum(), x)
        assert torch.allclose(TWO_MODES.network(path, "score")(x.detach(), times), score, rtol=1e-8)


@each_path_and_method
def test_trap3_the_network_and_the_adjustment_see_clamped_times_only(path, method):
    seen, adjusted = [], []
    network = DATA.network(path, "noise")

    def listening(x, t):
        assert t.shape == (len(x),)
        seen.extend(t.tolist())
        return network(x, t)

    def adjust(data, x, t):
        adjusted.extend(t.tolist())
        return data

    has_grid = method != "dopri5" and method not in DISCRETE
    for options in [{"grid": grid} for grid in GRIDS] if has_grid else [{}]:
        sampler(path, method, 4, **options).solve(listening, white_noise(2), noise(), adjust=adjust)
    assert seen == adjusted
    assert seen == clamp_time(torch.tensor(seen, dtype=torch.float64)).tolist()
    assert min(seen) == 1e-3


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_velocity_and_score_see_the_adjusted_data(path, prediction):
    """One network whose estimates are replaced by another's samples exactly as the other does."""
    other = Gaussian()
    other.mean = DATA.mean + torch.tensor([0.5, 3.0])

    def adjust(data, x, t):
        c = PATHS[path](t)
        assert torch.allclose(data, DATA.estimate(x, c).data, atol=1e-8), "the network's own estimate comes in"
        return other.estimate(x, c).data

    methods = ("heun", "sde-heun", *(DISCRETE if (path, prediction) == ("Sqrt", "noise") else ()))
    for method in methods:
        adjusted = solve(path, method, 4, adjust=adjust, prediction=prediction)
        expected = solve(path, method, 4, data=other, prediction=prediction)
        assert torch.allclose(adjusted, expected, atol=1e-6), method


@each_path_and_method
def test_adjusted_to_shifted_data_the_samples_are_shifted(path, method):
    shift = torch.tensor([0.4, -0.3], dtype=torch.float64)

    def adjust(data, x, t):
        """E[x1 + shift | x_t] is the estimate at the x_t that this was without the shift, shifted."""
        c = PATHS[path](t)
        return DATA.estimate(x - c.alpha[:, None] * shift, c).data + shift

    moved = solve(path, method, 20, 2, adjust=adjust) - solve(path, method, 20, 2)
    assert torch.allclose(moved, shift.expand_as(moved), atol=0.1)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_noise_gives_the_same_bits_and_a_projection_holds(method):
    def recentered():
        x0, network = white_noise(2), DATA.network("Sqrt", "noise")
        return sampler("Sqrt", method, 4).solve(network, x0, noise(), project=lambda x: x - x.mean(0)).x

    first, second = recentered(), recentered()
    assert torch.equal(first, second)
    assert first.mean(0).abs().max() < 1e-9


@pytest.mark.parametrize("method", METHODS)
def test_a_batch_equals_its_samples_one_by_one(method):
    chosen, network = sampler("Sqrt", method, 6), DATA.network("Sqrt", "noise")
    together = chosen.solve(network, white_noise(3), noise()).x
    for k in range(3):
        whole = noise()
        alone = chosen.solve(network, white_noise(3)[k : k + 1], lambda _, k=k, w=whole: w((3, 2))[k : k + 1]).x
        assert torch.allclose(alone, together[k : k + 1], atol=1e-9, rtol=0)


@pytest.mark.parametrize("method", [method for method in METHODS if method not in STOCHASTIC])
def test_deterministic_methods_add_no_noise(method):
    sampler("Sqrt", method, 5).solve(DATA.network("Sqrt", "noise"), white_noise(2), pytest.fail)


@pytest.mark.parametrize("method", STOCHASTIC)
def test_temperature_reaches_the_stochastic_methods(method):
    spread = [torch.cov(solve("Sqrt", method, 50, 1000, tau=tau).T).trace() for tau in (0.0, 0.3, 1.0)]
    assert spread[0] < 0.8 * spread[1] < 0.64 * spread[2]


def test_no_gradient_is_kept():
    weight = torch.ones((), requires_grad=True)
    chosen = Sampler(Transport(), Ode(3))
    assert not chosen.solve(lambda x, t: weight * x, torch.randn(2, 3), noise()).x.requires_grad


def test_only_dopri5_is_adaptive():
    assert [method for method in METHODS if sampler("Sqrt", method, 5).adaptive] == ["dopri5"]


@pytest.mark.parametrize(("path", "prediction"), list(itertools.product(PATHS, PREDICTIONS)))
def test_discrete_methods_are_for_sqrt_and_noise(path, prediction):
    for method in DISCRETE:
        if (path, prediction) == ("Sqrt", "noise"):
            sampler(path, method, 5, prediction)
            continue
        message = f"{method} is for the path Sqrt and the prediction noise, not for {path}, {prediction}"
        with pytest.raises(ValueError, match=message):
            sampler(path, method, 5, prediction)


@pytest.mark.parametrize(
    ("method", "last_step"),
    [*itertools.product(SDE, [rule for rule in LAST_STEPS if rule != "tweedie"]), ("heun", "none")],
)
def test_a_path_that_ends_in_noise_ends_with_the_estimate(method, last_step):
    with pytest.raises(ValueError, match=f"the path Sqrt ends in noise: its last step is tweedie, not '{last_step}'"):
        sampler("Sqrt", method, 5, last_step=last_step)


@pytest.mark.parametrize(("path", "method"), [case for case in CASES if case[1] not in DISCRETE])
def test_a_late_start_is_a_start_from_less_noise(path, method):
    """Data of mean 0: what is missing at the start is α·x1, of variance α² of the data's."""
    seen, start = [], time_of_alpha(PATHS[path], 0.1)
    network = Mixture([1.0], [[0.0, 0.0]], [DATA.covariance.tolist()]).network(path, "noise")

    def listening(x, t):
        seen.append(t[0].item())
        return network(x, t)

    n = 1000 if method in STOCHASTIC else 3
    x = sampler(path, method, 25, start=start).solve(listening, white_noise(n), noise()).x
    assert min(seen) == pytest.approx(start)
    assert torch.allclose(torch.cov(x.T), DATA.covariance, atol=0.2)
