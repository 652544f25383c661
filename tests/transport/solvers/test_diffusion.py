from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnagen.transport.interpolants import GVP, VP, Linear, Sqrt, clamp_time
from rnagen.transport.solvers.diffusion import DIFFUSION_METHODS, GaussianDiffusion, sample_diffusion
from tests.helpers.gaussian import Gaussian, white_noise

DATA = Gaussian()
SQRT = GaussianDiffusion()
NETWORK = DATA.network("Sqrt", "noise")
each_path = pytest.mark.parametrize("path", [Sqrt(), VP(), GVP()], ids=lambda path: type(path).__name__)
each_method = pytest.mark.parametrize("method", DIFFUSION_METHODS)


def noise(seed: int = 1):
    """Not of seed 0, which made the starting points: they would be the first noise again."""
    generator = torch.Generator().manual_seed(seed)
    return lambda shape: torch.randn(shape, generator=generator, dtype=torch.float64)


def no_noise(shape):
    raise AssertionError("a deterministic sampler draws no noise")


@st.composite
def two_levels(draw, levels=1000):
    i = draw(st.integers(1, levels))
    return i, draw(st.integers(0, i - 1))


@each_path
@pytest.mark.parametrize("levels", [1, 7, 1000, 1500])
def test_discrete_chain_has_the_marginals_of_the_path(path, levels):
    """x_i = √(1 − β_i)·x_{i−1} + √β_i·ε from the data on, composed step by step."""
    diffusion = GaussianDiffusion(path, levels)
    scale, variance = 1.0, 0.0
    for i, beta in enumerate(diffusion.betas.tolist(), start=1):
        scale, variance = scale * (1 - beta) ** 0.5, variance * (1 - beta) + beta
        c = path(clamp_time(torch.tensor(1 - i / levels, dtype=torch.float64)))
        assert scale == pytest.approx(c.alpha.item(), rel=1e-9)
        assert variance == pytest.approx(c.sigma.item() ** 2, rel=1e-9)


@each_path
@pytest.mark.parametrize("levels", [1, 7, 1000, 1500])
def test_betas_are_variances_and_multiply_to_alpha_bar(path, levels):
    diffusion = GaussianDiffusion(path, levels)
    assert diffusion.alpha_bars.dtype == torch.float64
    assert diffusion.alpha_bars[0] == 1
    assert len(diffusion.betas) == levels
    assert ((diffusion.betas >= 0) & (diffusion.betas < 1)).all()
    assert torch.allclose((1 - diffusion.betas).cumprod(0), diffusion.alpha_bars[1:], rtol=1e-12)


def test_square_root_schedule():
    """ᾱ_i = 1 − √(i/T + 1e-4) of Li et al., wherever the times are not clamped."""
    i = torch.arange(1, 1000)
    assert torch.allclose(SQRT.alpha_bars[1:-1], 1 - (i.double() / 1000 + 1e-4).sqrt(), rtol=1e-9)
    assert SQRT.alpha_bars[1000] == SQRT.alpha_bars[999], "level 1000 is clamped to level 999"


@each_path
@given(levels=two_levels(), x_i=st.floats(-3, 3), noise=st.floats(-3, 3))
def test_posterior_is_gaussian_conditioning(path, levels, x_i, noise):
    """Of the joint distribution of (x_j, x_i) given x1, made from the forward chain alone."""
    (i, j), diffusion = levels, GaussianDiffusion(path)
    bar_i, bar_j = diffusion.alpha_bars[[i, j]]
    data = (x_i - (1 - bar_i).sqrt() * noise) / bar_i.sqrt()
    # x_j = √ᾱ_j·x1 + √(1−ᾱ_j)·z, x_i = r·x_j + √(1−r²)·z': as rows of a matrix on (z, z').
    r = (bar_i / bar_j).sqrt()
    root = torch.stack([(1 - bar_j).sqrt(), r.new_zeros(())]), torch.stack([r * (1 - bar_j).sqrt(), (1 - r**2).sqrt()])
    covariance = torch.stack(root) @ torch.stack(root).T
    gain = covariance[0, 1] / covariance[1, 1]
    mean = bar_j.sqrt() * data + gain * (x_i - bar_i.sqrt() * data)
    variance = covariance[0, 0] - gain * covariance[1, 0]

    step = diffusion.posterior(tensor(x_i), tensor(noise), i, j)
    assert torch.allclose(step.mean, mean, rtol=1e-8, atol=1e-8)
    assert step.variance == pytest.approx(variance.item(), abs=1e-9)
    assert step.variance >= 0


