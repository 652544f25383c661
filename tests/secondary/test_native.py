"""Base pairs found in coordinates."""

import numpy as np
import pytest

from rnagen.aform import helix
from rnagen.data.dataset import Dataset
from rnagen.secondary.native import bead_pair_table, canonical_pair_table, nearest_pair_table
from rnagen.structure import BEADS, HEAVY_ATOMS, UNKNOWN, UNPAIRED, RNAStructure


def ladder(sequence: str, pairs: list[tuple[int, int]], apart: float = 2.9) -> RNAStructure:
    """Residues far from each other, but for pairs whose edges are `apart` and whose C1' are 10.5 Å apart."""
    coords = np.zeros((1, len(sequence), len(HEAVY_ATOMS), 3), dtype=np.float32)
    coords += 50 * np.arange(len(sequence))[None, :, None, None]
    n1, n3, c1 = (HEAVY_ATOMS.index(atom) for atom in ("N1", "N3", "C1'"))
    for i, j in pairs:
        coords[0, j] = coords[0, i]
        coords[0, j, [n1, n3]] += [apart, 0, 0]
        coords[0, i, c1] -= [3.8, 0, 0]
        coords[0, j, c1] += [6.7, 0, 0]
    return RNAStructure("r", sequence, coords, np.ones(coords.shape[:-1], dtype=bool))


def test_by_hand() -> None:
    assert canonical_pair_table(ladder("GGAAACC", [(0, 6), (1, 5)])).tolist() == [6, 5, -1, -1, -1, 1, 0]
    assert canonical_pair_table(ladder("GAAAAU", [(0, 5)])).tolist() == [5, -1, -1, -1, -1, 0]


@pytest.mark.parametrize(
    ("sequence", "pair", "apart"), [("GAAAAG", (0, 5), 2.9), ("GAAAAC", (0, 5), 4.2), ("GAAC", (0, 3), 2.9)]
)
def test_what_is_no_pair(sequence: str, pair: tuple[int, int], apart: float) -> None:
    assert (canonical_pair_table(ladder(sequence, [pair], apart)) == UNPAIRED).all()


def test_bases_that_are_not_resolved_are_unknown() -> None:
    whole = ladder("GAAAAC", [(0, 5)])
    mask = whole.mask.copy()
    mask[:, 5, HEAVY_ATOMS.index("N3")] = False
    partly = RNAStructure("r", whole.sequence, whole.coords, mask)
    assert canonical_pair_table(partly).tolist() == [UNPAIRED] * 5 + [UNKNOWN]
    assert (canonical_pair_table(partly.select_atoms(("C1'",))) == UNKNOWN).all()


def test_the_nearest_fold_agrees_most() -> None:
    native = np.array([5, UNKNOWN, -1, -1, -1, 0], dtype=np.int16)
    sampled = np.array([[-1, -1, -1, -1, -1, -1], [5, 4, -1, -1, 1, 0], [-1, 4, -1, -1, 1, -1]], dtype=np.int16)
    assert nearest_pair_table(native, sampled).tolist() == sampled[1].tolist()
    assert nearest_pair_table(np.full(6, UNKNOWN, dtype=np.int16), sampled).tolist() == [UNKNOWN] * 6


LOOP = slice(6, 10)


def hairpin(known: tuple[str, ...]) -> tuple[str, np.ndarray, np.ndarray]:
    """Sequence, beads and mask of an ideal helix of six pairs, and a loop that is not resolved."""
    first, second = helix(6)
    coords = np.concatenate([first, np.zeros((4, len(BEADS), 3)), second[::-1]]).astype(np.float32)
    mask = np.tile(np.isin(BEADS, known), (16, 1))
    mask[LOOP] = False
    return "GGCAUC" + "AAAA" + "GAUGCC", np.where(mask[..., None], coords, 0).astype(np.float32), mask


@pytest.mark.parametrize("known", [BEADS, ("C1'",), ("C1'", "N")])
def test_pairs_of_a_helix_show_in_its_beads(known: tuple[str, ...]) -> None:
    sequence, coords, mask = hairpin(known)
    whole = np.arange(15, -1, -1)
    whole[LOOP] = UNKNOWN
    assert bead_pair_table(sequence, coords, mask).tolist() == whole.tolist()
    # Not alone, not between bases that cannot pair, and not where C1' is unknown.
    gaps = mask.copy()
    gaps[[1, 3]] = False
    expected = np.array([UNPAIRED, UNKNOWN, UNPAIRED, UNKNOWN, 11, 10, *whole[LOOP], 5, 4, *[UNPAIRED] * 4])
    assert bead_pair_table(sequence, coords, gaps).tolist() == expected.tolist()
    assert (bead_pair_table("A" * 16, coords, mask)[mask.any(1)] == UNPAIRED).all()


def test_beads_that_do_not_fit_are_no_pair() -> None:
    sequence, coords, mask = hairpin(BEADS)
    for bead in range(len(BEADS)):
        moved = coords.copy()
        moved[10:, bead] += [0, 0, 30]
        assert (bead_pair_table(sequence, moved, mask)[mask.any(1)] == UNPAIRED).all()


@pytest.mark.data
def test_a_transfer_rna_has_its_cloverleaf(tmp_path, shared_data) -> None:
    from rnagen.preparation.dataset import prepare

    prepare([shared_data / "structures" / "1ehz_A.cif.gz"], tmp_path / "d")
    pair_table = canonical_pair_table(Dataset.open(tmp_path / "d").chains.structure(0))
    # Acceptor, D, anticodon and T stems of yeast tRNA-Phe, numbered from 1.
    stems = [(1, 72, 7), (10, 25, 3), (27, 43, 4), (49, 65, 5)]
    expected = [(i + k, j - k) for i, j, n in stems for k in range(n)]
    found = {(i + 1, int(j) + 1) for i, j in enumerate(pair_table) if j > i}
    assert len(set(expected) & found) >= len(expected) - 1
    # The Levitt pair G15-C48 is no cis Watson-Crick pair; G19-C56, between the loops, is one.
    assert (19, 56) in found
