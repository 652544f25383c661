"""Sampled secondary structures and the conformers that are conditioned on them."""

import torch

from rnagen.features import from_sequence
from rnagen.sampling.secondary import sampled_secondary_structures
from tests.helpers.tiny import TINY

SEQUENCE = "GGGAAACUUCGGUUUCCC"


def test_each_conformer_has_the_secondary_structure_of_its_number() -> None:
    features = from_sequence(TINY.model, SEQUENCE)
    groups = sampled_secondary_structures(features, "r", list(range(40)), seed=0)
    assert sorted(k for some, _ in groups for k in some) == list(range(40))
    assert 1 < len(groups) < 40
    for some, conditioned in groups:
        (alone,) = sampled_secondary_structures(features, "r", some[:1], seed=0)
        assert torch.equal(alone[1].pair_table, conditioned.pair_table)
