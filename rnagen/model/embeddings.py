"""Embeddings of positions, times and pairs."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F


def sinusoidal(
    values: Float[Tensor, "*shape"], dim: int, max_period: float = 10_000.0
) -> Float[Tensor, "*shape {dim}"]:
    """cos and sin of each value at dim/2 frequencies falling geometrically from 1 to 1/max_period.

    Vaswani et al. 2017, section 3.5.
    """
    exponents = torch.arange(dim // 2, device=values.device, dtype=torch.float32) / (dim // 2)
    angles = values.float()[..., None] * torch.exp(-math.log(max_period) * exponents)
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


def rotary_angles(positions: Int[Tensor, "B L"], head_dim: int) -> Float[Tensor, "2 B 1 1 L half"]:
    """cos and sin of the rotary embedding (Su et al. 2021, eq. 34), to be broadcast over copies and heads."""
    frequencies = 10_000.0 ** (-torch.arange(0, head_dim, 2, device=positions.device, dtype=torch.float32) / head_dim)
    angles = positions.float()[:, None, None, :, None] * frequencies
    return torch.stack([angles.cos(), angles.sin()])


def rotate(x: Float[Tensor, "B K H L dim"], angles: Float[Tensor, "2 B 1 1 L half"]) -> Float[Tensor, "B K H L dim"]:
    """Rotate the two halves of each head by the rotary angles."""
    cos, sin = angles.to(x.dtype)
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)


def radial(
    distances: Float[Tensor, "*shape"], first: float, last: float, count: int
) -> Float[Tensor, "*shape {count}"]:
    """Gaussians of each distance, centred evenly from `first` to `last`, as wide as their centres are apart."""
    centres = torch.linspace(first, last, count, device=distances.device)
    # exp(−x²) as a power of two, which PyTorch computes four times as fast.
    apart = (distances[..., None] - centres) * (math.log2(math.e) ** 0.5 / (centres[1] - centres[0]))
    return torch.exp2(-apart.square())


class TimeEmbedding(nn.Module):
    """Flow time → vector of width `dim`."""

    def __init__(self, dim: int, multiplier: float) -> None:
        super().__init__()
        self.multiplier = multiplier
        self.dim = dim
        self.mlp = nn.Sequential(nn.Linear(dim, dim), nn.SiLU(), nn.Linear(dim, dim))

    def forward(self, t: Float[Tensor, "B K"]) -> Float[Tensor, "B K d"]:
        return self.mlp(sinusoidal(t * self.multiplier, self.dim))


class LabelEmbedding(nn.Module):
    """Number of a category (see `rnagen.config.categories`) → vector of width `dim`: zero for no label, and for all
    before training."""

    def __init__(self, categories: int, dim: int) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.zeros(categories, dim))

    def forward(self, label: Int[Tensor, " B"]) -> Float[Tensor, "B d"]:
        return F.embedding(label, F.pad(self.vectors, (0, 0, 1, 0)))


class RelativePosition(nn.Module):
    """Learned embedding of clipped residue-index differences."""

    def __init__(self, dim: int, max_distance: int) -> None:
        super().__init__()
        self.max_distance = max_distance
        self.embedding = nn.Embedding(2 * max_distance + 1, dim)

    def forward(self, residue_index: Int[Tensor, "B L"], rows: slice = slice(None)) -> Float[Tensor, "B rows L c"]:
        difference = residue_index[:, rows, None] - residue_index[:, None, :]
        clipped = difference.clamp(-self.max_distance, self.max_distance) + self.max_distance
        return self.embedding(clipped)