@given(levels=two_levels(), x_i=st.floats(-3, 3), noise=st.floats(-3, 3))
def test_ddim_with_full_noise_is_the_posterior(levels, x_i, noise):
    ddim = SQRT.ddim(tensor(x_i), tensor(noise), *levels, eta=1.0)
    posterior = SQRT.posterior(tensor(x_i), tensor(noise), *levels)
    assert torch.allclose(ddim.mean, posterior.mean, rtol=1e-6, atol=1e-6)
    assert ddim.variance == posterior.variance


@given(levels=two_levels(), eta=st.floats(0, 1))
def test_ddim_keeps_the_marginals(levels, eta):
    """With the true ends, x_j has mean √ᾱ_j·x1 and variance 1 − ᾱ_j over the noise that made x_i, for any η."""
    (i, j), data = levels, 1.7
    bar_i, bar_j = SQRT.alpha_bars[[i, j]].tolist()

    def step(noise: float):
        return SQRT.ddim(tensor(bar_i**0.5 * data + (1 - bar_i) ** 0.5 * noise), tensor(noise), i, j, eta)

    at_zero, at_one = step(0.0), step(1.0)
    assert at_zero.mean.item() == pytest.approx(bar_j**0.5 * data, abs=1e-9)
    slope = (at_one.mean - at_zero.mean).item()
    assert slope**2 + at_zero.variance == pytest.approx(1 - bar_j, abs=1e-9)


def tensor(value: float):
    return torch.tensor([value], dtype=torch.float64)


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 333, 501, 999, 1000])
def test_respaced_levels_fall_strictly_from_noise_to_data(steps):
    levels = SQRT.respaced(steps)
    assert len(levels) == steps + 1
    assert (levels[0], levels[-1]) == (1000, 0)
    assert all(i > j for i, j in pairwise(levels))
    # Evenly: no gap is more than one level from another.
    assert len({i - j for i, j in pairwise(levels)}) <= 2


def lost_variance(steps: int):
    """What ending on E[x1 | x_i] leaves out: the covariance of the data given the last level visited."""
    bar = SQRT.alpha_bars[SQRT.respaced(steps)[-2]].item()
    return (DATA.axes * (DATA.variance * (1 - bar) / (bar * DATA.variance + 1 - bar))) @ DATA.axes.T


@pytest.mark.parametrize(
    "options", [{"method": "ddpm"}, {"method": "ddim", "eta": 0.0}, {"method": "ddim", "eta": 0.5}]
)
def test_gaussian_data_are_recovered(options):
    x = sample_diffusion(NETWORK, white_noise(5000), noise(), steps=1000, **options).x
    # Standard errors: 0.017 of the mean, 0.03 of the variance; DDIM's steps cost another 0.01.
    assert torch.allclose(x.mean(0), DATA.mean, atol=0.05)
    assert torch.allclose(torch.cov(x.T), DATA.covariance - lost_variance(1000), atol=0.07)


@pytest.mark.parametrize(
    ("method", "steps", "expected"),
    [
        *(("ddpm", 1, 0.001), ("ddpm", 10, 0.606), ("ddpm", 50, 0.808), ("ddpm", 100, 0.859)),
        *(("ddim", 1, 0.001), ("ddim", 10, 0.622), ("ddim", 50, 0.827), ("ddim", 100, 0.875)),
    ],
)
def test_few_steps_find_the_place_but_sample_too_narrowly(method, steps, expected):
    """Share of the data's variance that is sampled; the expected ones are those of the affine chain without error."""
    x = sample_diffusion(NETWORK, white_noise(5000), noise(), steps=steps, method=method).x
    assert torch.allclose(x.mean(0), DATA.mean, atol=0.05)
    assert torch.cov(x.T).trace() / DATA.covariance.trace() == pytest.approx(expected, abs=0.05)


@each_method
@given(steps=st.integers(1, 40), levels=st.integers(40, 1500))
def test_nothing_is_nan_for_any_number_of_steps(method, steps, levels):
    x0 = torch.randn(4, 3, 2)
    diffusion = GaussianDiffusion(levels=levels)
    solution = sample_diffusion(
        lambda x, t: torch.randn_like(x), x0, torch.randn, steps=steps, method=method, diffusion=diffusion
    )
    assert torch.isfinite(solution.x).all()
    assert solution.x.dtype == torch.float32


