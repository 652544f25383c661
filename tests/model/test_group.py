"""Groups of conformers: where training starts, and who sees whom."""

from dataclasses import replace

import pytest
import torch

from rnagen.model.group import GroupAttention
from rnagen.model.model import RNAFlowModel
from tests.helpers.features import padded, random_features
from tests.helpers.tiny import TINY_MODEL, stirred

IN_THREES = replace(TINY_MODEL, num_conformers=3)
COPIES = 8


def model() -> RNAFlowModel:
    torch.manual_seed(1)
    return stirred(RNAFlowModel(IN_THREES)).eval()


def inputs(length: int = 11) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(2, COPIES, length, 4, 3, generator=generator), torch.full((2, COPIES), 0.4)


@torch.no_grad()
def flow_of(model: RNAFlowModel, x: torch.Tensor) -> torch.Tensor:
    return model(x, torch.full(x.shape[:2], 0.4), model.condition(random_features(x.shape[2])))


def test_training_begins_at_the_plain_model_which_has_no_such_part() -> None:
    plain = stirred(RNAFlowModel(TINY_MODEL)).eval()
    assert not any("group" in name for name in plain.state_dict())
    grouped = RNAFlowModel(IN_THREES).eval()
    grouped.load_state_dict({**grouped.state_dict(), **plain.state_dict()})
    x, _ = inputs()
    assert torch.equal(flow_of(grouped, x), flow_of(plain, x))


def test_conformers_see_their_group_and_no_other() -> None:
    """Two groups of three, and two conformers that make a smaller one."""
    grouped, (x, _) = model(), inputs()
    expected = flow_of(grouped, x)
    for changed, group in ((1, range(3)), (5, range(3, 6)), (7, range(6, 8))):
        other = x.clone()
        other[:, changed] += 1
        difference = (flow_of(grouped, other) - expected).abs().amax((0, 2, 3, 4))
        assert (difference > 1e-4).nonzero().flatten().tolist() == list(group)
        assert not difference[[k for k in range(COPIES) if k not in group]].any()
    torch.testing.assert_close(flow_of(grouped, x[:, 3:6]), expected[:, 3:6], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(flow_of(grouped, x[:, 6:]), expected[:, 6:], atol=1e-5, rtol=1e-5)


def test_the_order_within_a_group_does_not_matter() -> None:
    grouped, (x, _) = model(), inputs()
    order = [2, 0, 1, 3, 5, 4, 7, 6]
    torch.testing.assert_close(flow_of(grouped, x[:, order]), flow_of(grouped, x)[:, order], atol=1e-5, rtol=1e-5)


def test_padding_changes_nothing() -> None:
    grouped, (x, t) = model(), inputs()
    longer, features = padded(random_features(11), 5), random_features(11)
    wide = torch.nn.functional.pad(x, (0, 0, 0, 0, 0, 5), value=3.0)
    with torch.no_grad():
        found, expected = grouped(wide, t, grouped.condition(longer)), grouped(x, t, grouped.condition(features))
    torch.testing.assert_close(found[:, :, :11], expected, atol=1e-5, rtol=1e-5)
    assert not found[:, :, 11:].any()


def test_it_trains_also_in_half_precision() -> None:
    torch.manual_seed(0)
    attention = stirred(GroupAttention(IN_THREES))
    x = torch.randn(2, 5, 7, TINY_MODEL.embed_dim)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = attention(x)
    out.float().square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.any() for p in attention.parameters())
    torch.testing.assert_close(out.float(), attention(x), atol=0.1, rtol=0.1)


@pytest.mark.parametrize("copies", [1, 2])
def test_fewer_than_a_group_work(copies: int) -> None:
    grouped, (x, _) = model(), inputs()
    assert flow_of(grouped, x[:, :copies]).isfinite().all()
