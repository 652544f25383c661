"""Length-matched batches: everything once, exactly counted, the same on every rank."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    DistributedSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    WeightedRandomSampler,
)

from rnagen.tasks.reactivity.batches import LengthMatchedBatchSampler

LENGTHS = st.lists(st.integers(1, 300), min_size=1, max_size=120).map(np.array)
SIZES = st.integers(1, 9)


def batches_of(sampler: Sampler, lengths: np.ndarray, size: int, **options) -> list[list[int]]:
    matched = LengthMatchedBatchSampler(sampler, lengths, size, **options)
    batches = list(matched)
    assert len(batches) == len(matched)
    return batches


@settings(max_examples=100, deadline=None)
@given(LENGTHS, SIZES, st.integers(1, 40))
def test_every_index_once(lengths: np.ndarray, size: int, bucket: int) -> None:
    batches = batches_of(RandomSampler(lengths), lengths, size, bucket=bucket)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert all(len(batch) == size for batch in batches[:-1])
    assert 0 < len(batches[-1]) <= size


@settings(max_examples=100, deadline=None)
@given(LENGTHS, SIZES)
def test_drop_last_drops_less_than_a_batch_and_the_latest(lengths: np.ndarray, size: int) -> None:
    batches = batches_of(SequentialSampler(lengths), lengths, size, drop_last=True)
    selected = [index for batch in batches for index in batch]
    assert all(len(batch) == size for batch in batches)
    assert len(set(selected)) == len(selected) == len(lengths) // size * size


def test_drop_last_leaves_out_what_came_last() -> None:
    lengths = np.array([100, 20, 120, 10, 80])
    assert batches_of(SequentialSampler(lengths), lengths, 2, drop_last=True) == [[3, 1], [0, 2]]


@settings(max_examples=50, deadline=None)
@given(LENGTHS, SIZES)
def test_only_the_rest_mixes_buckets(lengths: np.ndarray, size: int) -> None:
    batches = batches_of(RandomSampler(lengths), lengths, size)
    full = sum(int(n) // size for n in Counter((lengths // 16).tolist()).values())
    for batch in batches[:full]:
        assert len(set((lengths[batch] // 16).tolist())) == 1
    rest = [int(lengths[index]) for batch in batches[full:] for index in batch]
    assert rest == sorted(rest)


@settings(max_examples=60, deadline=None)
@given(LENGTHS, SIZES, st.integers(1, 4), st.booleans(), st.integers(0, 3))
def test_ranks_have_equally_many_batches(
    lengths: np.ndarray, size: int, world: int, drop_last: bool, epoch: int
) -> None:
    counts, seen = set(), []
    for rank in range(world):
        base = DistributedSampler(lengths, world, rank, shuffle=True, seed=1)
        matched = LengthMatchedBatchSampler(base, lengths, size, drop_last=drop_last)
        matched.set_epoch(epoch)
        batches = list(matched)
        assert len(batches) == len(matched)
        counts.add(len(batches))
        seen += [index for batch in batches for index in batch]
    assert len(counts) == 1
    if not drop_last:
        # DistributedSampler repeats the first indices so that each rank has equally many.
        assert set(seen) == set(range(len(lengths)))
        assert len(seen) == -(-len(lengths) // world) * world


def test_the_epoch_reaches_the_sampler() -> None:
    lengths = np.arange(20, 120)
    matched = LengthMatchedBatchSampler(DistributedSampler(lengths, 2, 0), lengths, 4)
    first = list(matched)
    assert list(matched) == first
    matched.set_epoch(1)
    assert list(matched) != first
    LengthMatchedBatchSampler(SequentialSampler(lengths), lengths, 4).set_epoch(1)


def test_order_of_the_sampler_decides() -> None:
    lengths = np.array([20, 40, 21, 41, 22, 42])
    assert batches_of(SequentialSampler(lengths), lengths, 2) == [[0, 2], [1, 3], [4, 5]]


def test_repeats_of_a_weighted_sampler_stay() -> None:
    lengths = np.full(5, 50)
    base = WeightedRandomSampler([0.0, 0.0, 1.0, 0.0, 0.0], 7)
    assert [index for batch in batches_of(base, lengths, 3) for index in batch] == [2] * 7


def test_less_padding_than_random_batches() -> None:
    lengths = np.random.default_rng(0).integers(60, 220, 600)

    def padding(batches: list[list[int]]) -> float:
        return 1 - lengths.sum() / sum(len(batch) * lengths[batch].max() for batch in batches)

    matched = padding(batches_of(RandomSampler(lengths), lengths, 16))
    assert matched < 0.25 * padding(list(BatchSampler(RandomSampler(lengths), 16, False)))


def test_a_loader_takes_it() -> None:
    lengths = np.arange(30, 60)
    loader = DataLoader(lengths, batch_sampler=LengthMatchedBatchSampler(SequentialSampler(lengths), lengths, 8))
    assert sorted(int(length) for batch in loader for length in batch) == lengths.tolist()
    assert len(loader) == 4


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"batch_size": 2, "bucket": 0}])
def test_sizes_below_one_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        LengthMatchedBatchSampler(SequentialSampler(range(3)), np.arange(3), **options)
