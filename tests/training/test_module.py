"""Batches for which the memory does not suffice."""

import pytest
import torch

from rnagen.tasks.structure.module import FlowModule
from tests.helpers.tiny import TINY, make_batch, make_chain
from tests.helpers.training import fit


class Full:
    """Fails as PyTorch does on the given calls, by number from 1; others go through."""

    def __init__(self, function, calls: set[int]) -> None:
        self.function, self.calls, self.made = function, calls, 0

    def __call__(self, *given, **named):
        self.made += 1
        if self.made in self.calls:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.function(*given, **named)


@pytest.fixture(params=["forward", "backward"])
def fail(request, monkeypatch):
    """Let the memory not suffice for the given steps of a training, in the forward or the backward pass."""

    def patched(*steps: int) -> None:
        if request.param == "forward":
            import rnagen.tasks.structure.module as place

            monkeypatch.setattr(place, "objective", Full(place.objective, set(steps)))
        else:
            monkeypatch.setattr(torch.autograd, "backward", Full(torch.autograd.backward, set(steps)))

    return patched


def batches() -> list:
    return [make_batch([make_chain(12), make_chain(9)], seed=seed) for seed in range(3)]


def module(skip_oom: bool) -> FlowModule:
    torch.manual_seed(0)
    made = FlowModule(TINY)
    made.skip_oom = skip_oom
    return made


def test_a_batch_too_large_is_skipped_and_counted(fail) -> None:
    """The weights are those of a training without it."""
    with_two = module(True)
    fail(2)
    fit(with_two, batches())
    assert (with_two.out_of_memory, int(with_two.skipped_steps)) == (1, 1)
    assert int(with_two.ema.n_averaged) == 2
    assert all(torch.isfinite(p).all() for p in with_two.parameters())


def test_by_default_it_ends_the_training(fail) -> None:
    fail(2)
    with pytest.raises(torch.OutOfMemoryError):
        fit(module(False), batches())


def test_other_errors_end_the_training(monkeypatch) -> None:
    def broken(*_):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr("rnagen.tasks.structure.module.objective", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        fit(module(True), batches())
