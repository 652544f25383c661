import functools
import itertools

import pytest
import torch
from rnagen.transport.solvers.sampler import SAMPLING_METHODS, Sampler

from rnagen.transport import PATHS, PREDICTIONS, Transport
from rnagen.transport.interpolants import clamp_time, time_of_alpha
from rnagen.transport.solvers.diffusion import DIFFUSION_METHODS
from rnagen.transport.solvers.grids import GRIDS
from rnagen.transport.solvers.ode import METHODS
from rnagen.transport.solvers.sde import DIFFUSIONS, LAST_STEPS, SDE_METHODS
from tests.helpers.gaussian import SOME_TIMES, Gaussian, white_noise
from tests.helpers.mixture import TWO_MODES, Mixture

DATA = Gaussian()
FIXED_STEPS = tuple(method for method in METHODS if method != "dopri5")
CHOOSE_THEIR_TIMES = ("dopri5", *DIFFUSION_METHODS)
ALLOWED = [
    (path, prediction, method)
    for path, prediction, method in itertools.product(PATHS, PREDICTIONS, SAMPLING_METHODS)
    if method not in DIFFUSION_METHODS or (path, prediction) == ("Sqrt", "noise")
]
REFUSED = [c for c in itertools.product(PATHS, PREDICTIONS, SAMPLING_METHODS) if c not in ALLOWED]


def cases(combinations):
    """dopri5 takes a hundred evaluations for each sample: by default it is tried where it is hardest."""
    hardest = ("VP", "noise", "dopri5")
    return [pytest.param(*c, marks=pytest.mark.slow if c[2] == "dopri5" and c != hardest else ()) for c in combinations]


each_combination = pytest.mark.parametrize(("path", "prediction", "method"), cases(ALLOWED))
each_path_and_method = pytest.mark.parametrize(
    ("path", "prediction", "method"), cases(c for c in ALLOWED if c[1] == "noise")
)


def forms(method: str):
    return tuple(DIFFUSIONS) if method in SDE_METHODS else ("annealed",)


def plans():
    """Not of seed 0, which made the starting points."""
    generator = torch.Generator().manual_seed(1)
    return lambda shape: torch.randn(shape, generator=generator, dtype=torch.float64)


def solve(path: str, prediction: str, n: int = 3, data=DATA, adjust=None, **options):
    sampler = Sampler(Transport(path, prediction), **options)
    return sampler.sample(data.network(path, prediction), white_noise(n), plans(), adjust=adjust)


def lacking(path: str, t: float):
    """Covariance of the data given x_t, which the estimate of the data at the last time t does not have."""
    c = PATHS[path](clamp_time(torch.tensor(t, dtype=torch.float64)))
    variance = DATA.variance * c.sigma**2 / (c.alpha**2 * DATA.variance + c.sigma**2)
    return (DATA.axes * variance) @ DATA.axes.T


@each_path_and_method
def test_every_sampler_recovers_a_gaussian(path, prediction, method):
    """With noise of mean 0 and covariance 1 an ordinary equation, an affine flow, needs but three samples."""
    n, steps = 3 if method in METHODS else 1000, 25
    expected = DATA.covariance
    if method != "dopri5" or path == "Sqrt":
        expected = expected - lacking(path, 1.0 if method == "dopri5" else 1 - 1 / steps)
    for form in forms(method):
        x = solve(path, prediction, n, method=method, steps=steps, diffusion_form=form).x
        # Standard errors of 1000 samples are 0.03 of the mean and 0.04 of a variance; the rest is 25 steps.
        assert torch.allclose(x.mean(0), DATA.mean, atol=0.2), form
        assert torch.allclose(torch.cov(x.T), expected, atol=0.2), form


@functools.cache
def of_noise(path: str, method: str):
    return solve(path, "noise", method=method, steps=4).x


@each_combination
def test_every_prediction_samples_alike(path, prediction, method):
    x = solve(path, prediction, method=method, steps=4).x
    assert torch.isfinite(x).all()
    assert torch.allclose(x, of_noise(path, method), atol=1e-6)


