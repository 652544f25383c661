import math
from itertools import pairwise

import pytest
import torch
from rnagen.transport.solvers.churn import Churn

from rnagen.transport import DIFFUSIONS, PATHS, PREDICTIONS, Transport, integrate, integrate_sde
from rnagen.transport.solvers.grids import GRIDS
from rnagen.transport.solvers.sde import LAST_STEPS, SDE_METHODS, Estimate, diffusion_coefficient
from tests.helpers.exact_noise import ExactNoise
from tests.helpers.gaussian import Gaussian, white_noise

DATA = Gaussian()
each_path = pytest.mark.parametrize("path", PATHS)
each_method = pytest.mark.parametrize("method", SDE_METHODS)
each_form = pytest.mark.parametrize("form", DIFFUSIONS)


def estimator(path: str, prediction: str = "velocity", network=None):
    transport, network = Transport(path, prediction), network or DATA.network(path, prediction)

    def estimate(x, t):
        said = network(x, t)
        return Estimate(*(convert(said, x, t) for convert in (transport.velocity, transport.score, transport.data)))

    return estimate


def noise(seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    return lambda shape: torch.randn(shape, generator=generator, dtype=torch.float64)


def solve(path: str, form: str, x0, draw_noise, prediction: str = "velocity", **options):
    diffusion = diffusion_coefficient(form, PATHS[path])
    return integrate_sde(
        estimator(path, prediction), x0, draw_noise, path=PATHS[path], diffusion=diffusion, **options
    ).x


def exact(path: str, form: str, steps: int, **options):
    """Mean and covariance that the solver gives to infinitely many samples."""
    plans = ExactNoise(steps + 1)
    x = solve(path, form, plans(plans.shape), plans, steps=steps, **options)
    return x.mean(0), torch.cov(x.T)


def error(path: str, form: str, steps: int, **options) -> float:
    mean, covariance = exact(path, form, steps, **options)
    return max((mean - DATA.mean).abs().max().item(), (covariance - DATA.covariance).abs().max().item())


@each_method
@each_path
@each_form
@pytest.mark.parametrize("grid", GRIDS)
def test_gaussian_data_are_recovered_at_temperature_one(method, path, form, grid):
    if path == "Sqrt":  # Noisy up to its very end: there 16 steps are few.
        bound = 1.1 if method == "euler-maruyama" else 0.35
    else:
        bound = 0.16 if method == "euler-maruyama" or grid == "quadratic" else 0.06
    assert error(path, form, 16, method=method, grid=grid) < bound


@each_method
@pytest.mark.parametrize("path", ["Linear", "GVP", "VP"])
@each_form
def test_few_steps_are_coarse_but_sane(method, path, form):
    """Unlowered, SBDM has variances of 690 to 10⁸ after five steps, annealed of 5 to 10⁴."""
    assert error(path, form, 5, method=method) < 0.4
    assert error(path, form, 10, method=method) < 0.15


@each_method
@pytest.mark.parametrize("form", ["sbdm", "annealed"])
def test_gaussian_data_are_recovered_by_ordinary_noise(method, form):
    x = solve("GVP", form, white_noise(5000), noise(), steps=30, method=method, last_step="euler")
    # Standard errors: 0.014 of the mean, 0.02 of the variance.
    assert torch.allclose(x.mean(0), DATA.mean, atol=0.07)
    assert torch.allclose(torch.cov(x.T), DATA.covariance, atol=0.12)


@each_path
@pytest.mark.parametrize(("method", "order"), [("euler-maruyama", 1), ("sde-heun", 2)])
def test_weak_order_of_convergence(path, method, order):
    """Of mean and covariance, away from the ends, where paths are singular."""

    def moments(t):
        mean, covariance = DATA.marginal(PATHS[path](torch.tensor([t], dtype=torch.float64)))
        return mean[0], covariance[0]

    def error(steps):
        plans = ExactNoise(steps + 1)
        mean, covariance = moments(0.1)
        x = mean + plans(plans.shape) @ torch.linalg.cholesky(covariance).T
        x = solve(path, "sigma", x, plans, steps=steps, method=method, last_step="none", t0=0.1, t1=0.7)
        mean, covariance = moments(0.7)
        return (x.mean(0) - mean).abs().max() + (torch.cov(x.T) - covariance).abs().max()

    for coarse, fine in pairwise([error(10), error(20), error(40)]):
        assert math.log2(coarse / fine) == pytest.approx(order, abs=0.25)


@each_path
@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_every_prediction_drives_the_same_samples(path, prediction):
    expected = solve(path, "annealed", white_noise(5), noise(), steps=20)
    x = solve(path, "annealed", white_noise(5), noise(), prediction, steps=20)
    assert torch.allclose(x, expected, atol=1e-6)


@each_form
@each_method
def test_without_temperature_the_mean_stays_and_the_spread_shrinks(form, method):
    spread = []
    for tau in (0.0, 0.05, 0.5, 1.0):
        mean, covariance = exact("Linear", form, 20, method=method, tau=tau)
        assert torch.allclose(mean, DATA.mean, atol=1e-3)
        spread.append(covariance.trace())
    assert spread == sorted(spread)
    assert spread[0] < 0.5 * spread[-1]


def test_noise_is_really_renewed():
    """The ODE would carry each x0 to its own place; the SDE forgets where a sample came from."""
    x0 = white_noise(1000)
    stochastic = solve("Linear", "annealed", x0, noise(), steps=50)
    deterministic = integrate(DATA.network("Linear", "velocity"), x0, steps=50).x

    def correlation(x):
        return torch.corrcoef(torch.stack([x[:, 0], x0[:, 0]]))[0, 1]

    assert correlation(deterministic) > 0.8
    assert correlation(stochastic).abs() < 0.15


@each_path
@each_form
def test_trap2_every_named_diffusion_is_a_finite_number_that_is_not_negative(path, form):
    w = diffusion_coefficient(form, PATHS[path])
    values = [w(t) for t in (0.0, 1e-9, 0.3, 0.5, 0.98, 0.99, 1 - 1e-9, 1.0)]
    assert all(isinstance(value, float) for value in values)
    assert all(0 <= value < math.inf for value in values)


def test_the_formulas_of_the_diffusions():
    def at(form, t, path="Linear"):
        return diffusion_coefficient(form, PATHS[path])(t)

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
    solution = integrate_sde(
        estimator(path, network=lambda x, t: torch.tanh(x)),
        torch.randn(4, 6, 3),
        torch.randn,
        path=PATHS[path],
        steps=10,
        diffusion=diffusion_coefficient(form, PATHS[path]),
        method=method,
        last_step="none",
    )
    assert solution.x.dtype == torch.float32
    assert torch.isfinite(solution.x).all()
    assert solution.x.abs().max() < 100


def counting(times):
    def estimate(x, t):
        times.append(t[0].item())
        return Estimate(torch.ones_like(x), torch.zeros_like(x), torch.full_like(x, 5.0))

    return estimate


@pytest.mark.parametrize("last_step", LAST_STEPS)
@each_method
def test_trap6_steps_evaluations_and_draws_are_counted(method, last_step):
    times, plans = [], []

    def draw(shape):
        plans.append(shape)
        return torch.zeros(shape)

    solution = integrate_sde(
        counting(times),
        torch.zeros(2, 5, 3),
        draw,
        path=PATHS["GVP"],
        steps=50,
        diffusion=lambda t: 1.0,
        method=method,
        last_step=last_step,
    )
    ordinary = 50 if last_step == "none" else 49
    assert solution.evaluations == len(times) == 50 + (ordinary if method == "sde-heun" else 0)
    assert plans == [torch.Size([2, 5, 3])] * ordinary
    assert min(times) == 0
    assert max(times) <= 1
    assert torch.allclose(solution.x, torch.full((2, 5, 3), 5.0 if last_step == "tweedie" else 1.0))


@each_method
@pytest.mark.parametrize("last_step", LAST_STEPS)
def test_only_the_last_interval_follows_its_rule(method, last_step):
    steps, w, path = 5, 0.01, PATHS["Linear"]
    x0, options = white_noise(4), {"path": path, "diffusion": lambda t: w, "method": method}
    before = integrate_sde(estimator("Linear"), x0, noise(), steps=steps - 1, t1=0.8, last_step="none", **options).x
    after = integrate_sde(estimator("Linear"), x0, noise(), steps=steps, last_step=last_step, **options).x
    here = estimator("Linear")(before, torch.full((4,), 0.8, dtype=torch.float64))
    expected = {
        "mean": before + 0.2 * (here.velocity + w * here.score),
        "tweedie": here.data,
        "euler": before + 0.2 * here.velocity,
    }
    if last_step == "none":
        assert (after - expected["mean"]).abs().max() > 1e-3, "noise was added"
    else:
        assert torch.allclose(after, expected[last_step])


@pytest.mark.parametrize("last_step", ["tweedie", "euler"])
def test_the_last_step_ends_on_the_predicted_data_of_the_linear_path(last_step):
    seen, estimate = [], estimator("Linear", "data")

    def remembering(x, t):
        seen.append(estimate(x, t))
        return seen[-1]

    options = {"path": PATHS["Linear"], "diffusion": lambda t: 1.0, "last_step": last_step}
    x = integrate_sde(remembering, white_noise(10), noise(), steps=30, **options).x
    assert torch.allclose(x, seen[-1].data)


@pytest.mark.parametrize(("method", "sigma"), [("euler-maruyama", 0.5), ("sde-heun", 0.45)])
def test_a_short_step_takes_the_diffusion_as_it_is(method, sigma):
    """One step of pure noise from x = 0: its variance is 2·τ·w·dt, or τ·σ² where that is less.

    σ is that of the last score taken: of the start of the step, or with two stages of its end.
    """

    def step(w, t1):
        def nothing(x, t):
            return Estimate(torch.zeros_like(x), torch.zeros_like(x), torch.zeros_like(x))

        options = {"path": PATHS["Linear"], "diffusion": lambda t: w, "tau": 0.5, "last_step": "none"}
        start = torch.zeros(1, 1)
        return integrate_sde(nothing, start, torch.ones, steps=1, method=method, t0=0.5, t1=t1, **options).x.item() ** 2

    assert step(2.0, 0.55) == pytest.approx(0.5 * 2 * 2.0 * 0.05)
    assert step(200.0, 0.55) == pytest.approx(0.5 * sigma**2)
    assert step(200.0, 0.5001) == pytest.approx(0.5 * 2 * 200 * 0.0001, rel=1e-3)


@each_method
def test_projection_after_every_step(method):
    calls = []

    def recenter(x):
        calls.append(1)
        return x - x.mean(1, keepdim=True)

    solution = integrate_sde(
        lambda x, t: Estimate(x + 1, -x, x + 2),
        torch.randn(2, 5),
        torch.randn,
        path=PATHS["GVP"],
        steps=9,
        diffusion=lambda t: 1.0,
        method=method,
        project=recenter,
    )
    assert len(calls) == 9
    assert solution.x.mean(1).abs().max() < 1e-5


@each_method
def test_the_same_noise_gives_the_same_samples_bit_for_bit(method):
    def draw(seed):
        source = noise(seed)
        churn = Churn(PATHS["GVP"], 0.3, source)
        return solve("GVP", "sbdm", white_noise(5), source, steps=12, method=method, churn=churn)

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))


