"""The confidence head: blind to poses and padding, not to mirror images; one conformer does not see another."""

import pytest
import torch

from rnagen.geometry import random_rotations
from rnagen.model.confidence import ConfidenceHead, expected, pair_geometry, pair_shares, residue_frames, spread
from rnagen.model.trunk import TrunkOutput
from tests.helpers.scored import TINY_HEAD, tiny_head

LENGTH = 13


def inputs(batch: int = 2, conformers: int = 3, length: int = LENGTH) -> tuple[TrunkOutput, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    trunk = TrunkOutput(
        torch.randn(batch, length, 32, generator=generator), torch.randn(batch, length, length, 8, generator=generator)
    )
    c1 = torch.cumsum(4 * torch.randn(batch, conformers, length, 3, generator=generator), dim=2)
    return trunk, c1, torch.ones(batch, length, dtype=torch.bool)


def test_shapes_and_size() -> None:
    trunk, c1, mask = inputs()
    logits = tiny_head()(trunk, c1, mask)
    assert logits.lddt.shape == (2, 3, LENGTH, TINY_HEAD.levels)
    assert logits.tm.shape == (2, 3, TINY_HEAD.levels)
    from rnagen.config.confidence import HeadConfig

    assert ConfidenceHead(HeadConfig(), 160, 32).num_parameters < 500_000


def test_a_motion_changes_nothing_a_reflection_does() -> None:
    trunk, c1, mask = inputs()
    head = tiny_head()
    logits = head(trunk, c1, mask)
    turned = c1 @ random_rotations(1, torch.Generator().manual_seed(1))[0].T + 30
    torch.testing.assert_close(head(trunk, turned, mask).lddt, logits.lddt, rtol=0, atol=2e-4)
    torch.testing.assert_close(head(trunk, turned, mask).tm, logits.tm, rtol=0, atol=2e-4)
    mirrored = head(trunk, c1 * torch.tensor([1.0, 1.0, -1.0]), mask)
    assert (mirrored.tm - logits.tm).abs().max() > 4e-3


def test_padding_and_other_conformers_are_not_seen() -> None:
    trunk, c1, mask = inputs()
    head = tiny_head()
    alone = head(TrunkOutput(trunk.single[:1], trunk.pair[:1]), c1[:1, 1:2], mask[:1])
    longer, padded_c1, _ = inputs(length=LENGTH + 4)
    longer.single[:, :LENGTH], longer.pair[:, :LENGTH, :LENGTH] = trunk.single, trunk.pair
    padded_c1[:, :, :LENGTH] = c1
    padded = head(longer, padded_c1, torch.arange(LENGTH + 4).expand(2, -1) < LENGTH)
    torch.testing.assert_close(padded.lddt[:1, 1:2, :LENGTH], alone.lddt, rtol=0, atol=1e-5)
    torch.testing.assert_close(padded.tm[:1, 1:2], alone.tm, rtol=0, atol=1e-5)


def test_frames_are_right_handed_and_zero_where_there_is_none() -> None:
    _, c1, mask = inputs()
    frames = residue_frames(c1, mask)
    torch.testing.assert_close(torch.linalg.det(frames), torch.ones(frames.shape[:-2]), rtol=0, atol=1e-4)
    torch.testing.assert_close(frames @ frames.mT, torch.eye(3).expand_as(frames), rtol=0, atol=1e-4)
    assert torch.equal(frames[:, :, 0], frames[:, :, 1])
    for length in (1, 2):
        assert not residue_frames(c1[:, :, :length], mask[:, :length]).any()
        assert not residue_frames(c1, torch.arange(LENGTH).expand(2, -1) < length).any()
        assert torch.isfinite(
            pair_geometry(c1[:, :, :length], residue_frames(c1[:, :, :length], mask[:, :length]))
        ).all()
    straight = torch.arange(5.0)[:, None] * torch.tensor([1.0, 2.0, 3.0])
    assert not residue_frames(straight[None, None], mask[:1, :5])[..., 1:, :].any()


def test_geometry_by_hand() -> None:
    # Three residues at a right angle: from the middle one, the next is along e1, the one before along e2.
    c1 = torch.tensor([[0.0, 5.0, 0.0], [0.0, 0.0, 0.0], [5.0, 0.0, 0.0]])
    frames = residue_frames(c1[None, None], torch.ones(1, 3, dtype=torch.bool))
    geometry = pair_geometry(c1[None, None], frames)[0, 0]
    assert geometry[1, 2, :28].argmax() == 1
    torch.testing.assert_close(geometry[1, 2, 28:31], torch.tensor([1.0, 0.0, 0.0]))
    torch.testing.assert_close(geometry[1, 0, 28:31], torch.tensor([0.0, 1.0, 0.0]))
    torch.testing.assert_close(geometry[0, 1, 31:], geometry[1, 0, 28:31])


def test_shares_sum_to_one_over_what_is_there() -> None:
    _, c1, mask = inputs()
    mask = mask.clone()
    mask[1, 7:] = False
    shares = pair_shares(c1, mask)
    torch.testing.assert_close(shares.sum(-1), torch.ones(2, 3, 2, LENGTH))
    assert not shares[1, :, :, :, 7:].any()


@pytest.mark.parametrize("value", [0.0, 0.031, 0.5, 0.97, 1.0])
def test_levels_hold_a_value_exactly(value: float) -> None:
    shared = spread(torch.tensor([value]), 11)
    assert float(shared.sum()) == pytest.approx(1)
    assert (shared > 1e-6).sum() <= 2
    assert float((shared * torch.linspace(0, 1, 11)).sum()) == pytest.approx(value, abs=1e-6)
    assert float(expected(shared.clamp(min=1e-30).log())[0]) == pytest.approx(value, abs=1e-5)
