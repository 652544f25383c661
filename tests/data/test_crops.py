"""Crops of a whole batch, held against what they are defined as, row by row."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnagen.data.crops import contiguous_crops, pick, scaled, spatial_crops

ROWS = 5


def random_rows(width: int, seed: int, share: float) -> tuple[torch.Generator, torch.Tensor, torch.Tensor]:
    """A generator, lengths of chains of up to `width` residues, and which of these are resolved."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, width + 1, (ROWS,), generator=generator)
    lengths[0] = width
    inside = torch.arange(width) < lengths[:, None]
    return generator, lengths, (torch.rand(ROWS, width, generator=generator) < share) & inside


@settings(max_examples=40)
@given(st.integers(1, 60), st.integers(1, 40), st.integers(0, 2**32))
def test_contiguous_crops_are_stretches_with_a_resolved_residue(width: int, size: int, seed: int) -> None:
    generator, lengths, resolved = random_rows(width, seed, 0.2)
    crops = contiguous_crops(resolved, lengths, size, torch.rand(ROWS, 2, generator=generator))
    for crop, length, known in zip(crops, lengths.tolist(), resolved):
        residues = crop.nonzero()[:, 0]
        assert len(residues) == min(length, size)
        assert (residues.diff() == 1).all()
        assert residues[-1] < length
        assert known[residues].any() == known.any()


def test_contiguous_crops_reach_both_ends() -> None:
    generator = torch.Generator().manual_seed(0)
    resolved = torch.ones(300, 12, dtype=torch.bool)
    crops = contiguous_crops(resolved, torch.full((300,), 12), 5, torch.rand(300, 2, generator=generator))
    assert set(crops.int().argmax(1).tolist()) == set(range(8))


@settings(max_examples=40)
@given(st.integers(1, 60), st.integers(1, 40), st.integers(0, 2**32))
def test_spatial_crops_take_the_nearest(width: int, size: int, seed: int) -> None:
    generator, _, resolved = random_rows(width, seed, 0.8)
    positions = torch.randn(ROWS, width, 3, generator=generator)
    crops = spatial_crops(positions, resolved, size, torch.rand(ROWS, generator=generator))
    for crop, known, place in zip(crops, resolved, positions):
        assert crop.sum() == min(size, int(known.sum()))
        assert (known | ~crop).all()
        if not known.any():
            continue
        # Some resolved residue has the whole crop as its nearest neighbours.
        distance = (place[:, None] - place).norm(dim=-1).masked_fill(~known, torch.inf)
        nearest = distance[known].topk(int(crop.sum()), largest=False).indices
        assert crop.nonzero()[:, 0].tolist() in nearest.sort().values.tolist()


def test_picks_are_even_and_stay_among() -> None:
    among = torch.tensor([False, True, False, True, True]).expand(3000, 5)
    picked = pick(among, torch.rand(3000, generator=torch.Generator().manual_seed(0)))
    counts = picked.bincount(minlength=5)
    assert counts[[0, 2]].sum() == 0
    assert counts[[1, 3, 4]].min() > 900
    assert pick(torch.zeros(1, 4, dtype=torch.bool), torch.tensor([0.7])).tolist() == [0]


def test_a_number_just_below_one_scales_to_the_last() -> None:
    almost = torch.full((3,), 1 - 2**-24)
    counts = torch.tensor([1, 3, 2**22 + 1])
    assert scaled(almost, counts).tolist() == [0, 2, 2**22]
