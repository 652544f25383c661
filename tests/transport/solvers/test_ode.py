import math
from itertools import pairwise

import pytest
import torch
from rnagen.transport.solvers.churn import Churn

from rnagen.transport import METHODS, PATHS, PREDICTIONS, Transport, integrate
from rnagen.transport.solvers.grids import GRIDS
from rnagen.transport.solvers.ode import STEPS
from tests.helpers.gaussian import Gaussian, white_noise

DATA = Gaussian()
CHURN = Churn(PATHS["Linear"], 0.5, torch.randn)


def flow(path: str, prediction: str = "velocity"):
    transport, network = Transport(path, prediction), DATA.network(path, prediction)
    return lambda x, t: transport.velocity(network(x, t), x, t)


def estimate(path: str, prediction: str = "velocity"):
    transport, network = Transport(path, prediction), DATA.network(path, prediction)
    return lambda x, t: transport.data(network(x, t), x, t)


def carried(path: str, x0, t: float):
    """Where the exact flow has carried noise x0 at time t: αμ + √(α²S + σ²)·x0."""
    c = PATHS[path](torch.tensor(t, dtype=torch.float64))
    spread = (c.alpha.square() * DATA.variance + c.sigma.square()).sqrt()
    return c.alpha * DATA.mean + (x0 @ DATA.axes * spread) @ DATA.axes.T


ERROR = {"euler": 0.05, "midpoint": 0.005, "heun": 0.015, "rk4": 0.002, "dopri5": 0.005}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("method", "prediction"),
    [*((method, "velocity") for method in METHODS), *(("heun", prediction) for prediction in PREDICTIONS[1:])],
)
def test_each_sample_is_carried_where_the_exact_flow_carries_it(path, method, prediction):
    x0 = white_noise(3)
    steps = 60 if method == "euler" else 20
    x = integrate(flow(path, prediction), carried(path, x0, 0.05), steps=steps, method=method, t0=0.05, t1=0.95).x
    assert (x - carried(path, x0, 0.95)).abs().max() < ERROR[method]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("method", STEPS)
def test_gaussian_data_are_recovered(path, grid, method):
    """From pure noise to the estimate of the data, which is the nearer the finer the last interval is."""
    x0 = white_noise(50)

    def error(steps: int) -> float:
        x = integrate(flow(path), x0, steps=steps, method=method, grid=grid, finish=estimate(path)).x
        return max((x.mean(0) - DATA.mean).abs().max().item(), (torch.cov(x.T) - DATA.covariance).abs().max().item())

    few, many = error(8), error(32)
    assert many < 0.6 * few + 5e-3
    # The Sqrt path is noisy up to its very end: there 32 steps are few.
    assert many < (0.8 if path == "Sqrt" else 0.2 if method == "euler" else 0.05)


@pytest.mark.parametrize("path", ["Linear", "GVP", "VP"])
@pytest.mark.parametrize("method", METHODS)
def test_a_path_that_closes_ends_at_the_data_without_a_finish(path, method):
    x0 = white_noise(3)
    x = integrate(flow(path), x0, steps=50, method=method).x
    assert torch.allclose(x, DATA.flow(x0), atol=0.12 if method == "euler" else 0.04)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("midpoint", 2), ("heun", 2), ("rk4", 4)])
def test_order_of_convergence(path, method, order):
    """Away from the ends, where VP and Sqrt are singular. On Linear flows of a Gaussian midpoint gains one."""

    def velocity(x, t):
        c = PATHS[path](t)
        ends = DATA.ends(x, c)
        return c.d_alpha[:, None] * ends.data + c.d_sigma[:, None] * ends.noise

    x0 = white_noise(20)
    start, end = carried(path, x0, 0.1), carried(path, x0, 0.7)
    errors = [
        (integrate(velocity, start, steps=n, method=method, t0=0.1, t1=0.7).x - end).abs().max() for n in (16, 32, 64)
    ]
    for coarse, fine in pairwise(errors):
        gained = 1 if (path, method) == ("Linear", "midpoint") else 0
        assert math.log2(coarse / fine) == pytest.approx(order + gained, abs=0.1)


PER_STEP = {"euler": 1, "midpoint": 2, "heun": 2, "rk4": 4}


@pytest.mark.parametrize("method", STEPS)
def test_trap6_steps_are_steps_and_evaluations_are_counted(method):
    times = []

    def velocity(x, t):
        times.append(t[0].item())
        return torch.ones_like(x)

    solution = integrate(velocity, torch.zeros(3, 2), steps=50, method=method)
    assert solution.evaluations == len(times) == 50 * PER_STEP[method]
    assert len(set(times)) == {"euler": 50, "midpoint": 100, "heun": 51, "rk4": 101}[method]
    assert torch.allclose(solution.x, torch.ones(3, 2))


