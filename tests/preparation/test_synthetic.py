"""Synthetic RNA and the ideal helix in it."""

from pathlib import Path

import numpy as np
import pytest

from rnagen.aform import C1, beads_on_backbone, helix
from rnagen.preparation.loops import Stem, exterior_loop, ring
from rnagen.preparation.synthetic import synthetic_dataset, synthetic_rna
from rnagen.secondary.vienna import mfe_pairs
from rnagen.structure import BEADS, RNAStructure

SAME_STRAND = [5.5, 10.6, 15.1, 18.8, 21.6]
"""Å, C1'(i) to C1'(i+k), k = 1..5, of A-form RNA."""
ACROSS = {-3: 17.9, -2: 16.3, -1: 13.8, 0: 10.7, 1: 8.2, 2: 8.2, 3: 11.2}
"""Å, C1'(i) to C1'(j+k) where i pairs with j: over the minor groove for k > 0."""


def distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b))


def test_helix_has_the_distances_of_a_form() -> None:
    first, second = (strand[:, C1] for strand in helix(8))
    assert [distance(first[0], first[k]) for k in range(1, 6)] == pytest.approx(SAME_STRAND, abs=0.25)
    assert [distance(second[0], second[k]) for k in range(1, 6)] == pytest.approx(SAME_STRAND, abs=0.25)
    for k, expected in ACROSS.items():
        # Row 4 - k of the second strand is the residue k places on towards its 3' end.
        assert distance(first[4], second[4 - k]) == pytest.approx(expected, abs=0.3)
        assert distance(second[4], first[4 + k]) == pytest.approx(expected, abs=0.3)


def test_helix_is_right_handed_and_strands_are_alike() -> None:
    for strand in (helix(6)[0], helix(6)[1][::-1]):
        for bead in range(len(BEADS)):
            a, b, c, d = strand[:4, bead]
            assert np.linalg.det([b - a, c - b, d - c]) > 0
    first, second = helix(6)
    inner = [np.linalg.norm(s.reshape(-1, 3)[:, None] - s.reshape(-1, 3)[None], axis=-1) for s in (first, second[::-1])]
    np.testing.assert_allclose(inner[0], inner[1], atol=1e-9)


def test_beads_of_a_residue_have_covalent_distances() -> None:
    for strand in (helix(1)[0], beads_on_backbone(helix(5)[0][:, C1])):
        p, c4, c1, n = strand[0]
        assert distance(c1, n) == pytest.approx(1.47, abs=0.05)
        assert distance(c4, c1) == pytest.approx(2.4, abs=0.1)
        assert distance(p, c4) == pytest.approx(3.85, abs=0.1)


def test_beads_are_put_back_on_a_helix() -> None:
    strand = helix(6)[0]
    np.testing.assert_allclose(beads_on_backbone(strand[:, C1])[1:-1], strand[1:-1], atol=1e-9)


def test_plan_of_a_three_way_junction() -> None:
    # ((.((...))((...)))).
    pairs = [(0, 18), (1, 17), (3, 9), (4, 8), (10, 16), (11, 15)]
    exterior = exterior_loop(pairs, 20)
    stem = exterior.elements[0]
    assert isinstance(stem, Stem)
    assert exterior.elements[1:] == (19,)
    assert stem.pairs == ((0, 18), (1, 17))
    assert stem.loop.residues == [2, 3, 9, 10, 16]


@pytest.mark.parametrize("sides", [[5.8] * 4 + [10.7], [5.8] * 9 + [10.7], [5.8, 10.7, 5.8, 10.7], [10.7, 10.7]])
def test_ring_has_its_sides(sides: list[float]) -> None:
    corners, centre = ring(sides)
    around = np.roll(corners, -1, axis=0) - corners
    np.testing.assert_allclose(np.linalg.norm(around, axis=1), sides, atol=1e-6)
    np.testing.assert_allclose(corners[0], 0, atol=1e-9)
    np.testing.assert_allclose(corners[-1], [sides[-1], 0], atol=1e-6)
    radii = np.linalg.norm(corners - centre, axis=1)
    np.testing.assert_allclose(radii, radii[0], rtol=1e-6)


def test_ring_refuses_a_side_that_is_too_long() -> None:
    with pytest.raises(ValueError, match="too long"):
        ring([5.8, 5.8, 10.7])


@pytest.fixture(scope="module", params=[(0, 20), (1, 40), (2, 60), (3, 90), (4, 120)])
def rna(request: pytest.FixtureRequest) -> RNAStructure:
    return synthetic_rna(*request.param)


def test_stems_are_ideal_and_the_chain_is_whole(rna: RNAStructure) -> None:
    beads = rna.select_atoms(BEADS)
    assert beads.mask.all()
    c1 = beads.coords[0, :, C1]
    steps = np.linalg.norm(np.diff(c1, axis=0), axis=1)
    assert (steps > 5.0).all()
    assert (steps < 7.0).all()
    pairs = mfe_pairs(rna.sequence)
    assert 2 * len(pairs) >= 0.4 * len(rna)
    for i, j in pairs:
        assert distance(c1[i], c1[j]) == pytest.approx(ACROSS[0], abs=0.3)
        if (i + 1, j - 1) in pairs:
            assert distance(c1[i], c1[j - 1]) == pytest.approx(ACROSS[-1], abs=0.3)
            assert distance(c1[i + 1], c1[j]) == pytest.approx(ACROSS[1], abs=0.3)


def test_nothing_collides(rna: RNAStructure) -> None:
    c1 = rna.select_atoms(("C1'",)).coords[0, :, 0]
    distances = np.linalg.norm(c1[:, None] - c1[None], axis=-1)
    apart = np.abs(np.subtract.outer(np.arange(len(rna)), np.arange(len(rna)))) > 1
    assert distances[apart].min() > 3.5


def test_same_seed_same_rna() -> None:
    first, again, other = synthetic_rna(7, 50), synthetic_rna(7, 50), synthetic_rna(8, 50)
    assert first.sequence == again.sequence != other.sequence
    np.testing.assert_array_equal(first.coords, again.coords)


def test_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="not 15"):
        synthetic_rna(0, 15)


@pytest.mark.slow
def test_workers_change_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synthetic_dataset(tmp_path / "one", 3, seed=1)
    monkeypatch.setattr("rnagen.preparation.synthetic.WORTH_WORKERS", 1)
    synthetic_dataset(tmp_path / "several", 3, seed=1)
    one, several = ((tmp_path / name / "chains.safetensors").read_bytes() for name in ("one", "several"))
    assert one == several
