"""Crops of the chains of a whole batch at once, as masks [B, W] of their residues.

The uniform numbers in [0, 1) that choose them come from the caller: the same numbers give the same crops on every
device.
"""

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor


def pick(among: Bool[Tensor, "B W"], u: Float32[Tensor, " B"]) -> Int64[Tensor, " B"]:
    """One of the True positions, uniformly; 0 in a row without any."""
    count = among.sum(1)
    chosen = scaled(u, count)
    place = among.cumsum(1) - 1
    return (among & (place == chosen[:, None])).int().argmax(1)


def scaled(u: Float32[Tensor, "..."], count: Int64[Tensor, "..."]) -> Int64[Tensor, "..."]:
    """An integer from 0 to count − 1 from a number in [0, 1)."""
    # Rounding may give the count itself.
    return (u * count).long().minimum((count - 1).clamp(min=0))


def contiguous_crops(
    resolved: Bool[Tensor, "B W"], lengths: Int64[Tensor, " B"], size: int, u: Float32[Tensor, "B 2"]
) -> Bool[Tensor, "B W"]:
    """A random stretch of `size` residues that includes a resolved one.

    In a chain without resolved residues, any stretch; a chain of `size` residues or fewer is used whole.
    """
    position = torch.arange(resolved.shape[1], device=resolved.device)
    inside = position < lengths[:, None]
    anchor = pick(torch.where(resolved.any(1, keepdim=True), resolved, inside), u[:, 0])
    first = (anchor - size + 1).clamp(min=0)
    last = anchor.minimum((lengths - size).clamp(min=0))
    start = first + scaled(u[:, 1], last - first + 1)
    start = start.where(lengths > size, 0)[:, None]
    return inside & (position >= start) & (position < start + size)


def spatial_crops(
    positions: Float32[Tensor, "B W 3"], resolved: Bool[Tensor, "B W"], size: int, u: Float32[Tensor, " B"]
) -> Bool[Tensor, "B W"]:
    """The `size` resolved residues nearest to a random resolved one; all where fewer are resolved."""
    anchor = positions[torch.arange(len(positions), device=positions.device), pick(resolved, u)]
    distance = (positions - anchor[:, None]).norm(dim=-1).masked_fill(~resolved, torch.inf)
    nearest = distance.argsort(dim=1, stable=True)[:, :size]
    return torch.zeros_like(resolved).scatter(1, nearest, True) & resolved
