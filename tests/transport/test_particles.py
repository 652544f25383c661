import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnagen.geometry import random_rotations, rotate
from rnagen.transport.flow import Estimate, Problem, euler
from rnagen.transport.interpolants import PATHS
from rnagen.transport.particles import ALPHA_OFFSET, BLOCK, Repulsion, repulsion, square_differences


def conformers(n: int = 4, points: int = 12):
    """Random chains that differ by about 2."""
    return torch.randn(points, 3, dtype=torch.float64).cumsum(0) * 2 + torch.randn(n, points, 3, dtype=torch.float64)


def energy(data, bandwidth):
    """E of the definition, pair by pair."""
    distances = [torch.pdist(x) for x in data]
    return sum(
        (-(distances[a] - distances[b]).square().mean() / (2 * bandwidth**2)).exp()
        for a in range(len(data))
        for b in range(a)
    )


@pytest.mark.parametrize("points", [2, 12, 2 * BLOCK + 3])
def test_it_is_the_gradient_of_the_energy(points):
    data = conformers(points=points).requires_grad_()
    (gradient,) = torch.autograd.grad(energy(data, 1.3), data)
    field = repulsion(data.detach(), None, 1.3)
    assert torch.allclose(field, -points * 1.3**2 / 2 * gradient, rtol=1e-9, atol=1e-12)
    assert field.abs().max() > 0.01


def test_square_differences_across_blocks():
    data = conformers(3, BLOCK + 5)
    expected = [[(torch.pdist(a) - torch.pdist(b)).square().mean() for b in data] for a in data]
    assert torch.allclose(square_differences(data), torch.tensor(expected, dtype=torch.float64), rtol=1e-9)


def test_following_it_moves_conformers_apart():
    data = conformers()
    moved = data + 0.1 * repulsion(data, None, 2.0)
    assert energy(moved, 2.0) < energy(data, 2.0)
    near = square_differences(data) < 16
    assert (square_differences(moved) >= square_differences(data))[near].all()


@pytest.mark.parametrize("turn", [1.0, -1.0], ids=["rotation", "reflection"])
def test_each_conformer_has_its_own_pose(turn):
    data = conformers()
    rotations, shifts = turn * random_rotations(4).double(), 50 * torch.randn(4, 1, 3, dtype=torch.float64)
    field = repulsion(rotate(data, rotations) + shifts, None, 2.0)
    assert torch.allclose(field, rotate(repulsion(data, None, 2.0), rotations), rtol=1e-4, atol=1e-4)


def test_nothing_is_pushed_or_turned_as_a_whole():
    data = conformers()
    field = repulsion(data, None, 2.0)
    assert torch.allclose(field.sum(1), torch.zeros(4, 3, dtype=torch.float64), atol=1e-9)
    torque = torch.linalg.cross(data, field).sum(1)
    assert torch.allclose(torque, torch.zeros(4, 3, dtype=torch.float64), atol=1e-8)


@pytest.mark.parametrize("data", [torch.randn(1, 9, 3), torch.randn(3, 1, 3), torch.zeros(3, 9, 3)])
def test_zero_where_there_is_nothing_to_compare(data):
    """One conformer; one point; all points on top of each other."""
    assert torch.equal(repulsion(data, None, 2.0), torch.zeros_like(data))


def test_identical_conformers_stay_where_they_are():
    one = torch.randn(9, 3)
    one[3] = one[4]
    data = one.expand(5, 9, 3)
    assert torch.equal(repulsion(data, None, 2.0), torch.zeros_like(data))


@pytest.mark.parametrize("gap", [0.0, 1e-30, 1e-12, 1e-6])
def test_coincident_points_are_finite_and_bounded(gap):
    data = conformers().float()
    data[:, 3] = data[:, 4] + gap
    data[0, 5] = data[0, 4]
    field = repulsion(data, None, 2.0)
    assert torch.isfinite(field).all()
    assert field.abs().max() < 10


def test_far_conformers_are_not_moved():
    data = conformers(2)
    assert repulsion(torch.stack([data[0], 20 * data[1]]), None, 2.0).abs().max() < 1e-6


