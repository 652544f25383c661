from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnagen.transport.flow import Estimate, Problem
from rnagen.transport.interpolants import GVP, VP, Linear, Sqrt, clamp_time
from rnagen.transport.solvers.diffusion import Ddim, GaussianDiffusion
from tests.helpers.gaussian import Gaussian, white_noise

DATA = Gaussian()
SQRT = GaussianDiffusion()
each_path = pytest.mark.parametrize("path", [Sqrt(), VP(), GVP()], ids=lambda path: type(path).__name__)
each_eta = pytest.mark.parametrize("eta", [0.0, 1.0], ids=["ddim", "ddpm"])


def noise(seed: int = 1):
    """Not of seed 0, which made the starting points: they would be the first noise again."""
    generator = torch.Generator().manual_seed(seed)
    return lambda shape: torch.randn(shape, generator=generator, dtype=torch.float64)


def sample(solver: Ddim, x0, draw_noise=None, estimate=None):
    options = {} if draw_noise is None else {"draw_noise": draw_noise}
    return solver.solve(Problem(estimate or DATA.on("Sqrt"), x0, path=Sqrt(), **options)).x


def noisy(network):
    """Estimates for a solver that reads their noise alone."""
    return lambda x, t: Estimate(x, network(x, t), x, x)


@st.composite
def two_levels(draw, levels=1000):
    i = draw(st.integers(1, levels))
    return i, draw(st.integers(0, i - 1))


@each_path
@pytest.mark.parametrize("levels", [1, 7, 1000, 1500])
def test_levels_have_the_marginals_of_the_path(path, levels):
    diffusion = GaussianDiffusion(path, levels)
    assert diffusion.alpha_bars.dtype == torch.float64
    assert diffusion.alpha_bars[0] == 1
    c = path(clamp_time(1 - torch.arange(1, levels + 1, dtype=torch.float64) / levels))
    assert torch.allclose(diffusion.alpha_bars[1:].sqrt(), c.alpha, rtol=1e-9)
    assert torch.allclose(1 - diffusion.alpha_bars[1:], c.sigma.square(), rtol=1e-9)
    # No step goes back towards the data: the variance that it adds, 1 − ᾱ_i/ᾱ_{i−1}, is one.
    ratios = diffusion.alpha_bars[1:] / diffusion.alpha_bars[:-1]
    assert ((ratios > 0) & (ratios <= 1)).all()


def test_square_root_schedule():
    """ᾱ_i = 1 − √(i/T + 1e-4) of Li et al., except at clamped times."""
    i = torch.arange(1, 1000)
    assert torch.allclose(SQRT.alpha_bars[1:-1], 1 - (i.double() / 1000 + 1e-4).sqrt(), rtol=1e-9)
    assert SQRT.alpha_bars[1000] == SQRT.alpha_bars[999], "level 1000 is clamped to level 999"


@each_path
@given(levels=two_levels(), x_i=st.floats(-3, 3), noise=st.floats(-3, 3))
def test_with_full_noise_a_step_is_gaussian_conditioning(path, levels, x_i, noise):
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

    step = diffusion.step(tensor(x_i), tensor(noise), i, j, 1.0)
    assert torch.allclose(step.mean, mean, rtol=1e-6, atol=1e-6)
    assert step.variance == pytest.approx(variance.item(), abs=1e-9)
    assert step.variance >= 0


@given(levels=two_levels(), eta=st.floats(0, 1))
def test_ddim_keeps_the_marginals(levels, eta):
    """With the true ends, x_j has mean √ᾱ_j·x1 and variance 1 − ᾱ_j over the noise that made x_i, for any η."""
    (i, j), data = levels, 1.7
    bar_i, bar_j = SQRT.alpha_bars[[i, j]].tolist()

    def step(noise: float):
        return SQRT.step(tensor(bar_i**0.5 * data + (1 - bar_i) ** 0.5 * noise), tensor(noise), i, j, eta)

    at_zero, at_one = step(0.0), step(1.0)
    assert at_zero.mean.item() == pytest.approx(bar_j**0.5 * data, abs=1e-9)
    slope = (at_one.mean - at_zero.mean).item()
    assert slope**2 + at_zero.variance == pytest.approx(1 - bar_j, abs=1e-9)


def tensor(value: float):
    return torch.tensor([value], dtype=torch.float64)


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 333, 501, 999, 1000])
def test_respaced_levels_fall_strictly_from_noise_to_data(steps):
    levels = Ddim(steps).visited
    assert len(levels) == steps + 1
    assert (levels[0], levels[-1]) == (1000, 0)
    assert all(i > j for i, j in pairwise(levels))
    # Evenly: no gap is more than one level from another.
    assert len({i - j for i, j in pairwise(levels)}) <= 2


def lost_variance(steps: int):
    """What ending on E[x1 | x_i] leaves out: the covariance of the data given the last level visited."""
    bar = SQRT.alpha_bars[Ddim(steps).visited[-2]].item()
    return (DATA.axes * (DATA.variance * (1 - bar) / (bar * DATA.variance + 1 - bar))) @ DATA.axes.T


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_gaussian_data_are_recovered(eta):
    x = sample(Ddim(400, eta), white_noise(2000), noise())
    # Standard errors: 0.027 of the mean, 0.05 of the variance; DDIM's steps cost another 0.01.
    assert torch.allclose(x.mean(0), DATA.mean, atol=0.1)
    assert torch.allclose(torch.cov(x.T), DATA.covariance - lost_variance(400), atol=0.12)


