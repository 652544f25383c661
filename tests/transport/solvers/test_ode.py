import math
from itertools import pairwise

import pytest
import torch

from rnagen.transport.flow import PREDICTIONS, Estimate, Problem, Transport
from rnagen.transport.interpolants import PATHS
from rnagen.transport.solvers.grids import GRIDS
from rnagen.transport.solvers.ode import SLOPES, Dopri5, Ode
from tests.helpers.gaussian import Gaussian, white_noise

DATA = Gaussian()
METHODS = (*SLOPES, "dopri5")
PER_STEP = {"euler": 1, "midpoint": 2, "heun": 2, "rk4": 4}
each_path = pytest.mark.parametrize("path", PATHS)
each_slope = pytest.mark.parametrize("method", SLOPES)
each_method = pytest.mark.parametrize("method", METHODS)


def solver(method: str, steps: int, tolerance: float = 1e-5, last_step: str = "none", **options):
    if method == "dopri5":
        return Dopri5(tolerance, tolerance, last_step=last_step, **options)
    return Ode(steps, method=method, last_step=last_step, **options)


def moving(velocity, data=None):
    """Estimates with the given velocity, and data if they are asked for."""

    def estimate(x, t):
        v = velocity(x, t)
        return Estimate(v, v, v, v if data is None else data(x, t))

    return estimate


def carried(path: str, x0, t: float):
    """Where the exact flow has carried noise x0 at time t: αμ + √(α²S + σ²)·x0."""
    c = PATHS[path](torch.tensor(t, dtype=torch.float64))
    spread = (c.alpha.square() * DATA.variance + c.sigma.square()).sqrt()
    return c.alpha * DATA.mean + (x0 @ DATA.axes * spread) @ DATA.axes.T


ERROR = {"euler": 0.05, "midpoint": 0.005, "heun": 0.015, "rk4": 0.002, "dopri5": 0.005}


@each_path
@pytest.mark.parametrize(
    ("method", "prediction"),
    [*((method, "velocity") for method in METHODS), *(("heun", prediction) for prediction in PREDICTIONS[1:])],
)
def test_each_sample_is_carried_where_the_exact_flow_carries_it(path, method, prediction):
    transport, network = Transport(path, prediction), DATA.network(path, prediction)
    x0 = white_noise(2)
    problem = Problem(lambda x, t: transport.estimate(network(x, t), x, t), carried(path, x0, 0.05))
    x = solver(method, 60 if method == "euler" else 20, start=0.05, end=0.95).solve(problem).x
    assert (x - carried(path, x0, 0.95)).abs().max() < ERROR[method]


@each_path
@each_slope
def test_gaussian_data_are_recovered(path, method):
    """From pure noise to the estimate of the data, which is the nearer the finer the last interval is."""

    def error(steps: int, grid: str) -> float:
        x = Ode(steps, grid, method=method).solve(Problem(DATA.on(path), white_noise(3))).x
        return max((x.mean(0) - DATA.mean).abs().max().item(), (torch.cov(x.T) - DATA.covariance).abs().max().item())

    for grid in GRIDS:
        few, many = error(8, grid), error(32, grid)
        assert many < 0.6 * few + 5e-3, grid
        # The Sqrt path is noisy up to its very end: there 32 steps are few.
        assert many < (0.8 if path == "Sqrt" else 0.2 if method == "euler" else 0.05), grid


@pytest.mark.parametrize("path", ["Linear", "GVP", "VP"])
@each_method
def test_a_path_that_closes_ends_at_the_data_without_a_last_estimate(path, method):
    x0 = white_noise(2)
    x = solver(method, 50).solve(Problem(DATA.on(path), x0)).x
    assert torch.allclose(x, DATA.flow(x0), atol=0.12 if method == "euler" else 0.04)


@each_path
@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("midpoint", 2), ("heun", 2), ("rk4", 4)])
def test_order_of_convergence(path, method, order):
    """Away from the ends, where VP and Sqrt are singular. On Linear flows of a Gaussian midpoint gains one."""
    x0 = white_noise(5)
    start, end = carried(path, x0, 0.1), carried(path, x0, 0.7)
    errors = [
        (solver(method, n, start=0.1, end=0.7).solve(Problem(DATA.on(path), start)).x - end).abs().max()
        for n in (16, 32, 64)
    ]
    gained = 1 if (path, method) == ("Linear", "midpoint") else 0
    for coarse, fine in pairwise(errors):
        assert math.log2(coarse / fine) == pytest.approx(order + gained, abs=0.1)