@pytest.mark.parametrize("method", STEPS)
def test_finish_stands_in_for_the_last_step(method):
    finished = []

    def finish(x, t):
        finished.append((x, t))
        return x + 7

    x0 = white_noise(5)
    solution = integrate(flow("GVP"), x0, steps=10, method=method, finish=finish)
    ((x, t),) = finished
    assert t.tolist() == pytest.approx([0.9] * 5)
    assert torch.allclose(x, integrate(flow("GVP"), x0, steps=9, method=method, t1=0.9).x)
    assert torch.equal(solution.x, x + 7)
    assert solution.evaluations == 9 * PER_STEP[method] + 1


def test_finish_after_dopri5_is_one_evaluation_at_its_end():
    x0, times = white_noise(3), []

    def finish(x, t):
        times.append(t)
        return x + 7

    plain = integrate(flow("GVP"), x0, steps=1, method="dopri5")
    solution = integrate(flow("GVP"), x0, steps=1, method="dopri5", finish=finish)
    assert torch.equal(solution.x, plain.x + 7)
    assert solution.evaluations == plain.evaluations + 1
    assert [t.tolist() for t in times] == [[1.0] * 3]


@pytest.mark.parametrize("method", METHODS)
def test_trap3_no_solver_leaves_the_time_range(method):
    times, calls = [], []

    def velocity(x, t):
        times.extend(t.tolist())
        calls.append(len(x))
        return DATA.network("VP", "velocity")(x, t)

    solution = integrate(velocity, white_noise(3), steps=20, method=method)
    assert torch.isfinite(solution.x).all()
    assert min(times) == 0
    assert max(times) <= 1
    if method == "dopri5":
        assert max(times) == 1, "it does try to leave, or this test shows nothing"


def test_trap3_dopri5_on_vp_survives_thirty_starts():
    x0 = white_noise(30)
    assert torch.isfinite(integrate(flow("VP"), x0, steps=1, method="dopri5", rtol=1e-3, atol=1e-3).x).all()


@pytest.mark.parametrize("method", METHODS)
def test_samples_do_not_depend_on_each_other(method):
    """An adaptive solver that shares one error norm would take other steps for a sample in other company."""
    x0 = white_noise(6)
    together = integrate(flow("GVP"), x0, steps=15, method=method, atol=1e-2, rtol=1e-2).x
    alone = integrate(flow("GVP"), x0[2:3], steps=15, method=method, atol=1e-2, rtol=1e-2).x
    assert torch.allclose(together[2:3], alone, atol=1e-12, rtol=0)


def test_dopri5_counts_the_most_costly_sample():
    calls = []

    def velocity(x, t):
        calls.append(len(x))
        return -x * (1 + 50 * x.abs())

    one = integrate(velocity, torch.full((1, 2), 0.01), steps=1, method="dopri5").evaluations
    other = integrate(velocity, torch.full((1, 2), 10.0), steps=1, method="dopri5").evaluations
    calls.clear()
    both = integrate(velocity, torch.tensor([[0.01, 0.01], [10.0, 10.0]]), steps=1, method="dopri5").evaluations
    assert both == max(one, other) > min(one, other)
    assert len(calls) == one + other
    assert set(calls) == {1}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("finish", [None, lambda x, t: x + 1])
def test_projection_after_every_step(method, finish):
    calls = []

    def recenter(x):
        calls.append(1)
        return x - x.mean(1, keepdim=True)

    solution = integrate(
        lambda x, t: torch.ones_like(x), torch.randn(2, 5), steps=7, method=method, project=recenter, finish=finish
    )
    assert len(calls) == (1 if method == "dopri5" else 7)
    assert solution.x.mean(1).abs().max() < 1e-6


@pytest.mark.parametrize("method", METHODS)
def test_other_ends_of_time(method):
    """From 0.8 back to 0.2 of dx/dt = t."""
    x = integrate(lambda x, t: t[:, None].expand_as(x), torch.zeros(2, 1), steps=400, method=method, t0=0.8, t1=0.2).x
    assert torch.allclose(x, torch.full((2, 1), (0.04 - 0.64) / 2), atol=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_gradient_flows_through_a_solve(method):
    x0 = torch.randn(2, 3, requires_grad=True)
    integrate(lambda x, t: -x, x0, steps=200, method=method).x.sum().backward()
    assert torch.allclose(x0.grad, torch.full((2, 3), math.exp(-1)), atol=3e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "rk45"}, "unknown method 'rk45': choose one of euler, midpoint, heun, rk4, dopri5"),
        ({"grid": "cosine"}, "unknown time grid 'cosine': choose one of uniform"),
        ({"steps": 0}, "at least one step, not 0"),
        ({"steps": 0, "method": "dopri5"}, "at least one step, not 0"),
        ({"method": "dopri5", "churn": CHURN}, "does not go with dopri5"),
        ({"t0": 1.0, "t1": 0.0, "churn": CHURN}, "churn goes with solves from noise to data, not from 1.0 to 0.0"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        integrate(lambda x, t: x, torch.zeros(1, 2), **{"steps": 5, **arguments})
