"""Base pairs and stacking of structures with all atoms."""

import logging
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rnagen.allatom import complete
from rnagen.errors import ConfigError
from rnagen.io.read import read_structures
from rnagen.secondary.interactions import Interactions, Pair, can_annotate, has_bases, interactions, whole_bases
from rnagen.structure import HEAVY_ATOMS
from tests.helpers.helices import double_helix

annotated = pytest.mark.skipif(not can_annotate(), reason="RNApolis is not installed")


@annotated
def test_a_helix_has_its_pairs_and_stacks_and_no_others() -> None:
    level, handlers = logging.getLogger().level, list(logging.getLogger().handlers)
    full = complete(double_helix("GACUGCAU", models=2))
    one, other = interactions(full)
    assert one == other
    assert one.dot_bracket == "(" * 8 + ")" * 8
    assert one.pairs == tuple(Pair(k, 15 - k, "cWW", True) for k in range(8))
    assert {(k, k + 1) for k in range(15) if k != 7} <= set(one.stacking)
    # The annotator leaves the logging of the process as it was.
    assert (logging.getLogger().level, logging.getLogger().handlers) == (level, handlers)


@annotated
def test_the_pose_and_strand_order_make_no_difference() -> None:
    full = complete(double_helix())
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]], dtype=np.float32)
    moved = replace(full, coords=full.coords @ turn + np.float32(30) * full.mask[..., None])
    assert interactions(moved) == interactions(full)


@annotated
def test_a_residue_without_a_whole_base_has_none() -> None:
    full = complete(double_helix())
    mask = full.mask.copy()
    mask[0, 2, HEAVY_ATOMS.index("N3")] = False
    (found,) = interactions(replace(full, mask=mask))
    assert len(found.pairs) == len(full) // 2 - 1
    assert not any(2 in (pair.i, pair.j) for pair in found.pairs)
    assert not any(2 in stacked for stacked in found.stacking)


def test_which_structures_have_bases() -> None:
    beads = double_helix()
    full = complete(beads)
    assert not has_bases(beads)
    assert has_bases(full)
    assert whole_bases(full).all()
    mask = full.mask.copy()
    mask[:, ::2, HEAVY_ATOMS.index("C4")] = False
    assert whole_bases(replace(full, mask=mask)).sum() == len(full) // 2
    unknown = replace(full, sequence="N" * len(full))
    assert not whole_bases(unknown).any()


def test_crossing_pairs_get_brackets_of_their_own() -> None:
    near = Pair(2, 8, "cWW", True)  # of a base that has a partner
    pairs = (Pair(0, 5, "cWW", True), Pair(2, 7, "cWW", True), near, Pair(3, 6, "tHS", False))
    found = Interactions(9, pairs, ((0, 1),))
    assert found.to_plain() == {
        "secondary_structure": "(.[..).].",
        "noncanonical_pairs": [[4, 7, "tHS"]],
        "stacking": [[1, 2]],
    }


def test_without_rnapolis_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rnapolis", None)
    with pytest.raises(ConfigError, match=r"pip install 'rnagen\[pairs\]'"):
        interactions(complete(double_helix()))


@pytest.mark.data
@annotated
def test_the_tertiary_pairs_of_trna(shared_data: Path) -> None:
    """Yeast tRNA-Phe at 1.93 Å: pairs that Shi and Moore (RNA 6, 1091, 2000) describe."""
    (chain,) = read_structures(shared_data / "structures" / "1ehz_A.cif.gz")
    (found,) = interactions(chain)
    kinds = {(pair.i + 1, pair.j + 1): pair.kind for pair in found.pairs}
    expected = {(8, 14): "tWH", (15, 48): "tWW", (18, 55): "tWW", (26, 44): "cWW", (54, 58): "tWH", (22, 46): "tHW"}
    assert expected.items() <= kinds.items()
    assert found.dot_bracket.startswith("(((((((..((((")
    assert found.dot_bracket[18] == "["
    assert found.dot_bracket[55] == "]"
