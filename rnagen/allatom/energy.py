"""Energy of the restraints and its gradient, written out: no tape, a few passes over the rows of the grid."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from rnagen.allatom.distances import ChainDistances, PairDistances, Ties, across, folded, with_next
from rnagen.structure import BACKBONE_ATOMS

BACKBONE = len(BACKBONE_ATOMS)


@dataclass(frozen=True)
class Volumes:
    """Handed centres of each residue: volumes that the bonds to three neighbours span, harmonic."""

    bonds: Float[Tensor, "W E"]
    """1 at the neighbour and -1 at the centre; the first bonds of all centres, the second, the third."""
    ideal: Float[Tensor, "V 1"]
    """Å³."""
    weight: Float[Tensor, "V L"]
    """1 / Å⁶; zero where there is no such centre."""

    def add(self, x: Float[Tensor, "B E 3 L"], gradient: Float[Tensor, "B E 3 L"]) -> Float[Tensor, " B"]:
        """Energies at coordinates in Å; the gradient is added."""
        a, b, c = across(self.bonds, x).chunk(3, 1)
        by_a = cross(b, c)
        off = dot(a, by_a) - self.ideal
        force = self.weight * off
        along = torch.cat([by_a, cross(c, a), cross(a, b)], 1) * force.repeat(1, 3, 1)[:, :, None]
        gradient += across(self.bonds.T, along)
        return 0.5 * (force * off).sum((1, 2))


@dataclass(frozen=True)
class Bases:
    """Flat bases: every atom is an affine combination of three of them, which alone are free to move.

    Distances between the three keep the shape: the rigid body of a base costs two points (Lan et al., Affine body
    dynamics, ACM Trans. Graph. 41, 67 (2022), in a plane).
    """

    corners: Int64[Tensor, "2 L"]
    """Atoms on the grid that are free beside C1', the last of the backbone."""
    shares: Float[Tensor, "3 n 1 L"]
    """Of C1' and the two corners in each of the n atoms after the backbone; zero where there is no atom."""

    def free(self, x: Float[Tensor, "B A 3 L"]) -> Float[Tensor, "B free 3 L"]:
        """Backbone and corners of coordinates on the grid."""
        index = self.corners[None, :, None].expand(len(x), -1, 3, -1)
        return torch.cat([x[:, :BACKBONE], x.gather(1, index)], 1)

    def atoms(self, z: Float[Tensor, "B free 3 L"]) -> Float[Tensor, "B n 3 L"]:
        """Those after the backbone."""
        return sum(share * z[:, BACKBONE - 1 + k, None] for k, share in enumerate(self.shares))

    def gradient(self, gradient: Float[Tensor, "B A 3 L"]) -> Float[Tensor, "B free 3 L"]:
        """On what is free, of that on all atoms."""
        parts = [(gradient[:, BACKBONE:] * share).sum(1) for share in self.shares]
        found = torch.cat([gradient[:, :BACKBONE], torch.stack(parts[1:], 1)], 1)
        found[:, BACKBONE - 1] += parts[0]
        return found


@dataclass(frozen=True)
class Energy:
    """½ Σ weight · (deviation)² of B conformers."""

    chain: ChainDistances
    pairs: PairDistances
    volumes: Volumes
    bases: Bases
    beads: Ties

    def looser(self, share: float) -> "Energy":
        """With this share of the largest force of the beads."""
        return replace(self, beads=replace(self.beads, most=share * self.beads.most))

    def grid(self, z: Float[Tensor, "B free 3 L"]) -> Float[Tensor, "B A 3 L"]:
        """All atoms."""
        return torch.cat([z[:, :BACKBONE], self.bases.atoms(z)], 1)

    def __call__(self, z: Float[Tensor, "B free 3 L"]) -> tuple[Float[Tensor, " B"], Float[Tensor, "B free 3 L"]]:
        """Energies of the conformers and the gradient, at coordinates in Å."""
        x = self.grid(z)
        both = with_next(x)
        gradient = torch.zeros_like(both)
        energy = self.chain.add(both, gradient) + self.volumes.add(both, gradient)
        gradient = folded(gradient)
        energy = energy + self.beads.add(x, gradient) + self.pairs.add(x, gradient)
        return energy, self.bases.gradient(gradient)


def cross(a: Float[Tensor, "B n 3 L"], b: Float[Tensor, "B n 3 L"]) -> Float[Tensor, "B n 3 L"]:
    """Vector products."""
    (ax, ay, az), (bx, by, bz) = a.unbind(2), b.unbind(2)
    return torch.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], 2)


def dot(a: Float[Tensor, "B n 3 L"], b: Float[Tensor, "B n 3 L"]) -> Float[Tensor, "B n L"]:
    """Scalar products."""
    (ax, ay, az), (bx, by, bz) = a.unbind(2), b.unbind(2)
    return ax * bx + ay * by + az * bz