@each_slope
def test_trap6_steps_are_steps_and_evaluations_are_counted(method):
    times = []

    def velocity(x, t):
        times.append(t[0].item())
        return torch.ones_like(x)

    solution = solver(method, 50).solve(Problem(moving(velocity), torch.zeros(3, 2)))
    assert solution.evaluations == len(times) == 50 * PER_STEP[method]
    assert len(set(times)) == {"euler": 50, "midpoint": 100, "heun": 51, "rk4": 101}[method]
    assert torch.allclose(solution.x, torch.ones(3, 2))


@each_slope
def test_the_last_estimate_takes_the_place_of_the_last_step(method):
    estimated = []

    def data(x, t):
        estimated.append((x, t))
        return x + 7

    estimate, x0 = moving(lambda x, t: -x, data), white_noise(5)
    solution = solver(method, 10, last_step="tweedie").solve(Problem(estimate, x0))
    x, t = estimated[-1]
    assert t.tolist() == pytest.approx([0.9] * 5)
    assert torch.allclose(x, solver(method, 9, end=0.9).solve(Problem(estimate, x0)).x)
    assert torch.equal(solution.x, x + 7)
    assert solution.evaluations == 9 * PER_STEP[method] + 1


def test_the_last_estimate_of_dopri5_is_one_evaluation_at_its_end():
    times = []

    def data(x, t):
        times.append(t)
        return x + 7

    def problem():
        return Problem(moving(lambda x, t: -x, data), white_noise(3))

    plain, solution = Dopri5().solve(problem()), Dopri5(last_step="tweedie").solve(problem())
    assert torch.equal(solution.x, plain.x + 7)
    assert solution.evaluations == plain.evaluations + 1
    assert times[-1].tolist() == [1.0] * 3


@each_method
def test_trap3_no_solver_leaves_the_time_range(method):
    times, estimate = [], DATA.on("VP")

    def remembering(x, t):
        times.extend(t.tolist())
        return estimate(x, t)

    solution = solver(method, 20, tolerance=1e-3).solve(Problem(remembering, white_noise(2)))
    assert torch.isfinite(solution.x).all()
    assert min(times) == 0
    assert max(times) <= 1
    if method == "dopri5":
        assert max(times) == 1, "it does try to leave, or this test shows nothing"


def test_trap3_dopri5_on_vp_survives_thirty_starts():
    assert torch.isfinite(Dopri5(1e-2, 1e-2).solve(Problem(DATA.on("VP"), white_noise(30))).x).all()


@each_method
def test_samples_do_not_depend_on_each_other(method):
    """An adaptive solver that shares one error norm would take other steps for a sample in other company."""
    x0 = white_noise(3)
    together, alone = (solver(method, 15, tolerance=1e-2).solve(Problem(DATA.on("GVP"), x)).x for x in (x0, x0[2:3]))
    assert torch.allclose(together[2:3], alone, atol=1e-12, rtol=0)


def test_dopri5_counts_the_most_costly_sample():
    sizes = []

    def velocity(x, t):
        sizes.append(len(x))
        return -x * (1 + 50 * x.abs())

    def evaluations(x0):
        return Dopri5().solve(Problem(moving(velocity), x0)).evaluations

    one, other = evaluations(torch.full((1, 2), 0.01)), evaluations(torch.full((1, 2), 10.0))
    sizes.clear()
    both = evaluations(torch.tensor([[0.01, 0.01], [10.0, 10.0]]))
    assert both == max(one, other) > min(one, other)
    assert len(sizes) == one + other
    assert set(sizes) == {1}


@each_method
@pytest.mark.parametrize("last_step", ["none", "tweedie"])
def test_projection_after_every_step(method, last_step):
    calls = []

    def recenter(x):
        calls.append(1)
        return x - x.mean(1, keepdim=True)

    problem = Problem(moving(lambda x, t: torch.ones_like(x)), torch.randn(2, 5), project=recenter)
    x = solver(method, 7, last_step=last_step).solve(problem).x
    assert len(calls) == (1 if method == "dopri5" else 7)
    assert x.mean(1).abs().max() < 1e-6


@each_method
def test_time_may_run_backwards(method):
    """From 0.8 back to 0.2 of dx/dt = t."""
    problem = Problem(moving(lambda x, t: t[:, None].expand_as(x)), torch.zeros(2, 1))
    x = solver(method, 400, start=0.8, end=0.2).solve(problem).x
    assert torch.allclose(x, torch.full((2, 1), (0.04 - 0.64) / 2), atol=1e-3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Ode(5, method="rk45"), "unknown method 'rk45': choose one of euler, midpoint, heun, rk4"),
        (lambda: Ode(5, last_step="mean"), "unknown last step 'mean': choose one of none, tweedie"),
        (lambda: Dopri5(last_step="mean"), "unknown last step 'mean'"),
    ],
)
def test_bad_options_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
