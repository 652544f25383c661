"""Conformers: a function of seed, name and number; failures counted, never returned."""

import typing
from dataclasses import replace

import pytest
import torch

from rnagen.config.sampling import SamplerConfig, SamplingMethod, SamplingPlan
from rnagen.features import RNAFeatures, from_sequence
from rnagen.io.dot_bracket import parse_dot_bracket
from rnagen.model.model import RNAFlowModel
from rnagen.sampling.conformers import (
    SamplingError,
    conformer_generator,
    draw_conformers,
    unconditional,
    usable,
)
from rnagen.sampling.denoiser import Flow
from rnagen.structure import NO_LABEL
from rnagen.transport.flow import Transport
from tests.helpers.tiny import CONDITIONED, LABELLED, TINY, tiny_model

SEQUENCE = "GGGAAACUUCGGUUUCCC"
OPTIONS = SamplerConfig(steps=4, tau=0.5)


@pytest.fixture(scope="module")
def model() -> RNAFlowModel:
    return tiny_model()


@pytest.fixture(scope="module")
def features() -> RNAFeatures:
    return from_sequence(TINY.model, SEQUENCE)


def sample(model, features, n: int = 1, *, options=OPTIONS, name: str = "r", seed: int = 0, guide=None) -> torch.Tensor:
    plan = SamplingPlan(n, seed=seed, options=options)
    return draw_conformers(Flow(model, Transport()), features, name, plan, guide).coords


def test_a_conformer_depends_on_seed_name_and_number_alone(model, features) -> None:
    five, three = sample(model, features, 5), sample(model, features, 3)
    torch.testing.assert_close(three, five[:3], atol=1e-3, rtol=0)
    assert torch.equal(sample(model, features, 5), five)
    assert (five[2] - five[1]).abs().max() > 0.1
    for other in (sample(model, features, 1, name="s"), sample(model, features, 1, seed=1)):
        assert (other[0] - five[0]).abs().max() > 0.1


@pytest.mark.parametrize("chunk", [1, 2, 5])
def test_the_chunk_changes_rounding_only(model, features, chunk: int) -> None:
    got = sample(model, features, 5, options=replace(OPTIONS, chunk=chunk))
    assert (got - sample(model, features, 5)).abs().max() < 1e-3


@pytest.mark.parametrize("method", typing.get_args(SamplingMethod))
def test_every_method_samples(model, features, method: str) -> None:
    options = replace(OPTIONS, sampling_method=method)
    transport = Transport("Sqrt", "noise") if method in ("ddpm", "ddim") else Transport()
    found = draw_conformers(Flow(model, transport), features, "r", SamplingPlan(2, options=options))
    assert found.coords.shape == (2, len(SEQUENCE), 4, 3)
    assert usable(found.coords).all()
    torch.testing.assert_close(found.coords.mean((1, 2)), torch.zeros(2, 3), atol=1e-3, rtol=0)
    # The last of the four steps takes one evaluation in every method.
    stages = {"midpoint": 2, "heun": 2, "rk4": 4, "sde-heun": 2}.get(method, 1)
    assert method == "dopri5" or found.evaluations == 3 * stages + 1


def test_temperature_zero_still_depends_on_the_first_noise(model, features) -> None:
    cold = sample(model, features, 2, options=replace(OPTIONS, tau=0.0))
    assert (cold[0] - cold[1]).abs().max() > 0.1


def test_a_sampled_secondary_structure_depends_on_seed_name_and_number_alone() -> None:
    model, features = tiny_model(CONDITIONED), from_sequence(CONDITIONED.model, SEQUENCE)
    options = replace(OPTIONS, secondary_structures="sampled")
    eight = sample(model, features, 8, options=options)
    torch.testing.assert_close(sample(model, features, 3, options=options), eight[:3], atol=1e-3, rtol=0)
    assert (sample(model, features, 3, options=options, name="s") - eight[:3]).abs().max() > 0.1
    free = sample(model, features, 8)
    assert (free - eight).abs().amax(dim=(1, 2, 3)).min() > 1e-3


def test_a_given_secondary_structure_conditions_all_conformers() -> None:
    model = tiny_model(CONDITIONED)
    given = from_sequence(CONDITIONED.model, SEQUENCE, parse_dot_bracket("(((............)))"))
    sampled = replace(OPTIONS, secondary_structures="sampled")
    assert torch.equal(sample(model, given, 2), sample(model, given, 2, options=sampled))
    other = from_sequence(CONDITIONED.model, SEQUENCE)
    assert (sample(model, given, 2) - sample(model, other, 2)).abs().max() > 1e-3


class Scaled(RNAFlowModel):
    """Estimates one shape, twice as large with a label."""

    shape = torch.randn(len(SEQUENCE), 4, 3, generator=torch.Generator().manual_seed(3))
    shape = shape - shape.mean((0, 1))

    def forward(self, x_t, t, context, previous=None):
        return (1 + (context.features.label > 0).float())[:, None, None, None, None] * self.shape.expand_as(x_t)


