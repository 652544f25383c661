"""Spread of conformers against references: closed forms of moved rods."""

import json

import numpy as np
import pytest
import torch

from rnagen.evaluation.baselines import random_walk
from rnagen.evaluation.spread import LEAST_REFERENCES, score_spread, summarize_spread


def breathing(amplitude: float, n: int = 40, seed: int = 0, length: int = 30) -> torch.Tensor:
    """Conformers of one shape whose residues move independently, the later the more."""
    generator = torch.Generator().manual_seed(seed)
    scale = amplitude * torch.linspace(0.1, 1.0, length)[:, None]
    return random_walk(length, 7, 1) + scale * torch.randn(n, length, 3, generator=generator)


def everything(conformers: torch.Tensor) -> torch.Tensor:
    return torch.ones(conformers.shape[:2], dtype=torch.bool)


def test_conformers_that_move_alike_correlate_and_half_as_far_is_seen() -> None:
    samples, refs = breathing(0.5, seed=1), breathing(1.0, seed=2)
    found = score_spread(samples, everything(samples), refs, everything(refs))
    numbers = found.numbers()
    assert numbers["rmsf_pearson"] > 0.9
    assert numbers["rmsf_spearman"] > 0.9
    assert numbers["rmsf_sampled"] / numbers["rmsf_reference"] == pytest.approx(0.5, abs=0.05)
    same = score_spread(refs, everything(refs), refs, everything(refs)).numbers()
    assert same["wasserstein"] == pytest.approx(0, abs=1e-6)
    assert same["cov_r_2"] == same["cov_p_2"] == 1
    assert numbers["wasserstein"] > 0.1


def test_few_references_have_no_fluctuation_but_states() -> None:
    refs = torch.cat([random_walk(20, seed, 1) for seed in (1, 2)])
    assert len(refs) < LEAST_REFERENCES
    found = score_spread(refs, everything(refs), refs, everything(refs))
    assert found.fluctuation is None
    assert found.both_states is True
    assert "rmsf_spearman" not in found.numbers()
    one = score_spread(refs[:1], everything(refs[:1]), refs, everything(refs))
    assert one.both_states is False


def test_one_reference_or_few_common_residues_give_nothing() -> None:
    refs = breathing(1.0, n=6)
    assert score_spread(refs, everything(refs), refs[:1], everything(refs[:1])) is None
    masks = everything(refs)
    masks[0, 3:] = False
    assert score_spread(refs, everything(refs), refs, masks) is None


def test_summary_pools_residues_and_leaves_out_rnas_without_a_number() -> None:
    moving = breathing(1.0, n=12)
    still = torch.cat([random_walk(20, seed, 1) for seed in (1, 2)])
    spreads = [score_spread(some, everything(some), some, everything(some)) for some in (moving, still)]
    found = summarize_spread(spreads, seed=0)
    assert found["pooled_pearson"].mean == pytest.approx(1)
    assert found["rmsf_spearman"].mean == pytest.approx(1)
    assert found["both_states"].mean == 1
    assert found["amr_r"].low <= found["amr_r"].mean <= found["amr_r"].high
    plain = json.loads(json.dumps(spreads[0].to_plain()))
    assert np.mean(plain["fluctuation"]["sampled"]) == pytest.approx(plain["numbers"]["rmsf_sampled"])
