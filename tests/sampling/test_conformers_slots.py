"""Slots of a model that reads references: each conformer is conditioned on its own, and copies them or not."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rnagen.config.sampling import SamplerConfig, SamplingPlan, TemplateConfig
from rnagen.config.structure import ModelConfig
from rnagen.features import References, RNAFeatures, from_sequence
from rnagen.geometry import random_rotations
from rnagen.metrics.rmsd import rmsd
from rnagen.sampling.conformers import Slot, draw_conformers
from rnagen.sampling.denoiser import Flow
from rnagen.sampling.templates import Known, TemplateUse
from rnagen.templates.transfer import Transferred
from rnagen.transport.flow import Transport
from tests.helpers.tiny import TINY, TINY_MODEL, tiny_model

SEQUENCE = "GGGAAACUUCGGUUUCCC"
LENGTH = len(SEQUENCE)
READS = replace(TINY, model=replace(TINY_MODEL, references=2))
OPTIONS = SamplerConfig(steps=4, tau=0.5)
TRUSTED = torch.ones(1, 2, LENGTH)


@pytest.fixture(scope="module")
def flow() -> Flow:
    return Flow(tiny_model(READS), Transport())


@pytest.fixture(scope="module")
def features() -> RNAFeatures:
    return from_sequence(READS.model, SEQUENCE)


def structure(seed: int) -> torch.Tensor:
    return torch.randn(LENGTH, 4, 3, generator=torch.Generator().manual_seed(seed)).cumsum(0) * 4


def slot(seed: int, until: float = 0.0) -> Slot:
    coords, mask = structure(seed), torch.ones(LENGTH, 4, dtype=torch.bool)
    return Slot(coords, mask, until, References(coords[None, None], mask[None, None], torch.ones(1, 1, LENGTH)))


def sample(flow: Flow, features: RNAFeatures, n: int, slots: dict[int, Slot] | None = None, **options: object):
    plan = SamplingPlan(n, options=replace(OPTIONS, **options))  # type: ignore[arg-type]
    return draw_conformers(flow, features, "r", plan, slots=slots).coords


def test_each_conformer_sees_its_own_references_and_the_others_none(flow, features) -> None:
    plain = sample(flow, features, 4)
    found = sample(flow, features, 4, {0: slot(1), 2: slot(2)})
    torch.testing.assert_close(found[[1, 3]], plain[[1, 3]], atol=1e-3, rtol=0)
    assert (found[0] - plain[0]).abs().max() > 0.1
    assert (found[2] - plain[2]).abs().max() > 0.1
    fewer = sample(flow, features, 1, {0: slot(1), 2: slot(2)})
    torch.testing.assert_close(fewer[0], found[0], atol=1e-3, rtol=0)
    other = sample(flow, features, 1, {0: slot(2), 2: slot(1)})
    assert (other[0] - found[0]).abs().max() > 0.1


def test_a_slot_may_also_stand_to_the_end(flow, features) -> None:
    found = sample(flow, features, 2, {0: slot(1, until=1.0), 1: slot(1)})
    everything = torch.ones(LENGTH * 4, dtype=torch.bool)
    errors = [float(rmsd(one.flatten(0, 1), structure(1).flatten(0, 1), everything)) for one in found]
    assert errors[0] < 0.1
    assert errors[1] > 1


def test_guidance_leads_away_from_the_model_without_references(flow, features) -> None:
    plain, guided = (sample(flow, features, 1, {0: slot(1)}, cfg_scale=scale) for scale in (1.0, 2.0))
    assert (plain - guided).abs().max() > 0.1


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_conformers_with_references_do_not_depend_on_the_chunk_nor_on_the_others_drawn(flow, features, scale) -> None:
    two = References(torch.stack([structure(5), structure(6)])[None], torch.ones(1, 2, LENGTH, 4).bool(), TRUSTED)
    slots = {0: slot(1), 1: replace(slot(2), references=two), 3: slot(3, until=0.5)}
    together = sample(flow, features, 4, slots, cfg_scale=scale)
    by_ones = sample(flow, features, 4, slots, cfg_scale=scale, chunk=1)
    torch.testing.assert_close(together, by_ones, atol=1e-3, rtol=0)
    some = SamplingPlan(4, first=1, options=replace(OPTIONS, cfg_scale=scale))
    found = draw_conformers(flow, features, "r", some, slots=slots).coords
    torch.testing.assert_close(found, together[1:], atol=1e-3, rtol=0)


def test_a_part_that_is_fixed_in_all_conformers_counts_once(flow, features) -> None:
    few, many = ({**dict.fromkeys(range(n), slot(1)), 7: slot(2)} for n in (2, 5))
    torch.testing.assert_close(sample(flow, features, 2, few), sample(flow, features, 2, many), atol=1e-3, rtol=0)


def known(number: int) -> Known:
    """Copies of one structure in several poses; the last has its second half alone."""
    turns = random_rotations(number, torch.Generator().manual_seed(3))
    copies = []
    for k in range(number):
        mask = np.ones((LENGTH, 4), dtype=bool)
        mask[: LENGTH // 2 if k == number - 1 else 0] = False
        copies.append(Transferred((structure(1) @ turns[k].T + 30 * k).numpy(), mask))
    use = TemplateUse("library", "1abc_A", "2001-01-01", 1.0, 0.9, 1.0, 0.45)
    return Known([use] * number, copies)


@pytest.mark.parametrize(
    ("use", "until", "conditions"), [("copy", 0.95, False), ("condition", 0, True), ("both", 0.95, True)]
)
def test_what_templates_are_used_for(use: str, until: float, conditions: bool) -> None:
    slots = known(3).slots(READS.model, TemplateConfig(template_use=use))  # type: ignore[arg-type]
    assert [one.until for one in slots.values()] == [until] * 3
    assert [one.references is not None for one in slots.values()] == [conditions] * 3


def test_a_model_that_reads_none_copies_whatever_is_asked_for() -> None:
    for use in ("copy", "condition", "both"):
        slots = known(2).slots(ModelConfig(), TemplateConfig(template_use=use))  # type: ignore[arg-type]
        assert all(one.references is None and one.until == 0.95 for one in slots.values())


def test_references_of_a_slot_begin_with_its_own_and_stand_in_one_pose() -> None:
    given = known(3)
    slots = given.slots(READS.model, TemplateConfig())
    for k, one in slots.items():
        assert one.references is not None
        assert one.references.coords.shape == (1, 2, LENGTH, 4, 3)
        np.testing.assert_array_equal(one.references.coords[0, 0].numpy(), given.copies[k].coords)
        torch.testing.assert_close(one.references.coords[0, 1], one.references.coords[0, 0], atol=1e-2, rtol=0)
        assert torch.equal(one.references.mask[0, 0], torch.from_numpy(given.copies[k].known))
    # The predicted score is of all residues, the trust of those that are known.
    assert slots[0].references is not None
    assert torch.allclose(slots[0].references.trust, torch.tensor(0.5))
