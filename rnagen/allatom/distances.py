"""Restraints on distances: along the chain, between any two atoms, from a place.

Coordinates are [B, A, 3, L]: B conformers of L residues with A atoms each on the grid, residues last, so that what is
the same of all residues is one pass over long rows. Each kind of restraint adds its gradient to a given tensor and
returns the energies of the conformers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor

NEXT = 4
"""So many of the first atoms of the grid take part in restraints to the residue before."""


def with_next(x: Float[Tensor, "B A 3 L"]) -> Float[Tensor, "B A+4 3 L"]:
    """Also the first atoms of the next residue; zero for the last one."""
    return torch.cat([x, torch.nn.functional.pad(x[:, :NEXT, :, 1:], (0, 1))], 1)


def folded(gradient: Float[Tensor, "B E 3 L"]) -> Float[Tensor, "B A 3 L"]:
    """The gradient on the atoms themselves, of that on what `with_next` gave."""
    own, following = gradient[:, :-NEXT], gradient[:, -NEXT:]
    own[:, :NEXT, :, 1:] += following[..., :-1]
    return own.contiguous()


@dataclass(frozen=True)
class ChainDistances:
    """K distances of each residue, within it or to the next: without force between two bounds, harmonic outside."""

    ends: Float[Tensor, "K E"]
    """1 and -1 at the two atoms; numbered as `with_next` has them, E = A + 4."""
    lower: Float[Tensor, "*B K L"]
    upper: Float[Tensor, "*B K L"]
    """Å; the same as `lower` for an ideal value."""
    weight: Float[Tensor, "K L"]
    """1 / Å²; zero where there is no such distance."""

    def add(self, x: Float[Tensor, "B E 3 L"], gradient: Float[Tensor, "B E 3 L"]) -> Float[Tensor, " B"]:
        """Energies at coordinates in Å."""
        gap = across(self.ends, x)
        length = norm(gap).clamp(min=1e-3)
        off = length - length.clamp(self.lower, self.upper)
        force = self.weight * off
        gradient += across(self.ends.T, gap * (force / length)[:, :, None])
        return 0.5 * (force * off).sum((1, 2))


@dataclass(frozen=True)
class PairDistances:
    """K distances of any two atoms of a conformer: without force between two bounds, harmonic outside."""

    first: Int64[Tensor, "3 K"]
    second: Int64[Tensor, "3 K"]
    """Places of their coordinates among all those of all conformers."""
    conformer: Int64[Tensor, " K"]
    lower: Float[Tensor, " K"]
    upper: Float[Tensor, " K"]
    """Å; infinite for what only pushes."""
    weight: Float[Tensor, " K"]
    """1 / Å²."""
    most: Float[Tensor, " K"]
    """1 / Å; largest force."""

    @classmethod
    def of(
        cls,
        atoms: Int[np.ndarray, "K 2"],
        conformer: int,
        shape: tuple[int, int],
        lower: Float[np.ndarray, " K"],
        upper: Float[np.ndarray, " K"],
        sigma: float,
        most: float = np.inf,
    ) -> "PairDistances":
        """With a standard deviation in Å.

        Args:
            atoms: atom a of residue i is i · A + a.
            conformer: its number.
            shape: L and A.
        """
        length, width = shape
        residue, atom = np.divmod(atoms.T.astype(np.int64), width)
        places = ((conformer * width + atom) * 3)[:, None] * length + residue[:, None] + length * np.arange(3)[:, None]
        size = len(atoms)
        of = np.full(size, conformer)
        limits = (lower, upper, np.full(size, sigma**-2), np.full(size, most))
        return cls(*tensors(places[0], places[1], of, *limits))

    def add(self, x: Float[Tensor, "B A 3 L"], gradient: Float[Tensor, "B A 3 L"]) -> Float[Tensor, " B"]:
        """Energies at coordinates in Å; most pairs are between their bounds, and cost little."""
        flat, energy = x.view(-1), x.new_zeros(len(x))
        gap = flat.index_select(0, self.first.view(-1)).view(3, -1)
        gap = gap - flat.index_select(0, self.second.view(-1)).view(3, -1)
        a, b, c = gap
        length = (a * a + b * b + c * c).sqrt()
        rows = ((length < self.lower) | (length > self.upper)).nonzero()[:, 0]
        gap, length, lower, upper = gap[:, rows], length[rows].clamp(min=1e-3), self.lower[rows], self.upper[rows]
        weight, most = self.weight[rows], self.most[rows]
        off = length - length.clamp(lower, upper)
        force = (weight * off).clamp(-most, most)
        along = (gap * (force / length)).view(-1)
        into = gradient.view(-1)
        into.index_add_(0, self.first[:, rows].view(-1), along)
        into.index_add_(0, self.second[:, rows].view(-1), along, alpha=-1)
        return energy.index_add_(0, self.conformer[rows], force * off - 0.5 * force.square() / weight)


@dataclass(frozen=True)
class Ties:
    """Atoms that are held where they should be: harmonic near, of constant force farther away (Huber)."""

    columns: Int64[Tensor, " K"]
    """Atoms of each residue, on the grid."""
    places: Float[Tensor, "B K 3 L"]
    weight: Float[Tensor, "K L"]
    """1 / Å²; zero where there is no place."""
    most: Float[Tensor, "K 1"]
    """1 / Å; largest force."""

    def add(self, x: Float[Tensor, "B A 3 L"], gradient: Float[Tensor, "B A 3 L"]) -> Float[Tensor, " B"]:
        """Energies at coordinates in Å."""
        gap = x[:, self.columns] - self.places
        length = norm(gap).clamp(min=1e-6)
        full = self.weight * length
        force = full.minimum(self.most)
        gradient.index_add_(1, self.columns, gap * (force / length)[:, :, None])
        return (force * (length - 0.5 * force / self.weight.clamp(min=1e-6))).sum((1, 2))


def joined(parts: Sequence[PairDistances]) -> PairDistances:
    """All of them; at least one part."""
    return PairDistances(*(torch.cat([getattr(one, item.name) for one in parts], -1) for item in fields(PairDistances)))


def across(matrix: Float[Tensor, "n m"], x: Float[Tensor, "B m 3 L"]) -> Float[Tensor, "B n 3 L"]:
    """A matrix on the atoms of every residue."""
    return torch.matmul(matrix, x.flatten(2)).unflatten(2, x.shape[2:])


def norm(x: Float[Tensor, "B n 3 L"]) -> Float[Tensor, "B n L"]:
    """Lengths of vectors; faster than a reduction over three."""
    a, b, c = x.unbind(2)
    return (a * a + b * b + c * c).sqrt()


def tensors(*arrays: np.ndarray) -> tuple[Tensor, ...]:
    """Numbers in single precision, atoms as they are."""
    found = (torch.from_numpy(np.ascontiguousarray(array)) for array in arrays)
    return tuple(one.float() if one.is_floating_point() else one for one in found)
