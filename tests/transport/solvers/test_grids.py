import math
from itertools import pairwise

import pytest

from rnagen.transport.solvers.grids import GRIDS, FixedGrid


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize(("start", "end"), [(0.0, 1.0), (0.1, 0.7), (0.9, 0.2)])
def test_trap6_n_steps_have_n_intervals_between_the_exact_ends(grid, start, end):
    for steps in (1, 2, 7, 50):
        times = FixedGrid(steps, grid, start, end).times
        assert len(times) == steps + 1
        assert (times[0], times[-1]) == (start, end)
        assert times == sorted(set(times), reverse=end < start)


def widths(grid: str) -> list[float]:
    return [b - a for a, b in pairwise(FixedGrid(20, grid).times)]


def test_uniform_steps_are_equal():
    assert widths("uniform") == pytest.approx([1 / 20] * 20)


def test_logarithmic_steps_shrink_by_one_factor_towards_the_data():
    ratios = [b / a for a, b in pairwise(widths("logarithmic"))]
    assert ratios == pytest.approx([10 ** (-2 / 20)] * 19)
    assert FixedGrid(2, "logarithmic").times[1] == pytest.approx(0.9 / 0.99)


def test_quadratic_steps_grow_from_the_noise():
    assert [math.sqrt(t) for t in FixedGrid(4, "quadratic").times] == pytest.approx([0, 0.25, 0.5, 0.75, 1])


def test_bad_options_are_refused():
    with pytest.raises(ValueError, match="unknown time grid 'cosine': choose one of uniform, logarithmic, quadratic"):
        FixedGrid(5, "cosine")
    with pytest.raises(ValueError, match="the number of steps must be at least 1, not 0"):
        FixedGrid(0)