@each_path
@pytest.mark.parametrize("levels", [1, 2, 999, 1000, 1001, 3000])
def test_every_level_in_turn(path, levels):
    """N = T: also across the clamped ends, where a step may have no variance at all."""
    x = sample_diffusion(
        lambda x, t: 0.1 * x, torch.ones(2, 3), torch.randn, steps=levels, diffusion=GaussianDiffusion(path, levels)
    ).x
    assert torch.isfinite(x).all()


@each_method
def test_trap6_steps_are_evaluations_at_clamped_times(method):
    times = []

    def network(x, t):
        assert torch.equal(t, clamp_time(t))
        times.append(t[0].item())
        return NETWORK(x, t)

    solution = sample_diffusion(network, white_noise(5), noise(), steps=50, method=method)
    assert solution.evaluations == len(times) == 50
    assert times == sorted(set(times))
    assert times[0] == pytest.approx(1e-3)
    assert times[-1] == pytest.approx(0.98)


def test_ddim_is_deterministic_and_ddpm_is_not():
    x0 = white_noise(20)
    first = sample_diffusion(NETWORK, x0, no_noise, steps=20, method="ddim").x
    assert torch.equal(first, sample_diffusion(NETWORK, x0, no_noise, steps=20, method="ddim").x)
    ddpm = [sample_diffusion(NETWORK, x0, noise(seed), steps=20).x for seed in (1, 1, 2)]
    assert torch.equal(ddpm[0], ddpm[1])
    assert (ddpm[0] - ddpm[2]).abs().max() > 0.1


def test_ddim_with_full_noise_samples_as_ddpm():
    x0 = white_noise(20)
    ddim = sample_diffusion(NETWORK, x0, noise(), steps=20, method="ddim", eta=1.0).x
    assert torch.allclose(ddim, sample_diffusion(NETWORK, x0, noise(), steps=20).x, atol=1e-9)


def test_last_step_is_the_estimate_of_the_data_without_noise():
    """A network that knows the one data point: whatever was drawn on the way, the end is that point."""
    point = torch.tensor([1.5, -2.0], dtype=torch.float64)

    def network(x, t):
        c = Sqrt()(t)[:2]
        return (x - c[0][:, None] * point) / c[1][:, None]

    calls = []
    draw = noise()

    def counted(shape):
        calls.append(shape)
        return draw(shape)

    x = sample_diffusion(network, white_noise(30), counted, steps=25).x
    assert torch.allclose(x, point.expand_as(x), atol=1e-9)
    assert len(calls) == 24


def test_temperature_narrows_the_samples():
    spread = [
        torch.cov(sample_diffusion(NETWORK, white_noise(2000), noise(), steps=100, tau=tau).x.T).trace()
        for tau in (0.0, 0.3, 1.0)
    ]
    assert spread[0] < 0.5 * spread[1] < 0.25 * spread[2] / 0.6


def test_projection_after_every_step():
    calls = []

    def recenter(x):
        calls.append(1)
        return x - x.mean(1, keepdim=True)

    x = sample_diffusion(lambda x, t: 0.5 * x, torch.randn(2, 5), torch.randn, steps=7, project=recenter).x
    assert len(calls) == 7
    assert x.mean(1).abs().max() < 1e-6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "plms"}, "unknown method 'plms': choose one of ddpm, ddim"),
        ({"steps": 1001}, "1000 levels is sampled in 1 to 1000 steps, not 1001"),
        ({"steps": 0}, "1000 levels is sampled in 1 to 1000 steps, not 0"),
        ({"tau": -0.1}, "tau is at least 0, not -0.1"),
        ({"tau": float("nan")}, "tau is at least 0, not nan"),
        ({"method": "ddim", "eta": 1.1}, r"eta of DDIM is in 0 to 1, not 1\.1"),
        ({"eta": 0.5}, "eta is an option of ddim, not of ddpm"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        sample_diffusion(lambda x, t: x, torch.zeros(1, 2), torch.randn, **{"steps": 5, **arguments})


def test_paths_that_change_the_variance_are_refused_by_name():
    with pytest.raises(ValueError, match="variance-preserving path, which Linear is not"):
        GaussianDiffusion(Linear())
    with pytest.raises(ValueError, match="at least one level, not 0"):
        GaussianDiffusion(levels=0)


@pytest.mark.parametrize(("i", "j"), [(5, 5), (5, 6), (1001, 3), (0, -1)])
def test_levels_out_of_order_are_refused(i, j):
    with pytest.raises(ValueError, match=f"not from {i} to {j}"):
        SQRT.posterior(torch.zeros(1), torch.zeros(1), i, j)
