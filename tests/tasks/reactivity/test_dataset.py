"""Examples and batches of profiles, their base pairs, and the flip."""

import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from rnagen.io.reactivity_table import ReactivityTable
from rnagen.secondary.local import LONGEST
from rnagen.secondary.vienna import base_pair_probabilities
from rnagen.structure import BASES
from rnagen.tasks.reactivity.dataset import (
    ReactivityBatch,
    ReactivityDataset,
    flipped,
    flipped_features,
    reactivity_batch,
    reliability,
    reversal,
    trainable,
)
from rnagen.tasks.reactivity.pairs import MappedPairs
from tests.helpers.profiles import make_profiles, random_sequence, write_profiles


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> ReactivityTable:
    folder = tmp_path_factory.mktemp("table")
    frame = make_profiles(8)
    frame.loc[0, "reactivity_0008"] = np.inf
    frame.loc[1, "signal_to_noise"] = np.nan
    # id2 has one experiment only.
    frame = pd.concat([frame.iloc[:4], frame.iloc[5:]])
    return ReactivityTable.open(write_profiles(frame, folder / "profiles.parquet"), folder)


@pytest.fixture(scope="module")
def pairs(table: ReactivityTable, tmp_path_factory: pytest.TempPathFactory) -> MappedPairs:
    return MappedPairs.of(table.sequences(), tmp_path_factory.mktemp("pairs"))


def whole(table: ReactivityTable, pairs: MappedPairs | None = None, **options) -> ReactivityBatch:
    dataset = ReactivityDataset(table, trainable(table), pairs, **options)
    return reactivity_batch([dataset[n] for n in range(len(dataset))])


def test_a_batch_holds_what_the_table_holds(table: ReactivityTable, pairs: MappedPairs) -> None:
    batch = whole(table, pairs)
    length = batch.features.bases.shape[1]
    assert length % 16 == 0
    assert 0 <= length - table.lengths.max() < 16
    assert batch.numbers.tolist() == list(range(8))
    for n in range(8):
        residues = int(table.lengths[n])
        assert "".join(BASES[b] for b in batch.features.bases[n, :residues]) == table.sequence(n)
        assert batch.features.mask[n].tolist() == [True] * residues + [False] * (length - residues)
        assert batch.features.residue_index[n, :residues].tolist() == list(range(1, residues + 1))
        values = table.reactivity(n)
        np.testing.assert_array_equal(batch.observed[n, :residues], np.isfinite(values))
        np.testing.assert_array_equal(batch.reactivity[n, :residues], np.where(np.isfinite(values), values, 0))
        matrix = batch.features.pair_probabilities[n]
        np.testing.assert_allclose(matrix[:residues, :residues], base_pair_probabilities(table.sequence(n)), atol=1e-6)
        assert not matrix[residues:].any()
        assert not batch.observed[n, residues:].any()
    assert not batch.observed[0, 7, 0]
    assert not batch.observed[2, :, 0].any()
    assert batch.observed[2, :, 1].any()
    np.testing.assert_array_equal(batch.sn_filter, table.sn_filter)


def test_reliability_is_the_share_of_signal_in_the_variance() -> None:
    s = np.array([-1, 0, 1, 3, 1000, np.nan], dtype=np.float32)
    np.testing.assert_allclose(reliability(s), [0, 0, 0.5, 0.9, 1, 1], atol=1e-5)
    rng = np.random.default_rng(0)
    signal = rng.normal(scale=2, size=200_000)
    measured = signal + rng.normal(size=signal.size)
    # The gain by which a noisy value is best shrunk towards the mean: least squares of signal on measurement.
    gain = (signal * measured).sum() / (measured**2).sum()
    assert gain == pytest.approx(float(reliability(np.float32([2]))[0]), abs=0.01)


def test_weights_come_from_the_table_or_are_one(table: ReactivityTable) -> None:
    weighted, plain = whole(table), whole(table, weights=False)
    assert weighted.weight[0, 1] == 1
    assert ((weighted.weight >= 0) & (weighted.weight <= 1)).all()
    known = ~np.isnan(table.signal_to_noise)
    np.testing.assert_allclose(weighted.weight.numpy()[known], reliability(table.signal_to_noise[known]))
    assert (plain.weight == 1).all()


def test_without_pairs_there_are_none(table: ReactivityTable) -> None:
    assert not whole(table).features.pair_probabilities.any()


def test_what_is_used_decides_what_is_observed(table: ReactivityTable) -> None:
    used = np.zeros_like(table.sn_filter)
    used[[1, 4], [0, 1]] = True
    used[2, 0] = True  # was not measured
    dataset = ReactivityDataset(table, used)
    assert dataset.numbers.tolist() == [1, 4]
    assert dataset.lengths.tolist() == table.lengths[[1, 4]].tolist()
    batch = reactivity_batch([dataset[0], dataset[1]])
    np.testing.assert_array_equal(batch.observed.any(dim=1), [[True, False], [False, True]])
    assert not batch.reactivity[0, :, 1].any()


def test_minimal_signal_to_noise(table: ReactivityTable) -> None:
    selected = trainable(table, 1.0)
    assert selected[0, 1]  # unknown
    assert not selected[2, 0]  # not measured
    known = ~np.isnan(table.signal_to_noise)
    np.testing.assert_array_equal(selected[known], table.signal_to_noise[known] >= 1)
    assert 0 < selected[known].sum() < known.sum()