@each_combination
def test_nothing_is_nan_in_single_precision(path, prediction, method):
    """A network that knows nothing, and the fewest steps."""
    transport, x0 = Transport(path, prediction), torch.randn(2, 3, 2)
    for steps, form in itertools.product((1, 2), forms(method)):
        x = Sampler(transport, method, steps, diffusion_form=form).sample(lambda x, t: 0.1 * x, x0, torch.randn).x
        assert x.dtype == torch.float32
        assert torch.isfinite(x).all(), (steps, form)


@each_path_and_method
def test_data_of_one_point_are_met(path, prediction, method):
    """Where the data have no width, as those of one structure, noise that a sampler leaves is all error."""
    point = torch.tensor([1.5, -2.0], dtype=torch.float64)
    transport = Transport(path, prediction)

    def network(x, t):
        c = transport.coefficients(t).expand_to(x)
        return (x - c.alpha * point) / c.sigma

    for form in forms(method):
        x = Sampler(transport, method, 10, diffusion_form=form).sample(network, white_noise(3), plans()).x
        assert torch.allclose(x, point.expand_as(x), atol=0.02 if method == "dopri5" else 1e-9), form


@pytest.mark.parametrize("method", ["heun", "euler-maruyama"])
def test_weights_of_two_modes_are_recovered(method):
    x = solve("Linear", "velocity", 2000, TWO_MODES, method=method, steps=100).x
    share = (TWO_MODES.nearest(x) == 0).double().mean().item()
    # Standard error 0.01.
    assert share == pytest.approx(0.3, abs=0.035)


def test_the_network_of_a_mixture_is_the_gradient_of_its_density():
    """Or the ground truth above is none."""
    for path, t in itertools.product(PATHS, SOME_TIMES[1:-1]):
        x, times = (3 * white_noise(20)).requires_grad_(), t.expand(20)
        density = TWO_MODES.log_density(x, PATHS[path](clamp_time(times)))
        (score,) = torch.autograd.grad(density.sum(), x)
        assert torch.allclose(TWO_MODES.network(path, "score")(x.detach(), times), score, rtol=1e-8)


@pytest.mark.parametrize(
    ("path", "method", "last_step", "expected"),
    [
        # The last interval is one evaluation: the estimate of the data.
        *((path, "euler", "tweedie", 10) for path in ("Linear", "Sqrt")),
        *((path, "midpoint", "tweedie", 19) for path in ("Linear", "Sqrt")),
        *((path, "heun", "tweedie", 19) for path in ("Linear", "Sqrt")),
        *((path, "rk4", "tweedie", 37) for path in ("Linear", "Sqrt")),
        *(("Linear", "euler-maruyama", rule, 10) for rule in ("none", "mean", "tweedie", "euler")),
        *(("Linear", "sde-heun", rule, n) for rule, n in (("none", 20), ("mean", 19), ("tweedie", 19), ("euler", 19))),
        *(("Sqrt", "ddpm", "tweedie", 10), ("Sqrt", "ddim", "tweedie", 10)),
    ],
)
def test_trap6_evaluations_are_counted(path, method, last_step, expected):
    prediction, calls = "noise" if method in DIFFUSION_METHODS else "velocity", []
    network = DATA.network(path, prediction)

    def counted(x, t):
        calls.append(t)
        return network(x, t)

    sampler = Sampler(Transport(path, prediction), method, 10, last_step=last_step)
    assert sampler.sample(counted, white_noise(5), plans()).evaluations == len(calls) == expected


@each_path_and_method
def test_trap3_the_network_and_the_adjustment_are_told_clamped_times_only(path, prediction, method):
    told, adjusted = [], []
    network = DATA.network(path, prediction)

    def listening(x, t):
        assert t.shape == (len(x),)
        told.extend(t.tolist())
        return network(x, t)

    def adjust(data, x, t):
        adjusted.extend(t.tolist())
        return data

    for grid in ("uniform",) if method in CHOOSE_THEIR_TIMES else GRIDS:
        sampler = Sampler(Transport(path, prediction), method, 4, grid)
        sampler.sample(listening, white_noise(2), plans(), adjust=adjust)
    assert told == adjusted
    assert told == clamp_time(torch.tensor(told, dtype=torch.float64)).tolist()
    assert min(told) == 1e-3


