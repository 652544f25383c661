"""Scores of an ensemble: closed forms, and the same numbers as an evaluation."""

import numpy as np
import pytest
import torch

from rnagen.evaluation.baselines import helix, random_walk
from rnagen.evaluation.conformers import score_ensemble
from rnagen.evaluation.scores import score_target
from rnagen.geometry import random_rotations
from rnagen.structure import RNAStructure

LENGTH = 24


def everything(n: int) -> torch.Tensor:
    return torch.ones(n, LENGTH, dtype=torch.bool)


def test_identical_conformers_have_no_diversity_and_the_native_itself_is_perfect() -> None:
    native = helix(LENGTH)
    moved = torch.einsum("nij,lj->nli", random_rotations(3, torch.Generator().manual_seed(0)), native[0]) + 7
    found = score_ensemble(moved, everything(3), native, everything(1))
    torch.testing.assert_close(found.tm, torch.ones(3, dtype=torch.float64), atol=1e-4, rtol=0)
    torch.testing.assert_close(found.lddt, torch.ones(3))
    assert found.one_minus_tm == pytest.approx(0, abs=1e-4)


def test_a_single_conformer_has_no_diversity() -> None:
    assert score_ensemble(helix(LENGTH), everything(1), helix(LENGTH), everything(1)).one_minus_tm == 0


def test_each_conformer_counts_against_its_best_reference() -> None:
    walks = random_walk(LENGTH, seed=1, n=2)
    found = score_ensemble(walks, everything(2), walks.flip(0), everything(2))
    torch.testing.assert_close(found.tm, torch.ones(2, dtype=torch.float64), atol=1e-4, rtol=0)
    torch.testing.assert_close(found.lddt, torch.ones(2))


def test_residues_that_a_conformer_lacks_score_nothing() -> None:
    present = everything(2)
    present[1, LENGTH // 2 :] = False
    found = score_ensemble(helix(LENGTH).expand(2, -1, -1), present, helix(LENGTH), everything(1))
    assert found.tm[1] == pytest.approx(0.5, abs=1e-3)
    assert found.lddt[1] < 0.5


def test_an_evaluation_has_the_same_numbers() -> None:
    samples, refs = random_walk(LENGTH, seed=2, n=3), random_walk(LENGTH, seed=3, n=2)
    found = score_ensemble(samples, everything(3), refs, everything(2))

    def rna(coords: torch.Tensor) -> RNAStructure:
        mask = np.ones((len(coords), LENGTH, 1), dtype=bool)
        return RNAStructure("rna", "A" * LENGTH, coords[:, :, None].numpy(), mask, ("C1'",))

    score = score_target(rna(samples), rna(refs), "", with_baselines=False)
    assert (score.best1, score.best5) == (float(found.tm[0]), float(found.tm.max()))
    assert (score.lddt, score.one_minus_tm) == (float(found.lddt.max()), found.one_minus_tm)