def test_misfits_are_refused(table: ReactivityTable, pairs: MappedPairs, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not fit the table"):
        ReactivityDataset(table, np.ones((3, 2), dtype=bool))
    with pytest.raises(ValueError, match="base pairs of 2 sequences"):
        ReactivityDataset(table, trainable(table), MappedPairs.of(table.sequences()[:2], tmp_path))


def test_a_worker_process_gives_the_same(table: ReactivityTable, pairs: MappedPairs) -> None:
    dataset = ReactivityDataset(table, trainable(table), pairs)
    here = list(DataLoader(dataset, batch_size=3, collate_fn=reactivity_batch))
    there = list(
        DataLoader(pickle.loads(pickle.dumps(dataset)), batch_size=3, collate_fn=reactivity_batch, num_workers=1)
    )
    assert len(here) == len(there) == 3
    for one, other in zip(here, there):
        assert torch.equal(one.reactivity, other.reactivity)
        assert torch.equal(one.features.pair_probabilities, other.features.pair_probabilities)


def test_pairs_are_computed_once_by_any_number_of_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnagen.tasks.reactivity.pairs.CHUNK", 3)
    sequences = [random_sequence(length, 1) for length in (30, 50, 24, 50, 41, 8, 33)] + ["NNNNNNNN"]
    mapped = MappedPairs.of(sequences, tmp_path / "one", workers=2)
    (file,) = (tmp_path / "one").iterdir()
    stamp = os.stat(file)
    again = MappedPairs.of(list(reversed(sequences)), tmp_path / "one")
    assert os.stat(file) == stamp
    assert len(mapped) == len(sequences)
    for n, sequence in enumerate(sequences):
        np.testing.assert_allclose(mapped[n].dense(), base_pair_probabilities(sequence), atol=1e-7)
        np.testing.assert_array_equal(again[len(sequences) - 1 - n].dense(), mapped[n].dense())
    assert any(len(mapped[n].pairs) for n in range(len(mapped)))
    copy = pickle.loads(pickle.dumps(mapped))
    np.testing.assert_array_equal(copy[1].pairs, mapped[1].pairs)


def test_an_interrupted_computation_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not supported"):
        MappedPairs.of([random_sequence(30, 0), "A" * (LONGEST + 1)], tmp_path)
    assert list(tmp_path.iterdir()) == []


@given(st.lists(st.integers(0, 9), min_size=1, max_size=6), st.data())
def test_reversal_is_its_own_inverse(lengths: list[int], data: st.DataObject) -> None:
    mask = torch.arange(10) < torch.tensor(lengths)[:, None]
    which = torch.tensor(data.draw(st.lists(st.booleans(), min_size=len(lengths), max_size=len(lengths))))
    order = reversal(mask, which)
    assert torch.equal(order.gather(1, order), torch.arange(10).expand_as(order))
    for row, length, moved in zip(order.tolist(), lengths, which.tolist()):
        residues = list(range(length))
        assert row == (residues[::-1] if moved else residues) + list(range(length, 10))


def test_a_flipped_batch_is_the_batch_of_the_reversed_rnas(table: ReactivityTable, pairs: MappedPairs) -> None:
    batch = whole(table, pairs)
    turned = flipped(batch)
    for n, length in enumerate(table.lengths.tolist()):
        for name in ("reactivity", "observed"):
            before, after = getattr(batch, name)[n], getattr(turned, name)[n]
            assert torch.equal(after[:length], before[:length].flip(0))
            assert torch.equal(after[length:], before[length:])
        assert torch.equal(turned.features.bases[n, :length], batch.features.bases[n, :length].flip(0))
        expected = batch.features.pair_probabilities[n, :length, :length].flip(0, 1)
        assert torch.equal(turned.features.pair_probabilities[n, :length, :length], expected)
    assert not torch.equal(turned.features.pair_probabilities, batch.features.pair_probabilities)
    assert torch.equal(turned.features.residue_index, batch.features.residue_index)
    assert torch.equal(turned.features.mask, batch.features.mask)


def test_only_the_chosen_rows_flip_and_twice_is_nothing(table: ReactivityTable, pairs: MappedPairs) -> None:
    batch = whole(table, pairs)
    which = torch.arange(8) % 2 == 0
    once = flipped(batch, which)
    assert torch.equal(once.reactivity[1::2], batch.reactivity[1::2])
    assert torch.equal(once.reactivity[::2], flipped(batch).reactivity[::2])
    twice = flipped(once, which)
    assert torch.equal(twice.reactivity, batch.reactivity)
    assert torch.equal(twice.observed, batch.observed)
    for name, value in vars(batch.features).items():
        assert value is None or torch.equal(getattr(twice.features, name), value)


def test_a_gap_moves_with_its_residues(table: ReactivityTable) -> None:
    features = whole(table).features
    index = features.residue_index.clone()
    index[:, 4:] += 10
    index[~features.mask] = 0
    length = int(table.lengths[0])
    turned = flipped_features(type(features)(features.bases, index, features.mask, features.pair_probabilities))
    steps = turned.residue_index[0, :length].diff()
    assert (steps > 0).all()
    assert int(steps.argmax()) == length - 5
    assert turned.residue_index[0, 0] == 1
    assert not turned.residue_index[0, length:].any()


def test_moving_to_a_device(table: ReactivityTable) -> None:
    moved = whole(table).to("meta")
    assert moved.weight.device.type == moved.features.bases.device.type == "meta"
    assert moved.numbers.device.type == "meta"
