"""Crops, examples, padding and the stream of draws."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnagen.data.crops import contiguous_crop, spatial_crop
from rnagen.data.dataset import LENGTH_BUCKET, Chain, CropDataset, Draw, collate, crop_pairs
from rnagen.data.pairs import SparsePairs
from rnagen.data.sampler import ChainSampler, chain_weights

ATOMS = ("P", "C4'", "C1'", "N")


def make_chain(length: int, models: int = 2, seed: int = 0) -> Chain:
    rng = np.random.default_rng(seed)
    pairs = np.array([[i, length - 1 - i] for i in range(length // 2)], dtype=np.int16).reshape(-1, 2)
    return Chain(
        name=f"chain{length}",
        bases=rng.integers(0, 4, length).astype(np.int32),
        residue_index=np.arange(1, length + 1, dtype=np.int32),
        coords=rng.normal(size=(models, length, 4, 3)).astype(np.float32),
        mask=rng.random((models, length, 4)) < 0.9,
        pairs=SparsePairs(length, pairs, rng.random(len(pairs)).astype(np.float32)),
    )


@given(st.integers(1, 60), st.integers(1, 40), st.integers(0, 2**32))
def test_contiguous_crop_is_a_stretch_with_a_resolved_residue(length: int, size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    resolved = rng.random(length) < 0.2
    crop = contiguous_crop(resolved, size, rng)
    assert len(crop) == min(length, size)
    assert (np.diff(crop) == 1).all()
    assert crop[0] >= 0
    assert crop[-1] < length
    assert resolved[crop].any() == resolved.any()


def test_contiguous_crops_reach_both_ends() -> None:
    rng = np.random.default_rng(0)
    starts = {int(contiguous_crop(np.ones(12, dtype=bool), 5, rng)[0]) for _ in range(300)}
    assert starts == set(range(8))


@given(st.integers(1, 60), st.integers(1, 40), st.integers(0, 2**32))
def test_spatial_crop_takes_the_nearest(length: int, size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    positions = rng.normal(size=(length, 3)).astype(np.float32)
    resolved = rng.random(length) < 0.8
    resolved[rng.integers(length)] = True
    crop = spatial_crop(positions, resolved, size, rng)
    assert len(crop) == min(size, resolved.sum())
    assert resolved[crop].all()
    assert (np.diff(crop) > 0).all()
    # Some resolved residue has the whole crop as its nearest neighbours.
    distance = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    distance[:, ~resolved] = np.inf
    nearest = [set(np.argsort(distance[i], kind="stable")[: len(crop)]) for i in np.flatnonzero(resolved)]
    assert set(crop) in nearest


def test_cropped_pairs_equal_the_cropped_matrix() -> None:
    chain = make_chain(31)
    residues = np.array([0, 3, 4, 5, 12, 15, 25, 26, 27, 30])
    np.testing.assert_array_equal(crop_pairs(chain.pairs, residues), chain.pairs.dense()[np.ix_(residues, residues)])


def test_an_example_is_a_function_of_its_seed() -> None:
    dataset = CropDataset([make_chain(50), make_chain(20)], ATOMS, crop=16, spatial_share=0.5)
    first = dataset[Draw(0, 42)]
    dataset[Draw(1, 7)]
    again = dataset[Draw(0, 42)]
    for name, value in vars(first).items():
        np.testing.assert_array_equal(value, getattr(again, name))
    others = [dataset[Draw(0, seed)] for seed in range(20)]
    assert len({tuple(e.residue_index) for e in others}) > 10
    # Coordinates, bases and pairs are those of the residues shown.
    chain = dataset.chains[0]
    for example in others:
        rows = example.residue_index - 1
        np.testing.assert_array_equal(example.bases, chain.bases[rows])
        assert any(np.array_equal(example.coords, chain.coords[m][rows]) for m in range(2))


def test_collate_pads_with_zeros_to_the_bucket() -> None:
    dataset = CropDataset([make_chain(50), make_chain(20)], ATOMS, crop=40, spatial_share=0.0)
    batch = collate([dataset[Draw(0, 1)], dataset[Draw(1, 2)]])
    assert batch.coords.shape == (2, 2 * LENGTH_BUCKET, 4, 3)
    assert batch.features.mask.sum(1).tolist() == [40, 20]
    padding = ~batch.features.mask
    for tensor in (batch.coords, batch.mask, batch.features.bases, batch.features.residue_index):
        assert not tensor[padding].any()
    probabilities = batch.features.pair_probabilities
    assert not probabilities[padding].any()
    torch.testing.assert_close(probabilities, probabilities.mT)
    torch.testing.assert_close(batch.coords[1, :20], torch.from_numpy(dataset[Draw(1, 2)].coords))


def make_sampler(**options: int) -> ChainSampler:
    lengths = np.arange(20, 80)
    weights = chain_weights(lengths, np.arange(60), 0.7, 0.6)
    return ChainSampler(weights, lengths, **{"batch_size": 4, "batches": 10, "seed": 3, **options})


def test_processes_deal_out_what_one_process_with_a_larger_batch_sees() -> None:
    whole = list(make_sampler(batch_size=8))
    parts = [list(make_sampler(batch_size=4, rank=rank, world=2)) for rank in range(2)]
    for batch, first, second in zip(whole, *parts):
        assert set(batch) == set(first) | set(second)
        assert len(batch) == 8


def test_position_resumes_in_the_middle_of_an_epoch() -> None:
    sampler = make_sampler()
    epochs = [list(sampler) for _ in range(3)]
    assert epochs[0] != epochs[1]
    later = make_sampler()
    later.position = 14
    assert list(later) == epochs[1][4:]
    assert list(later) == epochs[2]


def test_weights_follow_length_and_cluster() -> None:
    weights = chain_weights(np.array([10, 40, 40, 40]), np.array([0, 1, 2, 2]), 0.5, 1.0)
    assert weights.sum() == pytest.approx(1)
    np.testing.assert_allclose(weights / weights[0], [1, 2, 1, 1])


def test_batches_hold_chains_of_similar_length() -> None:
    sampler = make_sampler(batches=64)
    spread = [np.ptp([sampler.lengths[d.row] for d in batch]) for batch in sampler]
    assert np.mean(spread) < 10
