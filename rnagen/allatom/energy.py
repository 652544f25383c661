"""Energy of the restraints and its gradient, written out: no tape, a few passes over flat lists of atoms."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from rnagen.allatom.distances import total
from rnagen.allatom.restraints import BASE, VOLUME, Restraints
from rnagen.metrics.superpose import rotation_from_covariance


@dataclass(frozen=True)
class Energy:
    """½ Σ weight · (deviation)² of B conformers with G atoms on the grid."""

    restraints: Restraints
    batch: int

    def __call__(self, x: Float[Tensor, "N 3"]) -> tuple[Float[Tensor, " B"], Float[Tensor, "N 3"]]:
        """Energies of the conformers and the gradient, at coordinates in Å."""
        held = self.restraints
        parts = [held.distances.energy(x), held.beads.energy(x), self._volumes(x), self._bases(x)]
        return total(parts, self.batch, x)

    def _volumes(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        atoms, ideal = self.restraints.volumes
        points = x[atoms]
        a, b, c = (points[:, k] - points[:, 0] for k in (1, 2, 3))
        by_a, by_b, by_c = torch.linalg.cross(b, c), torch.linalg.cross(c, a), torch.linalg.cross(a, b)
        off = (a * by_a).sum(-1) - ideal
        force = (off / VOLUME**2)[:, None]
        parts = [force * by_a, force * by_b, force * by_c]
        return atoms, 0.5 * force[:, 0] * off, torch.stack([-sum(parts), *parts], 1)

    def _bases(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Each base about its ideal shape, superposed: at the best superposition its motion has no gradient."""
        atoms, place, there = self.restraints.bases
        target = x[atoms] * there
        # The ideal place is centred and zero where there is no atom: the centre of the target drops out.
        rotation = rotation_from_covariance(target.mT @ place)
        middle = target.sum(1, keepdim=True) / there.sum(1, keepdim=True)
        off = target - middle * there - place @ rotation.mT
        return atoms, 0.5 * off.square().sum((1, 2)) / BASE**2, off / BASE**2
