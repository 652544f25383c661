"""Beads of chains with C1' alone: near the true ones, handed as they are, and only where the chain is whole."""

from dataclasses import replace
from functools import cache

import numpy as np

from rnagen.structure import BEADS, UNKNOWN
from rnagen.templates.fragments import WINDOW, Fragments
from rnagen.templates.library import C1, Library, TemplateChain
from tests.helpers.templates import library, template, with_c1_alone

OTHERS = [BEADS.index(bead) for bead in ("P", "C4'", "N")]
NATIVE = "1y26_X"
"""The adenine riboswitch, 71 nt."""


@cache
def without_its_cluster() -> tuple[TemplateChain, Fragments]:
    """A chain of the shipped library, and the fragments of all chains of other clusters."""
    whole = Library.open()
    (row,) = (row for row, info in enumerate(whole.infos) if info.name == NATIVE)
    others = [k for k, info in enumerate(whole.infos) if info.cluster != whole.infos[row].cluster]
    return whole.chain(row), Fragments(whole.select(others))


def error(found: TemplateChain, native: TemplateChain) -> float:
    """Median distance of the beads that were rebuilt, in Å."""
    distances = np.linalg.norm(found.coords - native.coords, axis=-1)[:, OTHERS]
    return float(np.median(distances[(found.mask & native.mask)[:, OTHERS]]))


def test_beads_of_a_known_chain_are_found_again() -> None:
    native, fragments = without_its_cluster()
    found = fragments.complete(with_c1_alone(native))
    np.testing.assert_array_equal(found.coords[:, C1], native.coords[:, C1])
    assert found.mask[2:-2].all()
    assert not found.mask[[0, 1, -2, -1]][:, OTHERS].any()
    # The base pairs were known.
    assert found.pair_table is native.pair_table
    # 0.24 Å; of 18 chains of the library the median is 0.28.
    assert error(found, native) < 0.35


def test_base_pairs_show_in_the_beads() -> None:
    native, fragments = without_its_cluster()
    unknown = np.full(len(native), UNKNOWN, dtype=np.int16)
    found = fragments.complete(replace(with_c1_alone(native), pair_table=unknown)).pair_table
    right = (found >= 0) & (found == native.pair_table)
    assert right.sum() > 0.85 * (native.pair_table >= 0).sum()
    assert right.sum() > 0.85 * (found >= 0).sum()


def test_a_mirror_image_is_told_apart() -> None:
    native, fragments = without_its_cluster()
    mirrored = replace(native, coords=native.coords * np.array([1, 1, -1], np.float32))
    assert error(fragments.complete(with_c1_alone(mirrored)), mirrored) > 2


def test_windows_with_gaps_are_left_alone() -> None:
    native, fragments = without_its_cluster()
    bare = with_c1_alone(native)
    mask, coords = bare.mask.copy(), bare.coords.copy()
    mask[20] = False
    coords[20] = 0
    coords[40:] += 300
    found = fragments.complete(replace(bare, coords=coords, mask=mask))
    untouched = [*range(18, 23), *range(38, 42), 0, 1, len(bare) - 2, len(bare) - 1]
    assert not found.mask[untouched][:, OTHERS].any()
    np.testing.assert_array_equal(np.flatnonzero(~found.mask.all(1)), sorted(untouched))


def test_beads_that_are_known_stay() -> None:
    native, fragments = without_its_cluster()
    full = fragments.complete(native)
    np.testing.assert_array_equal(full.coords[native.mask], native.coords[native.mask])


def test_without_fragments_or_with_too_few_residues_nothing_changes() -> None:
    none = Fragments(Library.of([with_c1_alone(template(1))]))
    assert len(none) == 0
    bare = with_c1_alone(template(2))
    assert none.complete(bare) is bare
    some = Fragments(library("2001-01-01"))
    assert len(some) > 0
    few = with_c1_alone(template(3))
    mask = few.mask.copy()
    mask[WINDOW - 1 :] = False
    few = replace(few, mask=mask)
    assert some.complete(few) is few
