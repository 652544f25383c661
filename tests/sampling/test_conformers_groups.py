"""Conformers of a model that samples them in groups: the same however many there are."""

from dataclasses import replace

import pytest
import torch

from rnagen.config.sampling import SamplerConfig, SamplingPlan
from rnagen.errors import ConfigError
from rnagen.features import RNAFeatures, from_sequence
from rnagen.sampling.conformers import Slot, draw_conformers, whole_groups
from rnagen.sampling.denoiser import Flow, conformers_at_once
from rnagen.sampling.solver import check_sampling
from rnagen.transport.flow import Transport
from tests.helpers.tiny import TINY, TINY_MODEL, tiny_model

SEQUENCE = "GGGAAACUUCGGUUUCCC"
OPTIONS = SamplerConfig(steps=4, tau=0.5)
GROUPED = replace(
    TINY,
    model=replace(TINY_MODEL, num_conformers=3, self_conditioning=True),
    dataset=replace(TINY.dataset, copies=6),
)


@pytest.fixture(scope="module")
def flow() -> Flow:
    return Flow(tiny_model(GROUPED), Transport())


@pytest.fixture(scope="module")
def features() -> RNAFeatures:
    return from_sequence(TINY.model, SEQUENCE)


def sample(flow: Flow, features: RNAFeatures, n: int, first: int = 0, *, slots=None, **options) -> torch.Tensor:
    plan = SamplingPlan(n, options=replace(OPTIONS, **options), first=first)
    return draw_conformers(flow, features, "r", plan, slots=slots).coords


def test_conformers_do_not_depend_on_how_many_there_are_nor_on_where_a_run_goes_on(flow, features) -> None:
    seven = sample(flow, features, 7)
    for n, first in ((1, 0), (4, 0), (7, 1), (5, 4), (7, 6)):
        torch.testing.assert_close(sample(flow, features, n, first), seven[first:n], atol=1e-3, rtol=0)


@pytest.mark.parametrize("chunk", [1, 4, 6])
def test_a_chunk_splits_no_group(flow, features, chunk: int) -> None:
    torch.testing.assert_close(sample(flow, features, 7, chunk=chunk), sample(flow, features, 7), atol=1e-3, rtol=0)


def test_the_conformers_of_a_group_are_sampled_together(flow, features) -> None:
    """Those that the model would sample alone are others."""
    alone = Flow(tiny_model(replace(GROUPED, model=replace(GROUPED.model, num_conformers=1))), Transport())
    weights = flow.model.state_dict()
    alone.model.load_state_dict({name: weights[name] for name in alone.model.state_dict()})
    assert (sample(alone, features, 3) - sample(flow, features, 3)).abs().amax((1, 2, 3)).min() > 1e-2


def test_known_parts_of_some_conformers_change_no_other(flow, features) -> None:
    free = sample(flow, features, 5)
    mask = torch.ones(free.shape[1:3], dtype=torch.bool)
    slots = {1: Slot(free[4], mask, 1.0), 2: Slot(free[3], mask, 1.0)}
    built = sample(flow, features, 5, slots=slots)
    torch.testing.assert_close(built[[0, 3, 4]], free[[0, 3, 4]], atol=1e-3, rtol=0)
    torch.testing.assert_close(sample(flow, features, 2, slots=slots)[1], built[1], atol=1e-3, rtol=0)
    assert torch.cdist(built[1, :, 2], built[1, :, 2]).sub(torch.cdist(free[4, :, 2], free[4, :, 2])).abs().max() < 0.1


def test_whole_groups() -> None:
    assert whole_groups([4, 2], 1) == [4, 2]
    assert whole_groups([7, 0], 3) == [0, 1, 2, 6, 7, 8]
    assert [conformers_at_once(chunk, 1000, 3) for chunk in (0, 1, 3, 8)] == [3, 3, 3, 6]
    assert [conformers_at_once(chunk, 1000, 1) for chunk in (0, 1, 8)] == [4, 1, 8]


def test_what_samples_no_groups_is_refused() -> None:
    with pytest.raises(ConfigError, match="dopri5 solves conformers one by one, this model samples them in groups"):
        check_sampling(GROUPED, replace(OPTIONS, sampling_method="dopri5"))
    guided = replace(OPTIONS, cfg_scale=2.0)
    check_sampling(GROUPED, guided, TINY)
    check_sampling(GROUPED, guided, GROUPED)
    with pytest.raises(ConfigError, match="guide_ckpt: the guide samples conformers in groups of 3"):
        check_sampling(TINY, guided, GROUPED)
