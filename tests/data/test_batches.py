"""Batches gathered from tensors on the device, held against the chains they come from."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rnagen.data.batches import Batch, DeviceChains
from rnagen.data.plans import CHOICES, BatchPlan
from rnagen.features import Chain
from rnagen.structure import UNKNOWN, UNPAIRED
from tests.helpers.tiny import make_chain, make_draw, stacked

C1 = 2


def some_chains() -> list[Chain]:
    shapes = [(50, 3, 0.9), (20, 1, 1.0), (33, 2, 0.5), (7, 1, 0.0), (120, 2, 0.9)]
    return [make_chain(n, seed=n, models=m, resolved=share) for n, m, share in shapes]


def plans(count: int, length: int, n: int = 20) -> list[BatchPlan]:
    rng = np.random.default_rng(0)
    return [
        BatchPlan(rng.integers(5, size=count), rng.random((count, CHOICES), dtype=np.float32), length, seed)
        for seed in range(n)
    ]


def check(batch: Batch, chains: list[Chain], rows: np.ndarray) -> None:
    """Everything in the batch is that of the visible residues, of one conformer, and zero elsewhere."""
    f = batch.features
    for i, row in enumerate(rows):
        chain, visible = chains[row], f.mask[i]
        residues = f.residue_index[i][visible].numpy() - 1
        assert (np.diff(residues) > 0).all()
        np.testing.assert_array_equal(f.bases[i][visible].numpy(), chain.bases[residues])
        conformers = [
            np.array_equal(batch.coords[i][visible].numpy(), chain.coords[m][residues])
            and np.array_equal(batch.mask[i][visible].numpy(), chain.mask[m][residues])
            for m in range(len(chain.coords))
        ]
        assert any(conformers)
        pairs = f.pair_probabilities[i]
        expected = chain.pairs.dense()[np.ix_(residues, residues)]
        np.testing.assert_array_equal(pairs[visible][:, visible].numpy(), expected)
        if f.pair_features is not None:
            pair_features = chain.pairs.dense_features()[np.ix_(residues, residues)].astype(np.float16)
            np.testing.assert_array_equal(f.pair_features[i][visible][:, visible].numpy(), pair_features)
            assert not f.pair_features[i][~visible].any()
        for tensor in (f.bases[i], f.residue_index[i], batch.coords[i], batch.mask[i], pairs, pairs.mT):
            assert not tensor[~visible].any()


@pytest.mark.parametrize("spatial_share", [0.0, 0.5, 1.0])
def test_a_batch_shows_residues_of_the_chains_drawn(spatial_share: float) -> None:
    chains, crop = some_chains(), 24
    batches = DeviceChains(stacked(chains), spatial_share, pair_features=True)
    seen = set()
    for plan in plans(6, crop):
        batch = batches.batch(plan)
        check(batch, chains, plan.rows)
        assert batch.seed == plan.seed
        for row, choices, mask, index in zip(
            plan.rows, plan.choices, batch.features.mask, batch.features.residue_index
        ):
            length = len(chains[row].bases)
            near = choices[1] < spatial_share and chains[row].mask.any()
            assert near or mask.sum() == min(length, crop)
            assert near or (index[mask].diff() == 1).all()
            seen.add((int(row), tuple(index[mask].tolist())))
    assert len(seen) > 30


def test_secondary_structures_are_those_of_the_residues_shown() -> None:
    chains = []
    for chain in some_chains():
        sampled = np.where(chain.pair_tables[:, 0] >= 0, UNPAIRED, chain.pair_tables[:, 0])
        chains.append(replace(chain, pair_tables=np.stack([chain.pair_tables[:, 0], sampled], axis=-1)))
    batches = DeviceChains(stacked(chains), 0.5, structure_share=0.6)
    kinds = []
    for plan in plans(8, 24):
        batch = batches.batch(plan)
        assert batch.features.pair_table is not None
        for row, index, mask, pair_table in zip(
            plan.rows, batch.features.residue_index, batch.features.mask, batch.features.pair_table
        ):
            assert (pair_table[~mask] == UNKNOWN).all()
            if (pair_table == UNKNOWN).all():
                kinds.append("none")
                continue
            residues, found = (index[mask] - 1).tolist(), pair_table[mask].tolist()
            own, sampled = chains[row].pair_tables[residues].T
            as_own = [residues.index(j) if j in residues else UNKNOWN if j >= 0 else j for j in own]
            assert found in (as_own, sampled.tolist())
            kinds.append("own" if found == as_own else "sampled")
    shares = {kind: kinds.count(kind) / len(kinds) for kind in ("none", "own", "sampled")}
    assert shares["none"] == pytest.approx(0.4, abs=0.1)
    assert min(shares.values()) > 0.15


def test_each_example_has_the_label_of_its_chain() -> None:
    chains = some_chains()
    labels = torch.arange(len(chains)) % 3
    labelled, plain = DeviceChains(stacked(chains), 0.5, labels=labels), DeviceChains(stacked(chains), 0.5)
    for plan in plans(3, 24):
        features = labelled.batch(plan).features
        assert features.label is not None
        assert features.label.equal(labels[plan.rows])
        assert plain.batch(plan).features.label is None


def test_near_residues_are_resolved_and_all_conformers_are_drawn() -> None:
    chains = [make_chain(50, seed=1, models=3, resolved=0.8)]
    batch = DeviceChains(stacked(chains), 1.0).batch(replace(plans(64, 16, 1)[0], rows=np.zeros(64, dtype=int)))
    assert batch.mask[:, :, C1].equal(batch.features.mask)
    assert (batch.features.mask.sum(1) == 16).all()
    where = [
        [m for m in range(3) if np.array_equal(coords, chains[0].coords[m][index - 1])]
        for coords, index in zip(batch.coords.numpy(), batch.features.residue_index.numpy())
    ]
    assert {m for found in where for m in found} == {0, 1, 2}


def test_the_length_of_a_batch_is_that_of_its_draw() -> None:
    """Chains may be far shorter, or longer, than their crops."""
    chains = some_chains()
    for length in (24, 32, 200):
        batch = DeviceChains(stacked(chains), 0.5).batch(replace(plans(4, length, 1)[0], rows=np.arange(4)))
        assert batch.coords.shape == (4, length, 4, 3)
        assert batch.features.pair_probabilities.shape == (4, length, length)
        check(batch, chains, np.arange(4))


def test_chains_without_base_pairs_make_a_batch() -> None:
    chains = [make_chain(2), make_chain(1)]
    assert not any(len(chain.pairs.pairs) for chain in chains)
    batch = DeviceChains(stacked(chains), 0.5).batch(make_draw(chains, 8))
    check(batch, chains, np.arange(2))


def test_processes_deal_out_what_one_process_sees() -> None:
    chains = some_chains()
    batches = DeviceChains(stacked(chains), 0.5)
    [plan] = plans(6, 24, 1)
    whole, parts = batches.batch(plan), [batches.batch(plan, rank, 2) for rank in range(2)]
    for rank, part in enumerate(parts):
        assert (part.rank, part.world, part.seed) == (rank, 2, whole.seed)
        assert torch.equal(part.coords, whole.coords[rank::2])
        assert torch.equal(part.mask, whole.mask[rank::2])
        for name, value in vars(part.features).items():
            if value is not None:
                assert torch.equal(value, getattr(whole.features, name)[rank::2]), name
