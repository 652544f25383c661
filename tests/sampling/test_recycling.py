"""Drafts: the first output of the model, without gradient, and what the trunk reads of it."""

from dataclasses import replace

import pytest
import torch

from rnagen.config.sampling import SamplerConfig, SamplingPlan
from rnagen.features import from_sequence
from rnagen.model.model import RNAFlowModel
from rnagen.sampling.conformers import draw_conformers
from rnagen.sampling.denoiser import Flow
from rnagen.sampling.recycling import draft, recycled
from rnagen.sampling.solver import solver_of
from rnagen.tasks.structure.module import FlowModule
from rnagen.tasks.structure.objective import draw_noise, total
from rnagen.transport.flow import Transport
from tests.helpers.losses import losses
from tests.helpers.tiny import TINY, make_batch, make_chain, tiny_model

SEQUENCE = "GGGAAACUUCGGUUUCCC"
RECYCLES = replace(TINY, model=replace(TINY.model, recycling=True))
C1 = TINY.model.atoms.index("C1'")


@pytest.fixture(scope="module")
def model() -> RNAFlowModel:
    return tiny_model(RECYCLES)


def batch(resolved: float = 0.9):
    return make_batch([make_chain(n, seed=n, resolved=resolved) for n in (20, 14)])


@pytest.mark.parametrize("path", ["Linear", "GVP", "VP", "Sqrt"])
@pytest.mark.parametrize("prediction", ["velocity", "noise", "score", "data"])
def test_a_draft_is_what_sampling_begins_with(model, path: str, prediction: str) -> None:
    """One step of a solver ends on the structure that is estimated where it starts."""
    features, transport = from_sequence(TINY.model, SEQUENCE), Transport(path, prediction)
    noise = torch.randn(1, len(SEQUENCE), 4, 3)
    noise -= noise.mean((1, 2), keepdim=True)
    sampler = solver_of(SamplerConfig(sampling_method="euler", steps=1), transport)
    context = model.condition(features)
    solution = sampler.solve(lambda x, t: model(x[None], t[None], context)[0], noise, torch.randn)
    found = draft(model, transport, features, noise)
    assert torch.equal(found.mask, features.mask)
    expected = solution.x[:, :, C1] * TINY.model.sigma_data
    torch.testing.assert_close(found.c1, expected, atol=0.02 * float(expected.abs().max()), rtol=0)


def test_a_draft_has_no_gradient_and_does_not_see_padding(model) -> None:
    one, other = (make_batch([make_chain(14, seed=1), *rest]).features for rest in ([], [make_chain(31)]))
    noise = torch.randn(2, 32, 4, 3)
    short = draft(model, Transport(), one, noise[:1, : one.mask.shape[1]])
    long = draft(model, Transport(), other, noise[:, : other.mask.shape[1]])
    assert not short.c1.requires_grad
    torch.testing.assert_close(long.c1[0, :14], short.c1[0, :14], atol=1e-3, rtol=1e-3)
    assert long.mask.sum(1).tolist() == [14, 31]
    assert not recycled(model, Transport(), one, None).reference.mask.any()


def test_half_of_the_steps_see_a_draft_and_all_else_is_sampled_as_before() -> None:
    both = replace(RECYCLES, model=replace(RECYCLES.model, self_conditioning=True))
    examples = batch()
    plans = [draw_noise(examples, both, step) for step in range(200)]
    drafts = [one.draft_noise is not None for one in plans]
    assert 80 < sum(drafts) < 120
    together = sum(one.self_condition for one, has in zip(plans, drafts) if has)
    assert 20 < together < sum(drafts) - 20, "the two coins are two"
    for step in range(20):
        plain = draw_noise(examples, replace(both, model=replace(both.model, recycling=False)), step)
        assert plain.draft_noise is None
        for name in ("rotation", "t", "noise", "self_condition"):
            same = getattr(plain, name) == getattr(plans[step], name)
            assert same if isinstance(same, bool) else same.all(), name


