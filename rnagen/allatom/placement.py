"""From beads to all heavy atoms: for each residue the fragment whose beads fit best, and an ideal base in its plane."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from rnagen.allatom.library import FRAME, PLACE, PLANE, POINTS, Fragments, frames
from rnagen.chemistry import COLUMN, base_columns, ideals
from rnagen.geometry import kabsch, rotate
from rnagen.structure import BACKBONE_ATOMS, BASES, BEADS, HEAVY_ATOMS, glycosidic_nitrogen

MATCHED = {
    **{"P": 1.0, "P+": 1.0, "C4'": 1.0, "N": 1.0},
    **{"C1'-": 0.06, "N-": 0.1, "C4'+": 0.06, "C1'+": 0.06, "N+": 0.1},
}
"""Weight of the squared distance of each point, by which fragments are chosen; origin and axes are the same in all."""
OTHER_KIND = 1.0
"""Å²; added where one is a purine and the other a pyrimidine."""
FITTED = {"P": 1.0, "C4'": 2.0, "C1'": 4.0, "N": 4.0, "P+": 1.0}
"""Weight of each bead when a fragment is laid on those of its residue."""
AT_ONCE = 512
"""Residues that are compared with the fragments at once."""
P_OXYGEN, HALF = 1.484, torch.tensor(119.6).deg2rad() / 2
"""Å and half of the angle OP1-P-OP2, as `rnagen.chemistry.Ideals` has them."""


@dataclass(frozen=True)
class Beads:
    """Beads of R residues, of all conformers one after the other, with those of their neighbours."""

    points: Float[Tensor, "R 21 3"]
    """Å; those of `POINTS` and `CONTEXT` that are beads, the others zero."""
    known: Bool[Tensor, "R 21"]
    is_purine: Bool[Tensor, " R"]

    @classmethod
    def of(
        cls,
        coords: Float[Tensor, "B L 4 3"],
        mask: Bool[Tensor, "B L 4"],
        linked: Bool[Tensor, "B L"],
        bases: Int64[Tensor, " L"],
    ) -> "Beads":
        """The beads of B conformers of L residues; `linked`: whether each residue is bonded to the next."""
        batch, length = mask.shape[:2]
        points = coords.new_zeros(batch, length, len(PLACE), 3)
        known = mask.new_zeros(batch, length, len(PLACE))
        for name, place in PLACE.items():
            bead = name.rstrip("+-")
            if bead not in BEADS:
                continue
            column = BEADS.index(bead)
            to, of = slice(None), slice(None)
            allowed = torch.ones_like(linked)
            if name.endswith("+"):
                to, of, allowed = slice(0, -1), slice(1, None), linked[:, :-1]
            elif name.endswith("-"):
                to, of, allowed = slice(1, None), slice(0, -1), linked[:, :-1]
            points[:, to, place] = coords[:, of, column]
            known[:, to, place] = mask[:, of, column] & allowed
        purine = torch.isin(bases, torch.tensor([BASES.index("A"), BASES.index("G")]))
        return cls(points.flatten(0, 1), known.flatten(0, 1), purine.repeat(batch))


def nearest(beads: Beads, fragments: Fragments, conformers: int = 1) -> Int64[Tensor, " R"]:
    """The fragment with the smallest weighted squared distance to the beads of each residue.

    A few residues of one conformer are compared at a time: the memory stays bounded, and rounding does not depend on
    the conformers beside.
    """
    sizes = [len(part) for one in range(conformers) for part in _blocks(len(beads.points) // conformers)]
    parts = zip(*(whole.split(sizes) for whole in (beads.points, beads.known, beads.is_purine)))
    return torch.cat([_nearest(Beads(*part), fragments) for part in parts])


def _blocks(length: int) -> list[range]:
    return [range(start, min(start + AT_ONCE, length)) for start in range(0, length, AT_ONCE)]


def _nearest(beads: Beads, fragments: Fragments) -> Int64[Tensor, " R"]:
    origin, along, aside = (beads.points[:, PLACE[name]] for name in FRAME)
    local = (beads.points - origin[:, None]) @ frames(origin, along, aside).mT
    places = [PLACE[name] for name in MATCHED]
    weights = torch.tensor(list(MATCHED.values())) * beads.known[:, places]
    # The squares of the beads themselves are the same for all fragments.
    squares = [weights, -2 * (weights[..., None] * local[:, places]).flatten(1)]
    kinds = OTHER_KIND * torch.stack([beads.is_purine, ~beads.is_purine], 1)
    return (torch.cat([*squares, kinds], 1) @ _described(fragments)).argmin(1)


@lru_cache(maxsize=1)
def _described(fragments: Fragments) -> Float[Tensor, "n F"]:
    """What the matched squared distances are products with: squares, coordinates, and which base it is not."""
    coords = fragments.coords[:, [PLACE[name] for name in MATCHED]]
    kinds = torch.stack([~fragments.is_purine, fragments.is_purine], 1)
    return torch.cat([coords.square().sum(-1), coords.flatten(1), kinds], 1).T.contiguous()


def weighted_kabsch(
    mobile: Float[Tensor, "*n N 3"], target: Float[Tensor, "*n N 3"], weights: Float[Tensor, "*n N"]
) -> tuple[Float[Tensor, "*n 3 3"], Float[Tensor, "*n 3"]]:
    """Rotation and shift of the least weighted squares, as `rnagen.geometry.kabsch` gives them."""
    total = weights.sum(-1).clamp(min=1e-6)[..., None]
    from_ = (mobile * weights[..., None]).sum(-2) / total
    to = (target * weights[..., None]).sum(-2) / total
    root = weights.sqrt()[..., None]
    a, b = (mobile - from_[..., None, :]) * root, (target - to[..., None, :]) * root
    # Centred already: the point opposite to each makes the centroids zero.
    both = torch.cat([a, -a], -2), torch.cat([b, -b], -2)
    rotation, _ = kabsch(*both, torch.ones(both[0].shape[:-1], dtype=torch.bool))
    return rotation, to - rotate(from_[..., None, :], rotation)[..., 0, :]


def choose(beads: Beads, fragments: Fragments, conformers: int = 1) -> Float[Tensor, "R 16 3"]:
    """The points of the best fragment of each residue, laid on its beads."""
    mobile = fragments.coords[nearest(beads, fragments, conformers)]
    weights = torch.tensor([FITTED.get(name, 0.0) for name in PLACE]) * beads.known
    rotation, shift = weighted_kabsch(mobile, beads.points, weights)
    return (rotate(mobile, rotation) + shift[:, None])[:, : len(POINTS)]


def full_atoms(points: Float[Tensor, "R 16 3"], bases: Int64[Tensor, " R"]) -> Float[Tensor, "R 27 3"]:
    """All heavy atoms on the grid of `HEAVY_ATOMS`: backbone and sugar of the points, and ideal bases in their planes.

    Atoms that a base does not have are zero.
    """
    coords = points.new_zeros(len(points), len(HEAVY_ATOMS), 3)
    coords[:, : len(BACKBONE_ATOMS)] = points[:, : len(BACKBONE_ATOMS)]
    for code, base in enumerate(BASES):
        rows = (bases == code).nonzero()[:, 0]
        if len(rows):
            columns = torch.from_numpy(base_columns(base)[1:])
            coords[rows[:, None], columns] = place_base(points[rows], base)[:, 1:]
    return coords


def place_base(points: Float[Tensor, "R 16 3"], base: str) -> Float[Tensor, "R n 3"]:
    """C1' and the atoms of ideal bases in the planes of fragments."""
    ideal = torch.from_numpy(ideals().bases[base]).float()
    columns = base_columns(base).tolist()
    names = ("C1'", glycosidic_nitrogen(base), *(name.split("|")[base not in "AG"] for name in PLANE[1:]))
    if base == "N":
        return points[:, [PLACE["C1'"], PLACE["N"]]]
    target = points[:, [PLACE["C1'"], *(PLACE[name] for name in PLANE)]]
    mobile = ideal[[columns.index(COLUMN[name]) for name in names]].expand_as(target)
    rotation, shift = kabsch(mobile, target, torch.ones(target.shape[:-1], dtype=torch.bool))
    return rotate(ideal.expand(len(points), -1, -1), rotation) + shift[:, None]


def place_phosphate_oxygens(coords: Float[Tensor, "B L 27 3"], linked: Bool[Tensor, " L"]) -> None:
    """Put OP1 and OP2 where O3' of the residue before, P and O5' want them, with the right handedness, in place.

    Args:
        coords: Å, on the grid of `HEAVY_ATOMS`.
        linked: whether each residue is bonded to the next; other phosphates are left.
    """
    rows = linked.nonzero()[:, 0]
    centre = coords[:, rows + 1, COLUMN["P"]]
    before = torch.nn.functional.normalize(coords[:, rows, COLUMN["O3'"]] - centre, dim=-1)
    after = torch.nn.functional.normalize(coords[:, rows + 1, COLUMN["O5'"]] - centre, dim=-1)
    out = -torch.nn.functional.normalize(before + after, dim=-1)
    aside = torch.nn.functional.normalize(torch.linalg.cross(after, before), dim=-1)
    for name, sign in (("OP1", -1), ("OP2", 1)):
        coords[:, rows + 1, COLUMN[name]] = centre + P_OXYGEN * (HALF.cos() * out + sign * HALF.sin() * aside)
