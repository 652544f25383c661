"""Averaging, schedule, skipped steps: what happens around a training step."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rnagen.config.structure import OptimConfig
from rnagen.tasks.structure.module import LOWEST_RATE, FlowModule, rate_factor
from rnagen.training.average import MovingAverage
from tests.helpers.tiny import TINY, make_batch, make_chain, stirred
from tests.helpers.training import fit


def test_average_equals_its_recursion() -> None:
    model = torch.nn.Linear(3, 1, bias=False)
    average = MovingAverage(model, 0.9)
    expected = torch.zeros(1, 3, dtype=torch.float64)
    n = 0
    for step in range(200):
        with torch.no_grad():
            model.weight.fill_(float(step + 5))
        taken = step % 7 != 3
        average.update(model, torch.tensor(taken))
        if taken:
            decay = min(0.9, (1 + n) / (10 + n)) if n else 0.0
            expected = decay * expected + (1 - decay) * model.weight.detach().double()
            n += 1
        torch.testing.assert_close(average.module.weight.double(), expected, rtol=1e-5, atol=1e-4)
    assert int(average.n_averaged) == n
    assert not any(p.requires_grad for p in average.parameters())


def test_trap7_average_is_taken_after_the_step_and_holds_the_last_one() -> None:
    """An average that is updated before the optimizer's step lags and misses the last step."""
    torch.manual_seed(0)
    module = FlowModule(replace(TINY, optim=replace(TINY.optim, ema_decay=0.0, lr=1e-2)))
    fit(module, [make_batch([make_chain(12), make_chain(9)], seed=s) for s in range(3)])
    for averaged, current in zip(module.ema.module.parameters(), module.model.parameters()):
        torch.testing.assert_close(averaged, current)
    assert module.shipped_model is module.ema.module


@pytest.mark.parametrize("freeze", ["sequence", "trunk"])
def test_a_frozen_trunk_stays_but_for_what_may_go_on(freeze: str) -> None:
    reading = replace(TINY.model, references=1, strands=True, dropout=0.5)
    optim = replace(TINY.optim, freeze=freeze, lr=1e-2, ema_decay=0.5)
    run = replace(TINY.run, ckpt=Path("weights.safetensors"))
    module = FlowModule(replace(TINY, model=reading, optim=optim, run=run))
    stirred(module.model)
    before = {name: p.clone() for name, p in module.model.named_parameters()}
    chains = [make_chain(12), make_chain(9)]
    fit(module, [make_batch(chains, seed=s) for s in range(6)])
    moved = {name for name, p in module.model.named_parameters() if not torch.equal(p, before[name])}
    free = ("trunk.references.", "trunk.other_strand.") if freeze == "sequence" else ()
    assert not [name for name in moved if name.startswith("trunk.") and not name.startswith(free)]
    assert any(name.startswith("trunk.references.") for name in moved) == (freeze == "sequence")
    assert any(name.startswith("latent.") for name in moved)
    features = make_batch(chains).features
    with torch.no_grad():
        once, again = (module.model.train().trunk(features).pair for _ in range(2))
    assert torch.equal(once, again), "its dropout is off"


def test_rate_warms_up_and_decays() -> None:
    rate = rate_factor(OptimConfig(lr_warmup=10, lr_decay=110))

    def factor(step: int) -> float:
        return rate(step, 500)

    assert factor(0) == pytest.approx(0.1)
    assert factor(9) == factor(10) == 1.0
    assert factor(60) == pytest.approx((1 + LOWEST_RATE) / 2)
    assert factor(110) == factor(10_000) == pytest.approx(LOWEST_RATE)
    rates = [factor(step) for step in range(10, 120)]
    assert rates == sorted(rates, reverse=True)


def test_the_decay_begins_at_an_epoch_and_ends_with_the_run() -> None:
    rate = rate_factor(OptimConfig(lr_warmup=10, lr_decay=20, lr_decay_start=5), per_epoch=20.0)
    assert [rate(step, 200) for step in (10, 50, 100)] == [1.0] * 3
    assert rate(150, 200) == pytest.approx((1 + LOWEST_RATE) / 2)
    assert rate(200, 200) == pytest.approx(LOWEST_RATE)
    # The warm-up comes first.
    assert rate_factor(OptimConfig(lr_warmup=10, lr_decay_start=0))(5, 200) == 0.6


def test_a_non_finite_step_is_skipped_and_counted() -> None:
    torch.manual_seed(0)
    module = FlowModule(TINY)
    good = make_batch([make_chain(12), make_chain(9)])
    poisoned = replace(good, coords=good.coords * float("nan"))
    before = [p.clone() for p in module.parameters()]
    fit(module, [poisoned, poisoned])
    assert int(module.skipped_steps) == 2
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters()))
    fit(module, [poisoned, good, poisoned])
    assert int(module.skipped_steps) == 4
    assert any(not torch.equal(a, b) for a, b in zip(before, module.parameters()))
    assert all(torch.isfinite(p).all() for p in module.parameters())


def test_gradients_are_clipped() -> None:
    torch.manual_seed(0)
    # Plain gradient descent would show it directly; with Adam the norm after clipping is what can be seen.
    module = FlowModule(replace(TINY, optim=replace(TINY.optim, grad_clip=1e-3)))
    norms = []

    def record(optimizer: torch.optim.Optimizer, args: tuple, kwargs: dict) -> None:
        gradients = [p.grad.norm() for p in module.model.parameters() if p.grad is not None]
        norms.append(float(torch.stack(gradients).norm()))

    build = module.configure_optimizers

    def configured():
        configuration = build()
        configuration["optimizer"].register_step_pre_hook(record)
        return configuration

    module.configure_optimizers = configured
    fit(module, [make_batch([make_chain(12)])])
    assert norms == [pytest.approx(1e-3, rel=1e-3)]


def test_weight_decay_spares_vectors() -> None:
    optimizer = FlowModule(TINY).configure_optimizers()["optimizer"]
    decayed, spared = optimizer.param_groups
    assert decayed["weight_decay"] > 0 == spared["weight_decay"]
    assert {p.ndim for p in spared["params"]} == {1}