@pytest.mark.parametrize("scale", [1.0, 1.5, 3.0])
@pytest.mark.parametrize("label", [NO_LABEL, 1, 2])
def test_guidance_goes_from_the_model_without_the_label_through_the_one_with_it(scale: float, label: int) -> None:
    """u + scale·(c − u), with c = 2u for a label and c = u without one; the sequence stays."""
    features = from_sequence(LABELLED.model, SEQUENCE, label=label)
    plan = SamplingPlan(2, options=replace(OPTIONS, cfg_scale=scale))
    found = draw_conformers(Flow(Scaled(LABELLED.model), Transport("Linear", "data")), features, "r", plan)
    expected = (1 + scale * (label != NO_LABEL)) * 16 * Scaled.shape
    torch.testing.assert_close(found.coords, expected.expand(2, -1, -1, -1), atol=1e-2, rtol=0)
    assert found.evaluations == OPTIONS.steps * (1 if scale == 1 else 2)


def test_a_model_is_guided_away_from_the_label_or_from_all_that_it_reads() -> None:
    features = replace(from_sequence(LABELLED.model, SEQUENCE, label=2), label=torch.tensor([2]))
    alone = unconditional(Flow(tiny_model(LABELLED), Transport()), features)
    assert alone.label is not None
    assert alone.label.tolist() == [NO_LABEL]
    assert torch.equal(alone.bases, features.bases)
    assert not unconditional(Flow(tiny_model(), Transport()), features).visible.any()


def test_generators_differ() -> None:
    numbers = {
        float(torch.rand(1, generator=conformer_generator(seed, name, k, attempt)))
        for seed in (0, 1)
        for name in ("a", "b", "a\x000")
        for k in (0, 1)
        for attempt in (0, 1)
    }
    assert len(numbers) == 24


class Fragile(RNAFlowModel):
    """Answers NaN in its first calls, then zero."""

    def __init__(self, failures: int) -> None:
        super().__init__(TINY.model)
        self.failures = failures

    def forward(self, x_t, t, context, previous=None):
        self.failures -= 1
        out = torch.zeros_like(x_t)
        if self.failures >= 0:
            out[:, 0] = float("nan")
        return out


def fragile(failures: int, features: RNAFeatures, n: int, options: SamplerConfig = OPTIONS):
    flow = Flow(Fragile(failures), Transport())
    return draw_conformers(flow, features, "r", SamplingPlan(n, options=options))


def test_a_broken_conformer_is_drawn_again_and_counted(features) -> None:
    mended, untouched = fragile(1, features, 3), fragile(0, features, 3)
    assert (mended.redrawn, untouched.redrawn) == (1, 0)
    assert torch.isfinite(mended.coords).all()
    # Only the broken one is another draw.
    assert torch.equal(mended.coords[1:], untouched.coords[1:])
    assert (mended.coords[0] != untouched.coords[0]).any()


def test_a_broken_conformer_that_repels_others_is_drawn_again_with_them(features) -> None:
    assert fragile(1, features, 3, replace(OPTIONS, diversity=1.0)).redrawn == 3


def test_a_conformer_that_stays_broken_is_an_error(features) -> None:
    with pytest.raises(SamplingError, match="r: conformers 1 had non-finite"):
        fragile(1000, features, 2)


def test_exploded_coordinates_are_not_usable() -> None:
    coords = torch.zeros(3, 4, 4, 3)
    coords[1, 2, 1, 0] = 6000.0
    coords[2, 0, 0, 0] = float("inf")
    assert usable(coords).tolist() == [True, False, False]


def test_guidance_by_oneself_changes_nothing_but_the_count(model, features) -> None:
    """u + w·(c − u) with c = u is c."""
    flow, options = Flow(model, Transport()), replace(OPTIONS, cfg_scale=3.0)
    found = draw_conformers(flow, features, "r", SamplingPlan(2, options=options), guide=flow)
    assert found.evaluations == 8
    torch.testing.assert_close(found.coords, sample(model, features, 2), atol=5e-2, rtol=0)


def test_guidance_goes_away_from_the_model_without_conditions(model, features) -> None:
    plain, weak, strong = (sample(model, features, options=replace(OPTIONS, cfg_scale=w)) for w in (1.0, 1.5, 3.0))
    assert 0.01 < (weak - plain).abs().max() < (strong - plain).abs().max()
    # Without conditions there is nothing to go away from.
    blank = features.without_condition()
    same, guided = (sample(model, blank, options=replace(OPTIONS, cfg_scale=w)) for w in (1.0, 3.0))
    torch.testing.assert_close(guided, same, atol=5e-2, rtol=0)


def test_diversity_zero_is_independent_and_more_moves_conformers_apart(model, features, monkeypatch) -> None:
    # The conformers of an untrained model are further apart than those that repel each other in earnest.
    monkeypatch.setattr("rnagen.sampling.denoiser.BANDWIDTH", 60.0)
    independent = sample(model, features, 3)
    assert torch.equal(sample(model, features, 3, options=replace(OPTIONS, diversity=0.0)), independent)
    apart = sample(model, features, 3, options=replace(OPTIONS, diversity=3.0))
    assert (apart - independent).abs().max() > 1e-2
    alone = sample(model, features, 1, options=replace(OPTIONS, diversity=3.0))
    torch.testing.assert_close(alone, sample(model, features), atol=1e-2, rtol=0)