@each_combination
def test_velocity_and_score_see_the_adjusted_data(path, prediction, method):
    """One network whose estimates are replaced by another's samples exactly as the other does."""
    other = Gaussian()
    other.mean = DATA.mean + torch.tensor([0.5, 3.0])

    def adjust(data, x, t):
        c = PATHS[path](t)
        assert torch.allclose(data, DATA.ends(x, c).data, atol=1e-8), "the network's own estimate comes in"
        return other.ends(x, c).data

    options = {"data": DATA, "method": method, "steps": 4}
    adjusted = solve(path, prediction, adjust=adjust, **options).x
    assert torch.allclose(adjusted, solve(path, prediction, **{**options, "data": other}).x, atol=1e-6)


@each_path_and_method
def test_adjusted_to_shifted_data_the_samples_are_shifted(path, prediction, method):
    shift = torch.tensor([0.4, -0.3], dtype=torch.float64)

    def adjust(data, x, t):
        """E[x1 + shift | x_t] is the estimate at the x_t that this was without the shift, shifted."""
        c = PATHS[path](t)
        return DATA.ends(x - c.alpha[:, None] * shift, c).data + shift

    options = {"method": method, "steps": 20}
    moved = solve(path, prediction, adjust=adjust, **options).x - solve(path, prediction, **options).x
    assert torch.allclose(moved, shift.expand_as(moved), atol=0.1)


def test_projection_reaches_every_method():
    def recentre(x):
        return x - x.mean(0)

    for method in SAMPLING_METHODS:
        sampler = Sampler(Transport("Sqrt", "noise"), method, 5)
        x = sampler.sample(DATA.network("Sqrt", "noise"), white_noise(3), plans(), project=recentre).x
        assert x.mean(0).abs().max() < 1e-9, method


@pytest.mark.parametrize("method", SAMPLING_METHODS)
def test_same_noise_gives_the_same_bits(method):
    first, second = (solve("Sqrt", "noise", method=method, steps=4).x for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize(
    ("method", "churn"), [*((m, 0.0) for m in SAMPLING_METHODS), *((m, 0.5) for m in (*FIXED_STEPS, *SDE_METHODS))]
)
def test_a_batch_equals_its_samples_one_by_one(method, churn):
    sampler, network = Sampler(Transport("Sqrt", "noise"), method, 6, churn=churn), DATA.network("Sqrt", "noise")
    together = sampler.sample(network, white_noise(3), plans()).x
    for k in range(3):
        whole = plans()
        alone = sampler.sample(network, white_noise(3)[k : k + 1], lambda _, k=k, w=whole: w((3, 2))[k : k + 1]).x
        assert torch.allclose(alone, together[k : k + 1], atol=1e-9, rtol=0)


@pytest.mark.parametrize("method", [*METHODS, "ddim"])
def test_deterministic_methods_draw_no_noise(method):
    Sampler(Transport("Sqrt", "noise"), method, 5).sample(DATA.network("Sqrt", "noise"), white_noise(3), pytest.fail)


@pytest.mark.parametrize("method", [*SDE_METHODS, "ddpm"])
def test_temperature_reaches_the_stochastic_methods(method):
    spread = [
        torch.cov(solve("Sqrt", "noise", 1000, method=method, steps=50, tau=tau).x.T).trace() for tau in (0.0, 0.3, 1.0)
    ]
    assert spread[0] < 0.8 * spread[1] < 0.64 * spread[2]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["euler", "heun"])
def test_churn_reaches_the_ordinary_equations(path, method):
    plain, churned = (solve(path, "noise", 1500, method=method, steps=30, churn=churn).x for churn in (0.0, 1.0))
    assert (plain - churned).abs().max() > 0.3
    assert torch.allclose(churned.mean(0), plain.mean(0), atol=0.2)
    assert torch.allclose(torch.cov(churned.T), torch.cov(plain.T), atol=0.2)


def test_no_gradient_is_kept():
    weight = torch.ones((), requires_grad=True)
    sampler = Sampler(Transport(), "euler", 3)
    assert not sampler.sample(lambda x, t: weight * x, torch.randn(2, 3), plans()).x.requires_grad


