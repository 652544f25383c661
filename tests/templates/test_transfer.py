"""Copies of templates."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rnagen.metrics.tm import tm_score
from rnagen.templates.library import C1
from rnagen.templates.search import Match, align_with
from rnagen.templates.transfer import STEP, transfer
from tests.helpers.queries import query_of, synthetic_template


def own(length: int = 40) -> Match:
    """A structure aligned with itself."""
    chain = synthetic_template(0, length)
    return align_with(query_of(chain), [chain])[0]


def without(match: Match, rows: slice) -> Match:
    """Nothing aligned with these residues of the query."""
    positions = match.positions.copy()
    positions[rows] = -1
    return replace(match, positions=positions)


def test_the_own_structure_comes_back() -> None:
    match = own()
    found = transfer(match)
    np.testing.assert_allclose(found.coords, match.chain.coords, atol=1e-5)
    assert found.known.all()
    c1 = (torch.from_numpy(coords[:, C1]) for coords in (found.coords, match.chain.coords))
    assert float(tm_score(*c1, torch.ones(40, dtype=torch.bool))) == pytest.approx(1, abs=1e-6)


def test_arcs_take_steps_of_six() -> None:
    match = own()
    found = transfer(without(match, slice(15, 22)))
    c1 = found.coords[:, C1]
    np.testing.assert_allclose(np.linalg.norm(np.diff(c1[14:23], axis=0), axis=-1), STEP, rtol=0.01)
    np.testing.assert_allclose(found.coords[found.known], match.chain.coords[found.known], atol=1e-5)
    assert not found.known[15:22].any()


def test_gaps_that_are_too_wide_are_spanned_evenly() -> None:
    match = own()
    coords = match.chain.coords.copy()
    coords[22:] += 100
    wide = without(replace(match, chain=replace(match.chain, coords=coords)), slice(15, 22))
    steps = np.linalg.norm(np.diff(transfer(wide).coords[14:23, C1], axis=0), axis=-1)
    assert steps.max() < 1.05 * steps.min()


@pytest.mark.parametrize("rows", [slice(0, 6), slice(34, 40)])
def test_ends_go_on_as_helices(rows: slice) -> None:
    found = transfer(without(own(), rows))
    steps = np.linalg.norm(np.diff(found.coords[rows, C1], axis=0), axis=-1)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-3)
    assert 5 < steps[0] < 6.5


def test_beads_that_the_template_lacks() -> None:
    match = own()
    mask = match.chain.mask.copy()
    mask[:, [0, 1, 3]] = False
    found = transfer(replace(match, chain=replace(match.chain, mask=mask)))
    np.testing.assert_allclose(found.coords[:, C1], match.chain.coords[:, C1], atol=1e-5)
    bonds = np.linalg.norm(found.coords[:, 3] - found.coords[:, C1], axis=-1)
    np.testing.assert_allclose(bonds, bonds[0], rtol=1e-3)
    assert np.isfinite(found.coords).all()


def test_too_little_is_aligned() -> None:
    with pytest.raises(ValueError, match="2 residues"):
        transfer(without(own(), slice(2, 40)))
    assert np.isfinite(transfer(without(own(), slice(3, 40))).coords).all()
