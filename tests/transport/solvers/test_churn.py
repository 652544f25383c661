import math

import pytest
import torch

from rnagen.transport import PATHS, Transport, integrate, integrate_sde
from rnagen.transport.solvers.churn import Churn, renoise
from rnagen.transport.solvers.sde import Estimate, diffusion_coefficient
from tests.helpers.exact_noise import ExactNoise
from tests.helpers.gaussian import Gaussian, white_noise

DATA = Gaussian()
each_path = pytest.mark.parametrize("path", PATHS)


def marginal(path: str, t: float):
    mean, covariance = DATA.marginal(PATHS[path](torch.tensor([t], dtype=torch.float64)))
    return mean[0], covariance[0]


def draw_double(shape):
    return torch.randn(shape, dtype=torch.float64)


def velocity(path: str):
    return DATA.network(path, "velocity")


@each_path
@pytest.mark.parametrize(("t", "t_back"), [(0.5, 0.4), (0.9, 0.2), (0.99, 0.98), (0.3, 0.01)])
def test_renoised_samples_have_the_marginal_of_the_earlier_time(path, t, t_back):
    noise = ExactNoise(2)
    mean, covariance = marginal(path, t)
    x = mean + noise(noise.shape) @ torch.linalg.cholesky(covariance).T
    back = renoise(PATHS[path], x, t, t_back, noise(noise.shape))
    expected_mean, expected_covariance = marginal(path, t_back)
    assert torch.allclose(back.mean(0), expected_mean)
    assert torch.allclose(torch.cov(back.T), expected_covariance)


@each_path
def test_renoising_twice_is_renoising_once(path):
    """A Markov kernel: the two variances add up to that of the way in one."""
    x, one = torch.zeros(1, 1, dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64)

    def kernel(t, t_back):
        keep = (renoise(PATHS[path], x + 1, t, t_back, 0 * one) - renoise(PATHS[path], x, t, t_back, 0 * one)).item()
        return keep, renoise(PATHS[path], x, t, t_back, one).item() ** 2

    (late, late_variance), (early, early_variance), (both, variance) = (
        kernel(0.8, 0.6),
        kernel(0.6, 0.1),
        kernel(0.8, 0.1),
    )
    assert both == pytest.approx(late * early)
    assert variance == pytest.approx(early**2 * late_variance + early_variance)


@each_path
@pytest.mark.parametrize("t", [0.0, 1e-4, 0.5, 1 - 1e-4, 1.0])
def test_going_nowhere_changes_nothing(path, t):
    x = torch.randn(3, 2)
    assert torch.equal(renoise(PATHS[path], x, t, t, torch.randn(3, 2)), x)


@each_path
def test_trap1_renoising_is_finite_from_end_to_end_in_float32(path):
    x = torch.randn(3, 2)
    for t, t_back in ((1.0, 0.0), (1.0, 1 - 1e-5), (1e-5, 0.0)):
        assert torch.isfinite(renoise(PATHS[path], x, t, t_back, torch.randn(3, 2))).all()


def test_noise_is_not_added_forwards():
    with pytest.raises(ValueError, match=r"not from 0\.2 to 0\.5"):
        renoise(PATHS["Linear"], torch.zeros(1, 2), 0.2, 0.5, torch.zeros(1, 2))


def test_the_time_goes_back_by_a_multiple_of_the_step_and_not_past_the_start():
    churn = Churn(PATHS["GVP"], 0.5, torch.randn)
    assert churn(torch.zeros(2, 3), 0.6, 0.2, 0.0)[1] == pytest.approx(0.5)
    assert churn(torch.zeros(2, 3), 0.6, 0.2, 0.55)[1] == 0.55


def test_temperature_scales_the_variance():
    def noise(shape):
        return torch.ones(shape)

    zero, quarter, one = (
        Churn(PATHS["GVP"], 1.0, noise, tau)(torch.zeros(1, 1), 0.6, 0.2, 0.0)[0] for tau in (0.0, 0.25, 1.0)
    )
    assert zero.item() == 0
    assert quarter.item() == pytest.approx(0.5 * one.item())


@each_path
@pytest.mark.parametrize("method", ["euler", "heun"])
def test_churn_keeps_the_moments_of_an_ode(path, method):
    """Also on the way: the solve stops at t = 0.9, where no path has an end."""
    steps = 40 if method == "heun" else 150
    noise = ExactNoise(steps)
    start_mean, start_covariance = marginal(path, 0.02)
    x = start_mean + noise(noise.shape) @ torch.linalg.cholesky(start_covariance).T
    churn = Churn(PATHS[path], 1.0, noise)
    x = integrate(velocity(path), x, steps=steps, method=method, t0=0.02, t1=0.9, churn=churn).x
    mean, covariance = marginal(path, 0.9)
    assert not noise.left
    assert torch.allclose(x.mean(0), mean, atol=0.03)
    assert torch.allclose(torch.cov(x.T), covariance, atol=0.03)


@each_path
def test_churn_keeps_the_moments_of_an_sde(path):
    steps = 60
    noise, transport = ExactNoise(2 * steps), Transport(path)

    def estimate(x, t):
        said = velocity(path)(x, t)
        return Estimate(said, transport.score(said, x, t), transport.data(said, x, t))

    start_mean, start_covariance = marginal(path, 0.02)
    x = start_mean + noise(noise.shape) @ torch.linalg.cholesky(start_covariance).T
    x = integrate_sde(
        estimate,
        x,
        noise,
        path=PATHS[path],
        steps=steps,
        diffusion=diffusion_coefficient("sigma", PATHS[path]),
        method="sde-heun",
        last_step="none",
        t0=0.02,
        t1=0.9,
        churn=Churn(PATHS[path], 0.5, noise),
    ).x
    mean, covariance = marginal(path, 0.9)
    assert not noise.left
    assert torch.allclose(x.mean(0), mean, atol=0.02)
    assert torch.allclose(torch.cov(x.T), covariance, atol=0.02)


def test_no_churn_is_the_plain_solve_bit_for_bit():
    x0 = white_noise(5)
    plain, still = (
        integrate(velocity("VP"), x0, steps=20, method="heun", churn=churn).x
        for churn in (None, Churn(PATHS["VP"], 0.0, draw_double))
    )
    assert torch.equal(plain, still)


def test_steps_start_where_churn_went_and_end_where_the_grid_says():
    """Of dx/dt = 1 from 0 to 1 in four steps, of which three go half a step back: x grows by 1 + 3/8."""
    times = []

    def unit(x, t):
        times.append(t[0].item())
        return torch.ones_like(x)

    class Still(Churn):
        def __call__(self, x, t, dt, t0):
            return x, t - self.amount * dt

    solution = integrate(unit, torch.zeros(2, 3), steps=4, churn=Still(PATHS["Linear"], 0.5, torch.randn))
    assert times == pytest.approx([0, 0.125, 0.375, 0.625])
    assert torch.allclose(solution.x, torch.full((2, 3), 1.375))
    assert solution.evaluations == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"amount": -0.1}, r"amount of churn is at least 0, not -0\.1"),
        ({"amount": math.nan}, "amount of churn is at least 0, not nan"),
        ({"tau": -1.0}, r"temperature tau of churn is at least 0, not -1\.0"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Churn(**{"path": PATHS["Linear"], "amount": 0.5, "draw_noise": torch.randn, **arguments})
