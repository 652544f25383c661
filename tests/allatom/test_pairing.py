import numpy as np

from rnagen.allatom.pairing import find_pairs, hydrogen_bonds
from rnagen.structure import encode_sequence
from tests.helpers.helices import double_helix


def test_all_pairs_of_a_helix_are_found_purine_first() -> None:
    helix = double_helix("GACUGG")
    bases = encode_sequence(helix.sequence).astype(np.int64)
    found = find_pairs(helix.coords[0], helix.mask[0], bases)
    # The two in the middle are as close in the sequence as in a hairpin that cannot be.
    assert sorted(found) == [(0, 11), (1, 10), (8, 3), (9, 2)]
    atoms, lengths = hydrogen_bonds(found, bases)
    assert len(atoms) == len(lengths) == 2 * 3 + 2 * 2


def test_bases_that_do_not_match_are_no_pairs() -> None:
    helix = double_helix("GACU")
    assert find_pairs(helix.coords[0], helix.mask[0], encode_sequence("AAAAAAAA").astype(np.int64)) == []
    atoms, lengths = hydrogen_bonds([], np.zeros(0, dtype=np.int64))
    assert atoms.shape == (0, 2)
    assert lengths.shape == (0,)
