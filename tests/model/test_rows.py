"""Blocks of rows and groups of channels change no result."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rnagen.config.structure import ModelConfig
from rnagen.features import References, RNAFeatures, collate, from_chain
from rnagen.model import rows, triangles
from rnagen.model.model import Context, RNAFlowModel
from rnagen.model.rows import by_rows, channel_groups, row_blocks
from tests.helpers.scored import tiny_head
from tests.helpers.tiny import TINY_MODEL, make_chain, stirred

LENGTH = 24


@given(st.integers(1, 6000), st.integers(1, 2**20))
def test_blocks_are_all_rows_in_order(length: int, pairs: int) -> None:
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(rows, "BLOCK_PAIRS", pairs)
        blocks = row_blocks(length)
    assert [k for block in blocks for k in range(block.start, block.stop)] == list(range(length))
    assert all(block.stop - block.start == 1 or (block.stop - block.start) * length <= pairs for block in blocks)
    assert row_blocks(length) == [slice(0, length)]


@given(st.integers(1, 300), st.integers(1, 6000))
def test_groups_are_all_channels_in_order(channels: int, length: int) -> None:
    groups = channel_groups(channels, length)
    assert [k for group in groups for k in range(group.start, group.stop)] == list(range(channels))
    assert all(g.stop - g.start == 1 or (g.stop - g.start) * length**2 <= rows.GROUP_PAIRS for g in groups)


@given(st.integers(1, 40))
@settings(max_examples=10)
def test_rows_are_put_together(pairs: int) -> None:
    whole = torch.arange(42.0).view(2, 7, 3)
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(rows, "BLOCK_PAIRS", pairs)
        assert torch.equal(by_rows(lambda some: whole[:, some], 7), whole)


def everything() -> tuple[RNAFlowModel, RNAFeatures]:
    """A model that reads all there is in pairs, and two RNAs of different lengths."""
    shape = replace(
        TINY_MODEL, trunk_layers=2, references=2, strands=True, secondary_structure=True, pair_features=("langdon2018",)
    )
    torch.manual_seed(0)
    model = stirred(RNAFlowModel(ModelConfig(**vars(shape)))).eval()
    chains = [make_chain(LENGTH), make_chain(LENGTH - 5, seed=1)]
    features = collate([from_chain(chain) for chain in chains], LENGTH)
    generator = torch.Generator().manual_seed(1)
    coords = 10 * torch.randn(2, 2, LENGTH, 4, 3, generator=generator)
    known = torch.rand(2, 2, LENGTH, 4, generator=generator) < 0.8
    table = torch.stack([torch.arange(LENGTH).flip(0)] * 2)
    strand = (torch.arange(LENGTH) > 9).long().expand(2, -1)
    references = References(coords, known, torch.rand(2, 2, LENGTH, generator=generator))
    return model, replace(features, references=references, pair_table=table, strand=strand)


def compared(context: Context) -> list[Tensor]:
    c1 = torch.randn(2, 3, LENGTH, 3, generator=torch.Generator().manual_seed(2)) * 10
    scores = tiny_head()(context.trunk, c1, context.features.mask)
    mask = context.features.mask
    pair = context.trunk.pair[mask[:, :, None] & mask[:, None]]
    return [context.trunk.single[mask], pair, context.latent.biases, scores.lddt[:, :, :-5], scores.tm]


@given(st.integers(1, 2 * LENGTH**2), st.integers(1, 4 * LENGTH**2))
@settings(max_examples=12, deadline=None)
def test_contexts_and_confidence_of_blocks_are_those_of_the_whole(pairs: int, group: int) -> None:
    model, features = everything()
    whole = compared(model.condition(features))
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(rows, "BLOCK_PAIRS", pairs)
        patch.setattr(rows, "GROUP_PAIRS", group)
        blocks = compared(model.condition(features))
    for one, other in zip(blocks, whole):
        torch.testing.assert_close(one, other.detach(), rtol=1e-4, atol=1e-4)


def test_long_rnas_multiply_edges_in_bfloat16() -> None:
    model, features = everything()
    with torch.no_grad(), pytest.MonkeyPatch.context() as patch:
        full = model.condition(features).trunk.pair
        patch.setattr(triangles, "LONGEST_IN_FULL", LENGTH - 1)
        half = model.condition(features).trunk.pair
    error = (half - full).abs().max() / full.abs().max()
    assert 0 < error < 0.02


def test_where_bfloat16_is_slow_it_is_stored_and_multiplied_in_full() -> None:
    left, right = torch.randn(2, 3, 140, 140).bfloat16()
    multiplied, widened = left.new_empty(2, 3, 140, 140)
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        for fast, sums in ((True, multiplied), (False, widened)):
            patch.setattr(triangles, "multiplies_bfloat16", lambda device, fast=fast: fast)
            triangles._multiply(left, right, sums)
    torch.testing.assert_close(widened, multiplied, rtol=2**-7, atol=1e-2)
