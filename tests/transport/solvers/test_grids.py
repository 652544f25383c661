import math
from itertools import pairwise

import pytest

from rnagen.transport.solvers.grids import GRIDS, time_grid

each_grid = pytest.mark.parametrize("grid", GRIDS)


@each_grid
@pytest.mark.parametrize(("t0", "t1"), [(0.0, 1.0), (0.1, 0.7), (0.9, 0.2)])
@pytest.mark.parametrize("steps", [1, 2, 7, 50])
def test_trap6_n_steps_have_n_intervals_between_the_exact_ends(grid, t0, t1, steps):
    times = time_grid(grid, steps, t0, t1)
    assert len(times) == steps + 1
    assert (times[0], times[-1]) == (t0, t1)
    assert times == sorted(set(times), reverse=t1 < t0)


def widths(grid: str) -> list[float]:
    return [b - a for a, b in pairwise(time_grid(grid, 20, 0.0, 1.0))]


def test_uniform_steps_are_equal():
    assert widths("uniform") == pytest.approx([1 / 20] * 20)


def test_logarithmic_steps_shrink_by_one_factor_towards_the_data():
    ratios = [b / a for a, b in pairwise(widths("logarithmic"))]
    assert ratios == pytest.approx([10 ** (-2 / 20)] * 19)
    assert time_grid("logarithmic", 2, 0.0, 1.0)[1] == pytest.approx(0.9 / 0.99)


def test_quadratic_steps_grow_from_the_noise():
    assert [math.sqrt(t) for t in time_grid("quadratic", 4, 0.0, 1.0)] == pytest.approx([0, 0.25, 0.5, 0.75, 1])


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="unknown time grid 'cosine': choose one of uniform, logarithmic, quadratic"):
        time_grid("cosine", 5, 0.0, 1.0)
    with pytest.raises(ValueError, match="at least one step, not 0"):
        time_grid("uniform", 0, 0.0, 1.0)
