"""Restraints on distances, between two points or from a place, and the sum of their energies."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor


@dataclass(frozen=True)
class Distances:
    """K distances, without force between two bounds, harmonic outside."""

    i: Int64[Tensor, " K"]
    j: Int64[Tensor, " K"]
    lower: Float[Tensor, " K"]
    upper: Float[Tensor, " K"]
    """Å; the same as `lower` for an ideal value, infinite for what only pushes."""
    weight: Float[Tensor, " K"]
    """1 / Å²."""
    most: Float[Tensor, " K"]
    """1 / Å; largest force."""

    @classmethod
    def of(
        cls,
        atoms: Int[np.ndarray, "K 2"],
        lower: Float[np.ndarray, " K"],
        upper: Float[np.ndarray, " K"],
        sigma: Float[np.ndarray, " K"],
        most: Float[np.ndarray, " K"] | None = None,
    ) -> "Distances":
        """With standard deviations in Å, and forces of any size where `most` is None."""
        most = np.full(len(atoms), np.inf) if most is None else most
        return cls(*tensors(atoms[:, 0], atoms[:, 1], lower, upper, sigma**-2, most))

    def energy(self, x: Float[Tensor, "N 3"]) -> tuple[Tensor, Tensor, Tensor]:
        """Atoms [2 K], energies [K] and gradients on the atoms [2 K, 3] at coordinates in Å."""
        gap = x[self.i] - x[self.j]
        length = gap.square().sum(-1).sqrt().clamp(min=1e-3)
        off = length - length.clamp(self.lower, self.upper)
        force = (self.weight * off).clamp(-self.most, self.most)
        along = gap * (force / length)[:, None]
        energy = force * off - 0.5 * force.square() / self.weight
        return torch.cat([self.i, self.j]), energy, torch.cat([along, -along])


@dataclass(frozen=True)
class Ties:
    """A atoms that are held where they should be: harmonic near, of constant force farther away (Huber)."""

    atoms: Int64[Tensor, " A"]
    places: Float[Tensor, "A 3"]
    weight: Float[Tensor, " A"]
    """1 / Å²."""
    most: Float[Tensor, " A"]
    """1 / Å; largest force."""

    def energy(self, x: Float[Tensor, "N 3"]) -> tuple[Tensor, Tensor, Tensor]:
        """Atoms, energies [A] and gradients on the atoms [A, 3] at coordinates in Å."""
        gap = x[self.atoms] - self.places
        length = gap.square().sum(-1).sqrt().clamp(min=1e-6)
        force = (self.weight * length).minimum(self.most)
        return self.atoms, force * length - 0.5 * force.square() / self.weight, gap * (force / length)[:, None]


def joined(parts: Sequence[Distances]) -> Distances:
    """All of them; at least one part."""
    return Distances(*(torch.cat([getattr(one, item.name) for one in parts]) for item in fields(Distances)))


Part = tuple[Int64[Tensor, "..."], Float[Tensor, "..."], Float[Tensor, "..."]]
"""Atoms of restraints, their energies, and gradients on the atoms."""


def total(
    parts: Sequence[Part], batch: int, x: Float[Tensor, "N 3"]
) -> tuple[Float[Tensor, " B"], Float[Tensor, "N 3"]]:
    """Energies of `batch` conformers with as many points each, and the gradient at x."""
    gradient, energy, size = torch.zeros_like(x), x.new_zeros(batch), len(x) // batch
    for atoms, energies, forces in parts:
        gradient.index_add_(0, atoms.reshape(-1), forces.reshape(-1, 3))
        first = atoms[: len(energies)] if atoms.dim() == 1 else atoms[:, 0]
        energy.index_add_(0, first // size, energies)
    return energy, gradient


def tensors(*arrays: np.ndarray) -> tuple[Tensor, ...]:
    """Numbers in single precision, atoms as they are."""
    found = (torch.from_numpy(np.ascontiguousarray(array)) for array in arrays)
    return tuple(one.float() if one.is_floating_point() else one for one in found)
