"""How good a conformer is: its C1' geometry held against what the trunk knows of the RNA.

Poses do not matter, mirror images do: what a pair of residues looks like is their distance and the direction of each
from the frame of the other, which a reflection reverses.
"""

from dataclasses import dataclass

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from rnagen.config.confidence import HeadConfig
from rnagen.geometry import full_precision
from rnagen.model.blocks import BiasedAttention, PairBias, Transition
from rnagen.model.embeddings import radial
from rnagen.model.products import Linear
from rnagen.model.rows import add_by_rows, by_rows
from rnagen.model.trunk import TrunkOutput

DISTANCES = (3.0, 57.0, 28)
"""Centres of the radial functions of a distance: first, last (Å) and number; their width is their spacing."""
NEIGHBOURS = (15.0, 2.0)
"""Å: pairs nearer than the first are gathered with weight near 1, with a soft edge of the second."""
GEOMETRY = DISTANCES[2] + 6
"""Numbers per pair that `pair_geometry` gives."""


@dataclass(frozen=True)
class ConfidenceLogits:
    """Over levels from 0 to 1; `expected` makes them a number."""

    lddt: Float[Tensor, "B K L levels"]
    """C1'-lDDT of each residue."""
    tm: Float[Tensor, "B K levels"]
    """TM-score of each conformer."""


class ConfidenceBlock(nn.Module):
    """Residues into pairs, transition, pair-biased attention, pairs gathered by residue, transition."""

    def __init__(self, config: HeadConfig) -> None:
        super().__init__()
        dim, pair_dim = config.head_dim, config.head_pair_dim
        self.outer = Linear(dim, 2 * pair_dim, bias=False)
        self.pair_norm = nn.LayerNorm(pair_dim)
        self.pair_transition = Transition(pair_dim, 2)
        self.bias = PairBias(pair_dim, config.head_heads, layers=1)
        self.attention_norm = nn.LayerNorm(dim)
        self.attention = BiasedAttention(dim, config.head_heads)
        self.gather = Linear(2 * pair_dim, dim, bias=False)
        self.transition_norm = nn.LayerNorm(dim)
        self.transition = Transition(dim, 2)

    def forward(
        self,
        single: Float[Tensor, "N L d"],
        pair: Float[Tensor, "N L L c"],
        mask: Bool[Tensor, "N L"],
        shares: Float[Tensor, "N 2 L L"],
    ) -> tuple[Float[Tensor, "N L d"], Float[Tensor, "N L L c"]]:
        """Single and pair representation after the block; without gradients, `pair` itself is changed."""
        left, right = self.outer(single).chunk(2, dim=-1)
        pair = add_by_rows(pair, lambda rows: left[:, rows, None] + right[:, None, :])
        before = pair
        pair = add_by_rows(pair, lambda rows: self.pair_transition(self.pair_norm(before[:, rows])))
        single = single + self.attention(self.attention_norm(single)[:, None], self.bias(pair, mask)[0])[:, 0]
        single = single + self.gather(gathered(pair, shares))
        return single + self.transition(self.transition_norm(single)), pair


class ConfidenceHead(nn.Module):
    """Trunk output and C1' coordinates → probabilities of C1'-lDDT by residue and of the TM-score.

    Args:
        config: shape of the head.
        embed_dim: width of the single representation that it reads.
        pair_dim: width of the pair representation that it reads.
    """

    def __init__(self, config: HeadConfig, embed_dim: int, pair_dim: int) -> None:
        super().__init__()
        self.config = config
        self.embed_dim, self.pair_dim = embed_dim, pair_dim
        dim, width = config.head_dim, config.head_pair_dim
        self.single = Linear(embed_dim, dim)
        self.pair_norm = nn.LayerNorm(pair_dim)
        self.pair = Linear(pair_dim, width)
        self.geometry = Linear(GEOMETRY, width, bias=False)
        self.blocks = nn.ModuleList(ConfidenceBlock(config) for _ in range(config.head_layers))
        self.norm = nn.LayerNorm(dim)
        self.lddt = Linear(dim, config.levels)
        self.tm = nn.Sequential(Linear(dim + width + 1, dim), nn.SiLU(), Linear(dim, config.levels))

    def forward(self, trunk: TrunkOutput, c1: Float[Tensor, "B K L 3"], mask: Bool[Tensor, "B L"]) -> ConfidenceLogits:
        """Logits in fp32 of K conformers of each of B RNAs; `c1` in Å, anything on padding."""
        conformers = c1.shape[1]
        frames = residue_frames(c1, mask)

        def read(rows: slice) -> Float[Tensor, "N rows L c"]:
            known = self.pair(self.pair_norm(trunk.pair[:, rows]))
            geometry = self.geometry(pair_geometry(c1, frames, rows).to(known.dtype))
            return rearrange(known[:, None] + geometry, "b k i j c -> (b k) i j c")

        pair = by_rows(read, c1.shape[2])
        single = repeat(self.single(trunk.single), "b l d -> (b k) l d", k=conformers)
        shares = rearrange(pair_shares(c1, mask), "b k w i j -> (b k) w i j").to(single.dtype)
        everyone = repeat(mask, "b l -> (b k) l", k=conformers)
        for block in self.blocks:
            single, pair = block(single, pair, everyone, shares)
        residues = self.norm(single)
        weights = (everyone / everyone.sum(-1, keepdim=True).clamp(min=1)).to(residues.dtype)
        of_residues = (residues * weights[..., None]).sum(1)
        of_rows = by_rows(lambda rows: (pair[:, rows] * shares[:, 1, rows, :, None]).sum(2), c1.shape[2])
        of_pairs = (of_rows * weights[..., None]).sum(1)
        length = everyone.sum(-1, keepdim=True).clamp(min=1).log().to(residues.dtype)
        whole = self.tm(torch.cat([of_residues, of_pairs, length], dim=-1))
        return ConfidenceLogits(
            rearrange(self.lddt(residues), "(b k) l n -> b k l n", k=conformers).float(),
            rearrange(whole, "(b k) n -> b k n", k=conformers).float(),
        )

    @property
    def num_parameters(self) -> int:
        """Count of trained numbers."""
        return sum(p.numel() for p in self.parameters())