@pytest.mark.parametrize(
    ("eta", "steps", "expected"),
    [
        *((1.0, 1, 0.001), (1.0, 10, 0.606), (1.0, 50, 0.808), (1.0, 100, 0.859)),
        *((0.0, 1, 0.001), (0.0, 10, 0.622), (0.0, 50, 0.827), (0.0, 100, 0.875)),
    ],
)
def test_few_steps_find_the_place_but_sample_too_narrowly(eta, steps, expected):
    """Share of the data's variance that is sampled; the expected ones are those of the affine chain without error."""
    x = sample(Ddim(steps, eta), white_noise(5000), noise())
    assert torch.allclose(x.mean(0), DATA.mean, atol=0.05)
    assert torch.cov(x.T).trace() / DATA.covariance.trace() == pytest.approx(expected, abs=0.05)


@each_eta
@given(steps=st.integers(1, 40), levels=st.integers(40, 1500))
def test_nothing_is_nan_for_any_number_of_steps(eta, steps, levels):
    x0 = torch.randn(4, 3, 2)
    x = sample(Ddim(steps, eta, levels=levels), x0, torch.randn, noisy(lambda x, t: torch.randn_like(x)))
    assert torch.isfinite(x).all()
    assert x.dtype == torch.float32


@each_path
@pytest.mark.parametrize("levels", [1, 2, 999, 1000, 1001])
def test_every_level_in_turn(path, levels):
    """N = T: also across the clamped ends, where a step may have no variance at all."""
    problem = Problem(noisy(lambda x, t: 0.1 * x), torch.ones(2, 3), torch.randn, path=path)
    assert torch.isfinite(Ddim(levels, 1.0, levels=levels).solve(problem).x).all()


@each_eta
def test_trap6_steps_are_evaluations_at_clamped_times(eta):
    times, estimate = [], DATA.on("Sqrt")

    def remembering(x, t):
        assert torch.equal(t, clamp_time(t))
        times.append(t[0].item())
        return estimate(x, t)

    solution = Ddim(50, eta).solve(Problem(remembering, white_noise(5), noise(), path=Sqrt()))
    assert solution.evaluations == len(times) == 50
    assert times == sorted(set(times))
    assert times[0] == pytest.approx(1e-3)
    assert times[-1] == pytest.approx(0.98)


def test_ddim_is_deterministic_and_ddpm_is_not():
    x0 = white_noise(20)
    assert torch.equal(sample(Ddim(20), x0), sample(Ddim(20), x0))
    ddpm = [sample(Ddim(20, 1.0), x0, noise(seed)) for seed in (1, 1, 2)]
    assert torch.equal(ddpm[0], ddpm[1])
    assert (ddpm[0] - ddpm[2]).abs().max() > 0.1


def test_last_step_is_the_estimate_of_the_data_without_noise():
    """A network that knows the one data point: whatever noise was added on the way, the end is that point."""
    point = torch.tensor([1.5, -2.0], dtype=torch.float64)
    shapes, source = [], noise()

    def network(x, t):
        c = Sqrt()(t).expand_to(x)
        return (x - c.alpha * point) / c.sigma

    def counted(shape):
        shapes.append(shape)
        return source(shape)

    x = sample(Ddim(25, 1.0), white_noise(30), counted, noisy(network))
    assert torch.allclose(x, point.expand_as(x), atol=1e-9)
    assert len(shapes) == 24


def test_temperature_narrows_the_samples():
    spread = [torch.cov(sample(Ddim(100, 1.0, tau), white_noise(2000), noise()).T).trace() for tau in (0.0, 0.3, 1.0)]
    assert spread[0] < 0.5 * spread[1] < 0.25 * spread[2] / 0.6


def test_projection_after_every_step():
    calls = []

    def recenter(x):
        calls.append(1)
        return x - x.mean(1, keepdim=True)

    problem = Problem(noisy(lambda x, t: 0.5 * x), torch.randn(2, 5), torch.randn, recenter, Sqrt())
    assert Ddim(7, 1.0).solve(problem).x.mean(1).abs().max() < 1e-6
    assert len(calls) == 7


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 1001}, "1000 levels is sampled in 1 to 1000 steps, not 1001"),
        ({"steps": 0}, "1000 levels is sampled in 1 to 1000 steps, not 0"),
        ({"tau": -0.1}, r"tau must be at least 0, not -0\.1"),
        ({"tau": float("nan")}, "tau must be at least 0, not nan"),
        ({"eta": 1.1}, r"eta must be from 0 \(ddim\) to 1 \(ddpm\), not 1\.1"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Ddim(**{"steps": 5, **options})


def test_paths_that_change_the_variance_are_refused_by_name():
    with pytest.raises(ValueError, match="variance-preserving path, which Linear is not"):
        GaussianDiffusion(Linear())
    with pytest.raises(ValueError, match="number of levels must be at least 1, not 0"):
        GaussianDiffusion(levels=0)


@pytest.mark.parametrize(("i", "j"), [(5, 5), (5, 6), (1001, 3), (0, -1)])
def test_levels_out_of_order_are_refused(i, j):
    with pytest.raises(ValueError, match=f"not from {i} to {j}"):
        SQRT.step(torch.zeros(1), torch.zeros(1), i, j, 0.0)
