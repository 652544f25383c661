"""The comparison of ensembles: which RNAs it is on, and that what is stored is read back."""

import json

import pytest
import torch

from rnagen.evaluation.baselines import random_walk
from rnagen.evaluation.spread import score_spread


def test_what_is_stored_is_read_back() -> None:
    from ensembles import rounded, spread_of, summary_of

    conformers = torch.cat([random_walk(20, seed, 1) for seed in range(6)])
    masks = torch.ones(conformers.shape[:2], dtype=torch.bool)
    spread = score_spread(conformers[:4], masks[:4], conformers, masks)
    assert spread is not None
    plain = json.loads(json.dumps(rounded(spread.to_plain())))
    again = spread_of(plain)
    for name, value in spread.numbers().items():
        assert again.numbers()[name] == pytest.approx(value, abs=2e-3)
    rows = {"a": {**plain, "seen": True}, "b": {**plain, "seen": False}, "c": None}
    found = summary_of(rows)
    assert found["rnas"] == 2
    assert found["unseen"]["both_states"] == [int(bool(spread.both_states)), 1]
    assert found["unseen"]["amr_r"] == pytest.approx(spread.agreement.amr_r, abs=2e-3)
    assert found["amr_r"][0] == pytest.approx(spread.agreement.amr_r, abs=2e-3)