def test_an_unknown_diffusion_is_refused():
    with pytest.raises(ValueError, match="unknown diffusion 'sbmd': choose one of constant, sbdm, sigma, linear"):
        diffusion_coefficient("sbmd", PATHS["Linear"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "heun"}, "unknown method 'heun': choose one of euler-maruyama, sde-heun"),
        ({"last_step": "Mean"}, "unknown last step 'Mean': choose one of none, mean, tweedie, euler"),
        ({"tau": -0.1}, r"temperature tau is at least 0, not -0\.1"),
        ({"tau": math.nan}, "temperature tau is at least 0, not nan"),
        ({"diffusion": lambda t: -1.0}, r"diffusion coefficient is at least 0, not -1\.0"),
        ({"diffusion": lambda t: math.nan}, "diffusion coefficient is at least 0, not nan"),
        ({"steps": 0}, "at least one step, not 0"),
        ({"grid": "cosine"}, "unknown time grid 'cosine'"),
        ({"t0": 1.0, "t1": 0.0}, r"runs from noise to data, not from 1\.0 to 0\.0"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    plain = {"path": PATHS["Linear"], "diffusion": lambda t: 1.0, "steps": 5}
    with pytest.raises(ValueError, match=message):
        integrate_sde(lambda x, t: Estimate(x, x, x), torch.zeros(1, 2), torch.randn, **{**plain, **arguments})
