import numpy as np
import torch

from rnagen.allatom.library import PLACE, fragments
from rnagen.allatom.placement import Beads, choose, nearest, weighted_kabsch
from rnagen.structure import BEADS, encode_sequence
from tests.helpers.helices import double_helix


def beads_of_helix() -> Beads:
    helix = double_helix()
    linked = torch.from_numpy(np.diff(helix.residue_index, append=0) == 1)[None]
    bases = torch.from_numpy(encode_sequence(helix.sequence)).long()
    return Beads.of(torch.from_numpy(helix.coords), torch.from_numpy(helix.mask), linked, bases)


def test_fragments_lie_on_the_beads_of_a_helix() -> None:
    beads = beads_of_helix()
    points = choose(beads, fragments())
    places = [PLACE[bead] for bead in BEADS]
    assert (points[:, places] - beads.points[:, places]).norm(dim=-1).max() < 0.8


def test_beads_of_neighbours_are_known_within_a_strand_alone() -> None:
    known = beads_of_helix().known
    assert known[:, PLACE["P+"]].tolist() == [*[True] * 7, False] * 2
    assert known[:, PLACE["N-"]].tolist() == [False, *[True] * 7] * 2


def test_a_fragment_finds_itself() -> None:
    library = fragments()
    rows = torch.tensor([5, 700, 4000])
    known = torch.zeros(3, len(PLACE), dtype=torch.bool)
    known[:, [place for name, place in PLACE.items() if name.rstrip("+-") in BEADS]] = True
    points = torch.where(known[..., None], library.coords[rows], 0.0)
    found = nearest(Beads(points, known, library.is_purine[rows]), library)
    assert found.tolist() == rows.tolist()


def test_weights_choose_what_is_superposed() -> None:
    generator = torch.Generator().manual_seed(0)
    mobile = torch.randn(1, 6, 3, generator=generator)
    target = mobile[..., [1, 2, 0]] + 3
    target[0, 5] += 10
    rotation, shift = weighted_kabsch(mobile, target, torch.tensor([[1.0, 2, 1, 1, 3, 0]]))
    moved = mobile @ rotation.mT + shift[:, None]
    torch.testing.assert_close(moved[:, :5], target[:, :5], atol=1e-4, rtol=0)
