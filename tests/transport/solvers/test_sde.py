import math
from itertools import pairwise

import pytest
import torch

from rnagen.transport.flow import Estimate, Problem, Transport
from rnagen.transport.interpolants import PATHS
from rnagen.transport.solvers.grids import GRIDS
from rnagen.transport.solvers.ode import Ode
from rnagen.transport.solvers.sde import DIFFUSIONS, LAST_STEPS, EulerMaruyama, SdeHeun
from tests.helpers.exact_noise import ExactNoise
from tests.helpers.gaussian import Gaussian, white_noise

DATA = Gaussian()
SOLVERS = {"euler-maruyama": EulerMaruyama, "sde-heun": SdeHeun}
each_path = pytest.mark.parametrize("path", PATHS)
each_method = pytest.mark.parametrize("method", SOLVERS)
each_form = pytest.mark.parametrize("form", DIFFUSIONS)


def noise(seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    return lambda shape: torch.randn(shape, generator=generator, dtype=torch.float64)


def solve(path: str, x0, draw_noise, steps: int, method: str = "euler-maruyama", **options):
    problem = Problem(DATA.on(path), x0, draw_noise, path=PATHS[path])
    return SOLVERS[method](steps, **options).solve(problem).x


def exact(path: str, steps: int, **options):
    """Mean and covariance that the solver gives to infinitely many samples."""
    source = ExactNoise(steps + 1)
    x = solve(path, source(source.shape), source, steps, **options)
    return x.mean(0), torch.cov(x.T)


def error(path: str, steps: int, **options) -> float:
    mean, covariance = exact(path, steps, **options)
    return max((mean - DATA.mean).abs().max().item(), (covariance - DATA.covariance).abs().max().item())


@each_method
@each_path
@each_form
def test_gaussian_data_are_recovered_at_temperature_one(method, path, form):
    for grid in GRIDS:
        if path == "Sqrt":  # Noisy up to its very end: there 16 steps are few.
            bound = 1.1 if method == "euler-maruyama" else 0.35
        else:
            bound = 0.16 if method == "euler-maruyama" or grid == "quadratic" else 0.06
        assert error(path, 16, method=method, grid=grid, diffusion=form) < bound, grid


@each_method
@pytest.mark.parametrize("path", ["Linear", "GVP", "VP"])
@each_form
def test_few_steps_are_coarse_but_sane(method, path, form):
    """Unlowered, SBDM has variances of 690 to 10⁸ after five steps, annealed of 5 to 10⁴."""
    assert error(path, 5, method=method, diffusion=form) < 0.4
    assert error(path, 10, method=method, diffusion=form) < 0.15


@each_method
@pytest.mark.parametrize("form", ["sbdm", "annealed"])
def test_gaussian_data_are_recovered_by_ordinary_noise(method, form):
    x = solve("GVP", white_noise(2000), noise(1), 30, method, diffusion=form, last_step="euler")
    # Standard errors: 0.022 of the mean, 0.032 of the variance.
    assert torch.allclose(x.mean(0), DATA.mean, atol=0.1)
    assert torch.allclose(torch.cov(x.T), DATA.covariance, atol=0.15)


@each_path
@pytest.mark.parametrize(("method", "order"), [("euler-maruyama", 1), ("sde-heun", 2)])
def test_weak_order_of_convergence(path, method, order):
    """Of mean and covariance, away from the ends, where paths are singular."""

    def moments(t):
        mean, covariance = DATA.marginal(PATHS[path](torch.tensor([t], dtype=torch.float64)))
        return mean[0], covariance[0]

    def error(steps):
        source = ExactNoise(steps + 1)
        mean, covariance = moments(0.1)
        x = mean + source(source.shape) @ torch.linalg.cholesky(covariance).T
        x = solve(path, x, source, steps, method, diffusion="sigma", last_step="none", start=0.1, end=0.7)
        mean, covariance = moments(0.7)
        return (x.mean(0) - mean).abs().max() + (torch.cov(x.T) - covariance).abs().max()

    for coarse, fine in pairwise([error(10), error(20), error(40)]):
        assert math.log2(coarse / fine) == pytest.approx(order, abs=0.25)


@each_form
@each_method
def test_without_temperature_the_mean_stays_and_the_spread_shrinks(form, method):
    spread = []
    for tau in (0.0, 0.05, 0.5, 1.0):
        mean, covariance = exact("Linear", 10, method=method, tau=tau, diffusion=form)
        assert torch.allclose(mean, DATA.mean, atol=5e-3)
        spread.append(covariance.trace())
    assert spread == sorted(spread)
    assert spread[0] < 0.6 * spread[-1]


def test_noise_is_really_renewed():
    """The ODE would carry each x0 to its own place; the SDE forgets where a sample came from."""
    x0 = white_noise(1000)
    stochastic = solve("Linear", x0, noise(1), 50)
    deterministic = Ode(50).solve(Problem(DATA.on("Linear"), x0)).x

    def correlation(x):
        return torch.corrcoef(torch.stack([x[:, 0], x0[:, 0]]))[0, 1]

    assert correlation(deterministic) > 0.8
    assert correlation(stochastic).abs() < 0.15


@each_path
@each_form
def test_trap2_every_named_diffusion_is_a_finite_number_that_is_not_negative(path, form):
    solver = EulerMaruyama(1, diffusion=form)
    values = [solver.w(PATHS[path], t) for t in (0.0, 1e-9, 0.3, 0.5, 0.98, 0.99, 1 - 1e-9, 1.0)]
    assert all(isinstance(value, float) for value in values)
    assert all(0 <= value < math.inf for value in values)


def test_the_formulas_of_the_diffusions():
    def at(form, t, path="Linear"):
        return EulerMaruyama(1, diffusion=form).w(PATHS[path], t)

    assert (at("constant", 0.3), at("sigma", 0.3), at("linear", 0.3)) == pytest.approx((1, 0.7, 0.7))
    assert at("sigma", 0.5, "GVP") == pytest.approx(math.cos(math.pi / 4))
    assert at("sbdm", 0.25) == pytest.approx(0.75 / 0.25)
    # Half of the g² = β of the variance-preserving diffusion.
    assert at("sbdm", 0.25, "VP") == pytest.approx(0.5 * (0.1 + 0.75 * 19.9))
    assert (at("decreasing", 0.0), at("decreasing", 0.5), at("decreasing", 1.0)) == pytest.approx((1, 0.25, 0))
    assert (at("increasing-decreasing", 0.0), at("increasing-decreasing", 0.5)) == pytest.approx((0, 1))
    assert (at("annealed", 0.0), at("annealed", 0.5)) == pytest.approx((100, 0.5 / 0.51))
    assert at("annealed", 0.989) > 0
    assert at("annealed", 0.99) == at("annealed", 1.0) == 0


@each_path
@each_form
@each_method
def test_trap1_a_bad_network_stays_finite_from_zero_to_one_in_float32(path, form, method):
    """SBDM with a velocity network on Linear and GVP divides by α(0) = 0 unless the time is clamped."""
    transport = Transport(path)
    problem = Problem(
        lambda x, t: transport.estimate(torch.tanh(x), x, t), torch.randn(4, 6, 3), torch.randn, path=PATHS[path]
    )
    x = SOLVERS[method](10, diffusion=form, last_step="none").solve(problem).x
    assert x.dtype == torch.float32
    assert torch.isfinite(x).all()
    assert x.abs().max() < 100


def still(x, t):
    """A velocity of 1, no score, and data of 5."""
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    return Estimate(one, zero, zero, torch.full_like(x, 5.0))


@pytest.mark.parametrize("last_step", LAST_STEPS)
@each_method
def test_trap6_steps_evaluations_and_noise_are_counted(method, last_step):
    times, shapes = [], []

    def estimate(x, t):
        times.append(t[0].item())
        return still(x, t)

    def no_noise(shape):
        shapes.append(shape)
        return torch.zeros(shape)

    problem = Problem(estimate, torch.zeros(2, 5, 3), no_noise, path=PATHS["GVP"])
    solution = SOLVERS[method](50, last_step=last_step).solve(problem)
    noisy = 50 if last_step == "none" else 49
    assert solution.evaluations == len(times) == 50 + (noisy if method == "sde-heun" else 0)
    assert shapes == [torch.Size([2, 5, 3])] * noisy
    assert min(times) == 0
    assert max(times) <= 1
    assert torch.allclose(solution.x, torch.full((2, 5, 3), 5.0 if last_step == "tweedie" else 1.0))


@each_method
@pytest.mark.parametrize("last_step", LAST_STEPS)
def test_only_the_last_interval_follows_its_rule(method, last_step):
    options = {"method": method, "diffusion": "decreasing"}
    before = solve("Linear", white_noise(4), noise(), 4, end=0.8, last_step="none", **options)
    after = solve("Linear", white_noise(4), noise(), 5, last_step=last_step, **options)
    here = DATA.on("Linear")(before, torch.full((4,), 0.8, dtype=torch.float64))
    w = EulerMaruyama(5, diffusion="decreasing").w(PATHS["Linear"], 0.8)
    assert w < 0.5 * 0.2**2 / 0.2, "it is not lowered"
    expected = {
        "mean": before + 0.2 * (here.velocity + w * here.score),
        "tweedie": here.data,
        "euler": before + 0.2 * here.velocity,
    }
    if last_step == "none":
        assert (after - expected["mean"]).abs().max() > 1e-3, "noise was added"
    else:
        assert torch.allclose(after, expected[last_step])


@pytest.mark.parametrize(("method", "start", "sigma"), [("euler-maruyama", 0.5, 0.5), ("sde-heun", 0.25, 0.45)])
def test_a_short_step_takes_the_diffusion_as_it_is(method, start, sigma):
    """One step of pure noise from x = 0 with w = 1: its variance is 2·τ·w·dt, or τ·σ² if that is less.

    σ is that of the last score taken: of the start of the step, or with two stages of its end.
    """

    def variance(dt):
        def nothing(x, t):
            return Estimate(*(torch.zeros_like(x) for _ in range(4)))

        options = {"tau": 0.5, "diffusion": "constant", "last_step": "none", "start": start, "end": start + dt}
        return SOLVERS[method](1, **options).solve(Problem(nothing, torch.zeros(1, 1), torch.ones)).x.item() ** 2

    assert variance(0.05) == pytest.approx(0.5 * 2 * 0.05)
    assert variance(0.001) == pytest.approx(0.5 * 2 * 0.001)
    assert variance(0.3) == pytest.approx(0.5 * sigma**2, rel=1e-5)


@each_method
def test_projection_after_every_step(method):
    calls = []

    def recenter(x):
        calls.append(1)
        return x - x.mean(1, keepdim=True)

    problem = Problem(
        lambda x, t: Estimate(x + 1, x, -x, x + 2), torch.randn(2, 5), torch.randn, recenter, PATHS["GVP"]
    )
    x = SOLVERS[method](9, diffusion="constant").solve(problem).x
    assert len(calls) == 9
    assert x.mean(1).abs().max() < 1e-5


@each_method
def test_the_same_noise_gives_the_same_samples_bit_for_bit(method):
    one, same, other = (solve("GVP", white_noise(5), noise(seed), 12, method, diffusion="sbdm") for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"diffusion": "sbmd"}, "unknown diffusion form 'sbmd': choose one of constant, sbdm, sigma, linear"),
        ({"last_step": "Mean"}, "unknown last step 'Mean': choose one of none, mean, tweedie, euler"),
        ({"tau": -0.1}, r"the temperature tau must be at least 0, not -0\.1"),
        ({"tau": math.nan}, "the temperature tau must be at least 0, not nan"),
        ({"start": 1.0, "end": 0.0}, r"runs from noise to data, not from 1\.0 to 0\.0"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        EulerMaruyama(5, **options)
