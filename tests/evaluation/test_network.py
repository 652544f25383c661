"""Interaction network fidelity of conformers with all atoms."""

from dataclasses import replace

import numpy as np
import pytest

from rnagen.allatom import complete
from rnagen.evaluation.network import best_network, network_scores
from rnagen.secondary.interactions import can_annotate
from rnagen.structure import HEAVY_ATOMS, RNAStructure
from tests.helpers.helices import double_helix

annotated = pytest.mark.skipif(not can_annotate(), reason="RNApolis is not installed")


def opened(full: RNAStructure, pairs: int) -> RNAStructure:
    """The helix with its first strand moved away, but for some pairs at the end."""
    coords = full.coords.copy()
    coords[:, : len(full) // 2 - pairs] += np.float32(40)
    return replace(full, coords=coords * full.mask[..., None])


def both(one: RNAStructure, other: RNAStructure) -> RNAStructure:
    return replace(one, coords=np.concatenate([one.coords, other.coords]), mask=np.concatenate([one.mask, other.mask]))


@annotated
def test_half_of_the_pairs_have_a_fidelity_of_the_root_of_half() -> None:
    full = complete(double_helix())
    (same,) = network_scores(full, full, 5)
    assert (same.inf, same.inf_wc, same.inf_nwc, same.inf_stacking) == (1, 1, None, 1)
    (half,) = network_scores(opened(full, 4), full, 5)
    assert half.inf_wc == pytest.approx(0.5**0.5)
    assert 0 < half.inf < 1
    assert best_network(both(opened(full, 4), full), full, 5) == same
    assert best_network(both(opened(full, 4), full), full, 1) == half


@annotated
def test_interactions_that_the_reference_cannot_have_do_not_count() -> None:
    full = complete(double_helix())
    mask = full.mask.copy()
    mask[:, 0, HEAVY_ATOMS.index("C4")] = False
    (found,) = network_scores(full, replace(full, mask=mask), 5)
    assert found.inf == 1


def test_beads_have_no_network() -> None:
    beads = double_helix()
    assert network_scores(beads, complete(beads), 5) is None
    assert network_scores(complete(beads), beads, 5) is None
    assert best_network(beads, beads, 5) is None