def test_processes_draw_together_what_one_draws_for_the_whole_batch() -> None:
    whole = make_batch([make_chain(n, seed=n) for n in (20, 14, 9, 12)])
    step = next(step for step in range(20) if draw_noise(whole, RECYCLES, step).draft_noise is not None)
    together = draw_noise(whole, RECYCLES, step).draft_noise
    for rank in range(2):
        part = replace(whole, coords=whole.coords[rank::2], mask=whole.mask[rank::2], rank=rank, world=2)
        assert torch.equal(draw_noise(part, RECYCLES, step).draft_noise, together[rank::2])


@pytest.mark.parametrize("autocast", [False, True])
def test_the_trunk_learns_from_a_draft_and_makes_it_without_gradient(autocast: bool) -> None:
    """In bfloat16 too: weights that were rounded without gradient for the draft must not serve the second pass."""
    seen = []

    class Recorder(RNAFlowModel):
        def condition(self, features):
            seen.append((features.reference, torch.is_grad_enabled()))
            return super().condition(features)

    examples = batch()
    recorder = Recorder(RECYCLES.model)
    recorder.load_state_dict(tiny_model(RECYCLES).state_dict())
    noise = torch.randn(*examples.coords.shape)
    plans = replace(draw_noise(examples, RECYCLES, 0), draft_noise=noise)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        terms = losses(examples, plans, recorder, RECYCLES)
    (nothing, first), (visible, second) = seen
    assert (nothing, first, second) == (None, False, True)
    assert torch.equal(visible.mask, examples.features.mask)
    if not autocast:
        expected = draft(tiny_model(RECYCLES), Transport(), examples.features, noise)
        torch.testing.assert_close(visible.c1, expected.c1)
    total(terms, RECYCLES.loss, 10).backward()
    for name, parameter in recorder.named_parameters():
        assert name == "trunk.chain_break.weight" or parameter.grad.any(), name


def test_every_parameter_has_a_gradient_in_a_step_without_draft() -> None:
    """Processes that train together wait for it."""
    model, examples = tiny_model(RECYCLES), batch()
    plans = replace(draw_noise(examples, RECYCLES, 0), draft_noise=None)
    total(losses(examples, plans, model, RECYCLES), RECYCLES.loss, 10).backward()
    assert model.reference.project.weight.grad is not None
    assert not model.reference.project.weight.grad.any()


def test_all_conformers_of_an_rna_have_one_draft(model) -> None:
    options, features = SamplerConfig(steps=3, tau=0.5), from_sequence(TINY.model, SEQUENCE)

    def sample(flow_model: RNAFlowModel, n: int, seed: int = 0, **changes) -> torch.Tensor:
        plan = SamplingPlan(n, seed=seed, options=replace(options, **changes))
        return draw_conformers(Flow(flow_model, Transport()), features, "r", plan).coords

    five = sample(model, 5)
    torch.testing.assert_close(sample(model, 3), five[:3], atol=1e-3, rtol=0)
    torch.testing.assert_close(sample(model, 5, chunk=2), five, atol=1e-3, rtol=0)
    assert (sample(model, 1, seed=1)[0] - five[0]).abs().max() > 0.1
    unread = RNAFlowModel(TINY.model).eval()
    unread.load_state_dict({n: v for n, v in model.state_dict().items() if not n.startswith("reference.")})
    assert (sample(unread, 1)[0] - five[0]).abs().max() > 1e-2, "the draft acts"


def test_a_given_reference_replaces_the_draft(model, monkeypatch: pytest.MonkeyPatch) -> None:
    features = from_sequence(TINY.model, SEQUENCE)
    known = draft(model, Transport(), features, torch.randn(1, len(SEQUENCE), 4, 3))
    monkeypatch.setattr("rnagen.sampling.recycling.recycled", lambda *_: pytest.fail("a draft was made"))
    plan = SamplingPlan(1, options=SamplerConfig(steps=2))
    draw_conformers(Flow(model, Transport()), replace(features, reference=known), "r", plan)


def test_weights_without_reference_are_a_start_for_a_model_with_one() -> None:
    start = tiny_model()
    module = FlowModule(RECYCLES)
    module.load_weights(start)
    for model in (module.model, module.ema.module):
        state = model.state_dict()
        assert state.keys() - start.state_dict().keys() == {"reference.project.weight"}
        assert not state["reference.project.weight"].any()
        assert all(torch.equal(state[name], value) for name, value in start.state_dict().items())