@pytest.mark.parametrize(("path", "prediction", "method"), REFUSED)
def test_discrete_methods_are_refused_elsewhere(path, prediction, method):
    message = f"{method} is for the path Sqrt and the prediction noise, not for {path}, {prediction}"
    with pytest.raises(ValueError, match=message):
        Sampler(Transport(path, prediction), method)


@pytest.mark.parametrize("grid", [grid for grid in GRIDS if grid != "uniform"])
@pytest.mark.parametrize("method", CHOOSE_THEIR_TIMES)
def test_grids_are_refused_where_a_method_chooses_its_times(method, grid):
    with pytest.raises(ValueError, match=f"{method} chooses its own times: it has no time grid '{grid}'"):
        Sampler(Transport("Sqrt", "noise"), method, grid=grid)


@pytest.mark.parametrize("method", CHOOSE_THEIR_TIMES)
def test_churn_is_refused_where_a_method_chooses_its_times(method):
    with pytest.raises(ValueError, match=f"{method} cannot churn"):
        Sampler(Transport("Sqrt", "noise"), method, churn=0.1)


@pytest.mark.parametrize("last_step", [rule for rule in LAST_STEPS if rule != "tweedie"])
@pytest.mark.parametrize("method", SDE_METHODS)
def test_a_path_that_ends_in_noise_ends_with_the_estimate(method, last_step):
    with pytest.raises(ValueError, match=f"the path Sqrt ends in noise: its last step is tweedie, not '{last_step}'"):
        Sampler(Transport("Sqrt"), method, last_step=last_step)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "Euler"}, "unknown sampling method 'Euler': choose one of euler, .*, ddpm, ddim"),
        ({"grid": "cosine"}, "unknown time grid 'cosine': choose one of uniform, "),
        ({"diffusion_form": "SBDM"}, "unknown diffusion form 'SBDM': choose one of constant, sbdm, "),
        ({"last_step": "Tweedie"}, "unknown last step 'Tweedie': choose one of none, mean, tweedie, euler"),
        ({"steps": 0}, "at least one step, not 0"),
        ({"steps": 0, "method": "dopri5"}, "at least one step, not 0"),
        ({"tau": -0.1}, r"tau is at least 0, not -0\.1"),
        ({"tau": float("nan")}, "tau is at least 0, not nan"),
        ({"churn": -1.0}, r"churn is at least 0, not -1\.0"),
        ({"churn": float("nan")}, "churn is at least 0, not nan"),
    ],
)
def test_bad_options_are_refused_before_any_work(options, message):
    with pytest.raises(ValueError, match=message):
        Sampler(Transport(), **options)


@pytest.mark.parametrize("method", DIFFUSION_METHODS)
def test_more_steps_than_levels_are_refused(method):
    with pytest.raises(ValueError, match="1000 levels is sampled in 1 to 1000 steps, not 1001"):
        Sampler(Transport("Sqrt", "noise"), method, 1001)


@each_path_and_method
def test_a_late_start_is_a_start_from_less_noise(path, prediction, method):
    """Data of mean 0: what is missing at the start is α·x1, of variance α² of the data's."""
    if method in DIFFUSION_METHODS:
        with pytest.raises(ValueError, match=f"{method} starts at its noisiest level"):
            Sampler(Transport(path, prediction), method, start=0.1)
        return
    transport, told = Transport(path, prediction), []
    start = time_of_alpha(transport.path, 0.1)
    centred = Mixture([1.0], [[0.0, 0.0]], [DATA.covariance.tolist()])
    network = centred.network(path, prediction)

    def listening(x, t):
        told.append(t[0].item())
        return network(x, t)

    n, steps = (3, 25) if method in METHODS else (1000, 25)
    x = Sampler(transport, method, steps, start=start).sample(listening, white_noise(n), plans()).x
    assert min(told) == pytest.approx(start)
    assert torch.allclose(torch.cov(x.T), DATA.covariance, atol=0.2)


@pytest.mark.parametrize("start", [-0.1, 1.0])
def test_a_start_outside_of_time_is_refused(start):
    with pytest.raises(ValueError, match="starts at a time from 0 to before 1"):
        Sampler(Transport(), start=start)