@given(st.integers(0, 1000), st.floats(0.1, 10))
def test_bounded_by_the_bandwidth(seed, bandwidth):
    """The push of one other conformer is at most h/√e in the root mean square, whatever they are."""
    data = 3 * torch.randn(2, 8, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    size = repulsion(data, None, bandwidth).square().sum(-1).mean(1).sqrt()
    d = square_differences(data)[0, 1].sqrt().item()
    assert size.max() <= d * math.exp(-(d**2) / (2 * bandwidth**2)) + 1e-12
    assert size.max() <= bandwidth / math.sqrt(math.e)


def test_its_size_does_not_depend_on_the_number_of_points():
    """The same two arcs, made of 50 and 400 points."""

    def size(points):
        angle = torch.linspace(0, 2, points, dtype=torch.float64)
        arcs = [torch.stack([r * (angle / r).cos(), r * (angle / r).sin(), 0 * angle], -1) for r in (1.0, 1.5)]
        return repulsion(torch.stack(arcs), None, 0.5).square().sum(-1).mean().sqrt().item()

    assert size(50) == pytest.approx(size(400), rel=0.1)


def test_masked_points_are_neither_counted_nor_moved():
    data, mask = conformers(), torch.arange(12) % 3 != 1
    field = repulsion(data, mask, 2.0)
    assert torch.equal(field[:, ~mask], torch.zeros(4, 4, 3, dtype=torch.float64))
    assert torch.equal(field[:, mask], repulsion(data[:, mask], None, 2.0))
    nothing = repulsion(data, torch.zeros(12, dtype=torch.bool), 2.0)
    assert torch.equal(nothing, torch.zeros_like(data))


def test_autocast_does_not_round_it():
    data = conformers().float()
    with torch.autocast("cpu", torch.bfloat16):
        field = repulsion(data, None, 2.0)
    assert torch.allclose(field, repulsion(data, None, 2.0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("path", PATHS)
def test_hook_adds_to_the_score(path):
    """It is the data of a score to which strength·repulsion was added, but for `ALPHA_OFFSET`."""
    data, mask = conformers().reshape(4, 4, 3, 3), torch.rand(4, 3) < 0.8
    hook = Repulsion(0.7, 2.0, PATHS[path], mask)
    t = torch.tensor([0.3, 0.5, 0.7, 0.9], dtype=torch.float64)
    c, x_t = PATHS[path](t), torch.randn_like(data)
    score = Estimate.of_prediction("data", data, x_t, c).score
    push = 0.7 * repulsion(data.reshape(4, 12, 3), mask.flatten(), 2.0).reshape(data.shape)
    exact = Estimate.of_prediction("score", score + push, x_t, c).data - data
    damping = (c.alpha / (c.alpha + ALPHA_OFFSET)).reshape(4, 1, 1, 1)
    assert torch.allclose(hook(data, t) - data, damping * exact, atol=1e-9)


@pytest.mark.parametrize("path", PATHS)
def test_hook_is_bounded_at_the_noise_and_gone_at_the_data(path):
    data = conformers()
    hook, push = Repulsion(1.0, 2.0, PATHS[path]), repulsion(data, None, 2.0).abs().max()
    first, last = ((hook(data, torch.full((4,), t, dtype=torch.float64)) - data).abs().max() for t in (0.0, 1.0))
    assert push < first <= push / ALPHA_OFFSET
    # σ of the Sqrt path is still 0.18 at the last clamped time.
    assert last < 0.04 * push


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, 2.0), "strength of a repulsion must be positive, not 0.0"),
        ((-1.0, 2.0), "strength of a repulsion must be positive, not -1.0"),
        ((1.0, 0.0), "bandwidth of a repulsion must be positive, not 0.0"),
        ((1.0, float("nan")), "bandwidth of a repulsion must be positive, not nan"),
    ],
)
def test_bad_options_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Repulsion(*arguments)
    if "bandwidth" in message:
        with pytest.raises(ValueError, match=message):
            repulsion(torch.zeros(2, 3, 3), None, arguments[1])


class TwoModes:
    """Data of two equally probable shapes in a fixed pose, a straight and a bent chain, with a spread of 0.1 per axis.

    A perfect network is known: E[x1 | x_t] on the Linear path, by the posterior of the mode.
    """

    spread = 0.1
    steps = torch.arange(8, dtype=torch.float64)
    zero = torch.zeros(8, dtype=torch.float64)
    bend = torch.where(steps < 4, steps, 8 - steps)
    modes = torch.stack([torch.stack([steps, zero, zero], -1), torch.stack([bend, 0.7 * steps, zero], -1)])
    modes = modes - modes.mean(1, keepdim=True)

    def data(self, x, t):
        t = t[:, None, None]
        variance = t**2 * self.spread**2 + (1 - t) ** 2
        away = x[:, None] - t[:, None] * self.modes
        weights = (-away.square().sum((2, 3)) / (2 * variance[:, :, 0])).softmax(1)
        per_mode = self.modes + t[:, None] * self.spread**2 / variance[:, None] * away
        return (weights[..., None, None] * per_mode).sum(1)

    def sample(self, x0, hook=None):
        """Conformers sampled together in 20 Euler steps; the last one ends on the data estimate."""

        def estimate(x, t):
            data = self.data(x, t)
            data = data if hook is None else hook(data, t)
            return Estimate.of_prediction("data", data, x, PATHS["Linear"](t))

        return euler(Problem(estimate, x0), [i / 20 for i in range(21)])

    def visited(self, x):
        """Mode of each conformer [n], and its root mean square distance to it per axis [n]."""
        away = (x[:, None] - self.modes).square().mean((2, 3)).sqrt()
        return away.argmin(1), away.min(1).values


def test_repulsion_visits_more_modes_without_leaving_them():
    """Pairs sampled together: half of the independent ones see both modes, of the repelled ones nearly all."""
    mixture = TwoModes()
    x0 = torch.randn(40, 2, 8, 3, dtype=torch.float64)
    gap = square_differences(mixture.modes)[0, 1].sqrt().item()
    hook = Repulsion(3.0, bandwidth=gap)

    def summary(x):
        mode, away = mixture.visited(x.reshape(-1, 8, 3))
        first, second = mode.reshape(40, 2).T
        return (first != second).double().mean(), mode.double().mean(), away.max()

    both, share, away = summary(mixture.sample(x0.reshape(-1, 8, 3)))
    # Standard error: 0.08.
    assert both == pytest.approx(0.5, abs=0.15)
    assert share == pytest.approx(0.5, abs=0.15)
    assert away < 0.15
    both, share, away = summary(torch.stack([mixture.sample(pair, hook) for pair in x0]))
    assert both > 0.85
    assert share == pytest.approx(0.5, abs=0.1)
    # The modes are 1.56 from each other by the same measure.
    assert away < 0.25
