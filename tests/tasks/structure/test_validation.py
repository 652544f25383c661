"""Scores of the conformers of a validation chain, and their names."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rnagen.aform import helix
from rnagen.structure import BEADS
from rnagen.tasks.structure.validation import best_of, score_names, validate_conformers
from tests.helpers.tiny import make_chain

LENGTH = 20


def native_helix(models: int = 1):
    coords = np.repeat(helix(LENGTH)[0][None], models, axis=0).astype(np.float32)
    return replace(make_chain(LENGTH), coords=coords, mask=np.ones((models, LENGTH, 4), dtype=bool))


def test_the_names_have_the_number_of_conformers() -> None:
    assert best_of(3) == "tm_best3"
    assert score_names(3) == (
        *("tm_best1", "tm_best3", "tm_helix", "lddt_best3", "lddt_mean3", "one_minus_tm_mean3"),
        *("clashing_residues_mean3", "bond_outliers_mean3"),
    )
    single = ("tm_best1", "tm_helix", "lddt_best1", "lddt_mean1", "clashing_residues_mean1", "bond_outliers_mean1")
    assert score_names(1) == single


@pytest.mark.parametrize("n", [1, 3])
def test_the_native_structure_as_every_conformer_is_perfect(n: int) -> None:
    chain = native_helix()
    scores, sampled = validate_conformers(torch.from_numpy(chain.coords).expand(n, -1, -1, -1), chain, BEADS)
    assert tuple(scores) == score_names(n)
    zero = {"one_minus_tm_mean3", f"clashing_residues_mean{n}", f"bond_outliers_mean{n}"}
    for name, value in scores.items():
        assert value == pytest.approx(0 if name in zero else 1, abs=1e-4), name
    assert sampled.conformers.shape == (n, LENGTH, 3)
    np.testing.assert_allclose(sampled.tm, 1, atol=1e-4)


def test_best_mean_and_share_of_one_good_and_one_bad_conformer() -> None:
    chain = native_helix()
    good = torch.from_numpy(chain.coords)
    # Stretched twofold, no bond is right and nothing clashes.
    scores, sampled = validate_conformers(torch.cat([2 * good, good]), chain, BEADS)
    assert scores["tm_best1"] == sampled.tm[0] < 0.5
    assert scores["tm_best2"] == pytest.approx(1, abs=1e-4)
    assert scores["lddt_best2"] == 1
    assert 0.5 <= scores["lddt_mean2"] < 0.8
    assert scores["bond_outliers_mean2"] == 0.5
    assert scores["clashing_residues_mean2"] == 0
    assert scores["one_minus_tm_mean2"] == pytest.approx(1 - scores["tm_best1"], abs=0.02)
    # All beads in one place: every residue clashes.
    scores, _ = validate_conformers(torch.cat([0 * good, good]), chain, BEADS)
    assert scores["clashing_residues_mean2"] == 0.5


def test_c1_alone_is_scored_too() -> None:
    chain = native_helix()
    chain = replace(chain, coords=chain.coords[:, :, 2:3], mask=chain.mask[:, :, 2:3])
    scores, _ = validate_conformers(torch.from_numpy(chain.coords).expand(2, -1, -1, -1), chain, ("C1'",))
    assert scores["bond_outliers_mean2"] == scores["clashing_residues_mean2"] == 0
