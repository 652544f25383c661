"""Rates by step: those of PyTorch's one cycle, of a longer run after a resume, and of a schedule that begins anew."""

import pytest
import torch
from torch.optim.lr_scheduler import OneCycleLR

from rnagen.training.schedule import Schedule, one_cycle


def make_optimizer() -> torch.optim.AdamW:
    return torch.optim.AdamW([torch.nn.Parameter(torch.zeros(2))], lr=0.01)


def advance(schedule, steps: int) -> list[tuple[float, float]]:
    """Rate and first beta of so many steps."""
    found = []
    for _ in range(steps):
        (group,) = schedule.optimizer.param_groups
        found.append((group["lr"], group["betas"][0]))
        schedule.optimizer.step()
        schedule.step()
    return found


@pytest.mark.parametrize(("steps", "warmup"), [(2, 0.02), (7, 0.3), (100, 0.02), (100, 0.0), (250, 0.5)])
def test_one_cycle_is_that_of_pytorch(steps: int, warmup: float) -> None:
    mine = Schedule(make_optimizer(), steps, *one_cycle(warmup))
    theirs = OneCycleLR(make_optimizer(), max_lr=0.01, total_steps=steps, pct_start=warmup)
    expected = torch.tensor(advance(theirs, steps))
    torch.testing.assert_close(torch.tensor(advance(mine, steps)), expected, rtol=1e-6, atol=1e-9)


def test_a_longer_run_goes_on_as_if_it_had_been_longer_from_the_start() -> None:
    whole = advance(Schedule(make_optimizer(), 20, *one_cycle(0.1)), 20)
    short = Schedule(make_optimizer(), 10, *one_cycle(0.1))
    advance(short, 10)
    longer = Schedule(make_optimizer(), 20, *one_cycle(0.1))
    longer.load_state_dict(short.state_dict())
    assert advance(longer, 10) == whole[10:]


def test_a_schedule_that_begins_anew_spans_what_is_left_also_after_another_resume() -> None:
    expected = advance(Schedule(make_optimizer(), 12, *one_cycle(0.2)), 12)
    first = Schedule(make_optimizer(), 20, *one_cycle(0.2))
    advance(first, 8)
    first.restart()
    found = advance(first, 5)
    again = Schedule(make_optimizer(), 20, *one_cycle(0.2))
    again.load_state_dict(first.state_dict())
    assert found + advance(again, 7) == expected


def test_a_state_of_an_earlier_version_has_begun_at_the_first_step() -> None:
    schedule = Schedule(make_optimizer(), 20, *one_cycle(0.2))
    expected = advance(schedule, 20)
    again = Schedule(make_optimizer(), 20, *one_cycle(0.2))
    again.load_state_dict({"last_epoch": 15, "_step_count": 16, "total_steps": 20})
    assert advance(again, 5) == expected[15:]