def gathered(pair: Float[Tensor, "N L L c"], shares: Float[Tensor, "N w L L"]) -> Float[Tensor, "N L wc"]:
    """Means over the pairs of each residue under w sets of weights, side by side."""
    return torch.cat([weights @ pair.flatten(0, 1) for weights in _rows(shares)], dim=-1).view(*pair.shape[:2], -1)


def _rows(shares: Float[Tensor, "N w L L"]) -> list[Float[Tensor, "NL 1 L"]]:
    return [weights.flatten(0, 1)[:, None] for weights in shares.unbind(1)]


@full_precision
def pair_shares(c1: Float[Tensor, "B K L 3"], mask: Bool[Tensor, "B L"]) -> Float[Tensor, "B K 2 L L"]:
    """Weights over j of each residue i that sum to 1: of its neighbours in space, and of all residues."""
    distances = torch.cdist(c1, c1, compute_mode="donot_use_mm_for_euclid_dist")
    radius, edge = NEIGHBOURS
    weights = torch.stack([torch.sigmoid((radius - distances) / edge), torch.ones_like(distances)], dim=2)
    weights = weights * mask[:, None, None, None, :]
    return weights / weights.sum(-1, keepdim=True).clamp(min=1e-6)


@full_precision
def pair_geometry(
    c1: Float[Tensor, "B K L 3"], frames: Float[Tensor, "B K L 3 3"], rows: slice = slice(None)
) -> Float[Tensor, "B K rows L features"]:
    """What residues i and j are to each other: radial functions of their C1' distance, and the unit vectors from i to j
    in the frame of i and from j to i in the frame of j. No motion of the whole changes it; a reflection does.

    Args:
        c1: Å.
        frames: of each residue, see `residue_frames`.
        rows: residues i; all by default.
    """
    apart = c1[..., None, :, :] - c1[..., rows, None, :]
    towards = F.normalize(apart, dim=-1)[..., None, :]
    of_row = (towards * frames[..., rows, None, :, :]).sum(-1)
    of_column = (-towards * frames[..., None, :, :, :]).sum(-1)
    return torch.cat([radial(apart.norm(dim=-1), *DISTANCES), of_row, of_column], dim=-1)


def residue_frames(c1: Float[Tensor, "B K L 3"], mask: Bool[Tensor, "B L"]) -> Float[Tensor, "B K L 3 3"]:
    """Right-handed axes (rows) of each residue from its C1' and those before and after it; the ends of the chain, which
    the mask tells from padding, take the axes of their neighbours. Zero where three atoms are on a line, and for chains
    of one or two."""
    length = c1.shape[-2]
    if length < 3:
        return c1.new_zeros(*c1.shape[:-1], 3, 3)
    lengths = mask.sum(-1)
    middle = torch.minimum(torch.arange(length, device=c1.device), lengths[:, None] - 2).clamp(min=1)

    def at(places: Int[Tensor, "B L"]) -> Float[Tensor, "B K L 3"]:
        return torch.take_along_dim(c1, places[:, None, :, None], dim=2)

    here = at(middle)
    onward, back = at(middle + 1) - here, at(middle - 1) - here
    e1 = F.normalize(onward, dim=-1)
    e3 = F.normalize(torch.linalg.cross(onward, back, dim=-1), dim=-1, eps=1e-4)
    frames = torch.stack([e1, torch.linalg.cross(e3, e1, dim=-1), e3], dim=-2)
    return frames * (lengths >= 3)[:, None, None, None, None]


def expected(logits: Float[Tensor, "*batch levels"]) -> Float[Tensor, "*batch"]:
    """Mean of the probabilities over the levels, which lie evenly between 0 and 1."""
    # A product and a sum: a matrix product would be rounded under autocast.
    return (logits.softmax(-1) * torch.linspace(0, 1, logits.shape[-1], device=logits.device)).sum(-1)


def spread(values: Float[Tensor, "*batch"], levels: int) -> Float[Tensor, "*batch levels"]:
    """Probabilities over the levels whose mean is the value: shared by the two levels that it lies between."""
    place = values.clamp(0, 1)[..., None] * (levels - 1)
    return (1 - (place - torch.arange(levels, device=values.device)).abs()).clamp(min=0)
