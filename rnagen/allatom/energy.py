"""Energy of the restraints and its gradient, written out: no tape, a few passes over flat lists of atoms."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from rnagen.allatom.restraints import BASE, VOLUME, Restraints
from rnagen.metrics.superpose import rotation_from_covariance


@dataclass(frozen=True)
class Energy:
    """½ Σ weight · (deviation)² of B conformers with G atoms on the grid."""

    restraints: Restraints
    batch: int
    size: int

    def __call__(self, x: Float[Tensor, "N 3"]) -> tuple[Float[Tensor, " B"], Float[Tensor, "N 3"]]:
        """Energies of the conformers and the gradient, at coordinates in Å; N = B · G."""
        gradient = torch.zeros_like(x)
        energy = x.new_zeros(self.batch)
        for part in (self._distances, self._volumes, self._bases, self._beads):
            atoms, energies, forces = part(x)
            gradient.index_add_(0, atoms.reshape(-1), forces.reshape(-1, 3))
            first = atoms[: len(energies)] if atoms.dim() == 1 else atoms[:, 0]
            energy.index_add_(0, first // self.size, energies)
        return energy, gradient

    def _distances(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        found = self.restraints.distances
        gap = x[found.i] - x[found.j]
        length = gap.square().sum(-1).sqrt().clamp(min=1e-3)
        off = length - found.ideal
        if found.pushes:
            off[-found.pushes :].clamp_(max=0)
        force = (found.weight * off).clamp(-found.most, found.most)
        along = gap * (force / length)[:, None]
        energy = force * off - 0.5 * force.square() / found.weight
        return torch.cat([found.i, found.j]), energy, torch.cat([along, -along])

    def _volumes(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        atoms, ideal = self.restraints.volumes
        points = x[atoms]
        a, b, c = (points[:, k] - points[:, 0] for k in (1, 2, 3))
        by_a, by_b, by_c = torch.linalg.cross(b, c), torch.linalg.cross(c, a), torch.linalg.cross(a, b)
        off = (a * by_a).sum(-1) - ideal
        force = (off / VOLUME**2)[:, None]
        parts = [force * by_a, force * by_b, force * by_c]
        return atoms, 0.5 * force[:, 0] * off, torch.stack([-sum(parts), *parts], 1)  # type: ignore[list-item]

    def _bases(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Each base about its ideal shape, superposed: at the best superposition its motion has no gradient."""
        atoms, place, there = self.restraints.bases
        target = x[atoms] * there
        # The ideal place is centred and zero where there is no atom: the centre of the target drops out.
        rotation = rotation_from_covariance(target.mT @ place)
        middle = target.sum(1, keepdim=True) / there.sum(1, keepdim=True)
        off = target - middle * there - place @ rotation.mT
        return atoms, 0.5 * off.square().sum((1, 2)) / BASE**2, off / BASE**2

    def _beads(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Harmonic near the bead, of constant force farther away (Huber)."""
        atoms, target, strength = self.restraints.beads
        gap = x[atoms] - target
        length = gap.square().sum(-1).sqrt().clamp(min=1e-6)
        weight, most = strength.unbind(1)
        force = (weight * length).minimum(most)
        return atoms, force * length - 0.5 * force.square() / weight, gap * (force / length)[:, None]
