"""Building blocks that trunk and latent model share."""

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from rnagen.model.attention import attend
from rnagen.model.embeddings import rotate
from rnagen.model.products import Linear, multiplies, product, scaled_product
from rnagen.model.rows import row_blocks
from rnagen.model.triangles import gated_triangles, gated_triangles_by_rows


class Transition(nn.Module):
    """Gated feed-forward layer, SwiGLU (Shazeer 2020, eq. 6)."""

    def __init__(self, dim: int, ratio: int) -> None:
        super().__init__()
        hidden = 8 * round(dim * ratio * 2 / 3 / 8)
        self.inward = Linear(dim, 2 * hidden, bias=False)
        self.outward = Linear(hidden, dim, bias=False)

    def forward(self, x: Float[Tensor, "*shape d"]) -> Float[Tensor, "*shape d"]:
        if multiplies(x):
            of_gate, of_value = self.inward.weight.chunk(2)
            return self.outward(scaled_product(x, of_value, product(x, of_gate, after="swish")))
        gate, value = self.inward(x).chunk(2, dim=-1)
        return self.outward(F.silu(gate) * value)


class BiasedAttention(nn.Module):
    """Self-attention over residues with an additive bias per head, normalised queries and keys (QK-norm)."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.project = Linear(dim, 3 * dim, bias=False)
        self.query_gain = nn.Parameter(torch.ones(dim // heads))
        self.key_gain = nn.Parameter(torch.ones(dim // heads))
        self.out = Linear(dim, dim, bias=False)

    def forward(
        self,
        x: Float[Tensor, "B K L d"],
        bias: Float[Tensor, "B 1 H L L"],
        rotary: Float[Tensor, "2 B 1 1 L half"] | None = None,
    ) -> Float[Tensor, "B K L d"]:
        """K independent copies of L tokens attend under one bias; the bias already excludes padded keys."""
        query, key, value = rearrange(self.project(x), "b k l (three h d) -> three b k h l d", three=3, h=self.heads)
        query = F.rms_norm(query, query.shape[-1:], self.query_gain.to(query.dtype), eps=1e-6)
        key = F.rms_norm(key, key.shape[-1:], self.key_gain.to(key.dtype), eps=1e-6)
        if rotary is not None:
            query, key = rotate(query, rotary), rotate(key, rotary)
        mixed = attend(query, key, value.to(query.dtype), bias.to(query.dtype))
        return self.out(rearrange(mixed, "b k h l d -> b k l (h d)").to(x.dtype))


class PairBias(nn.Module):
    """Pair representation → additive attention bias of one or several layers."""

    def __init__(self, pair_dim: int, heads: int, layers: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(pair_dim)
        self.project = Linear(pair_dim, layers * heads, bias=False)

    def forward(self, pair: Float[Tensor, "B L L c"], mask: Bool[Tensor, "B L"]) -> Float[Tensor, "layers B 1 H L L"]:
        blocks = row_blocks(pair.shape[1])
        bias = self._rows(pair[:, blocks[0]])
        if len(blocks) > 1:
            first, bias = bias, bias.new_empty(*bias.shape[:2], *pair.shape[1:3])
            bias[:, :, blocks[0]] = first
            for rows in blocks[1:]:
                bias[:, :, rows] = self._rows(pair[:, rows])
        bias = rearrange(bias, "(n h) b i j -> n b 1 h i j", h=self.heads)
        # Finite, so that a row with no key at all stays finite: its output is never used.
        lowest = torch.finfo(torch.bfloat16).min / 4
        if bias.requires_grad:
            return bias.masked_fill(~mask[None, :, None, None, None, :], lowest)
        return bias.masked_fill_(~mask[None, :, None, None, None, :], lowest)

    def _rows(self, pair: Float[Tensor, "B rows L c"]) -> Float[Tensor, "layersH B rows L"]:
        return (self.project.weight @ self.norm(pair).flatten(0, -2).mT).unflatten(1, pair.shape[:-1])


class TriangleMultiplication(nn.Module):
    """Update of pair (i, j) from the pairs that i and j form with every k.

    Jumper et al. 2021, supplementary algorithms 11 (outgoing) and 12 (incoming), both in one layer on half the
    channels each: one pass over the pair representation instead of two.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.project = Linear(dim, 4 * dim, bias=False)
        self.norm_out = nn.LayerNorm(dim)
        self.out = Linear(dim, dim, bias=False)
        self.gate = Linear(dim, dim)
        nn.init.zeros_(self.out.weight)

    def forward(self, pair: Float[Tensor, "B L L c"], pair_mask: Float[Tensor, "B L L 1"]) -> Float[Tensor, "B L L c"]:
        shape = pair.shape[:-1]
        # Without a bias, a masked pair has edges of zero.
        normed = (self.norm(pair) * pair_mask).flatten(0, -2)
        update = gated_triangles((self.project.weight @ normed.mT).unflatten(1, shape))
        return self._gated(update, normed).unflatten(0, shape)

    def add_to(self, pair: Float[Tensor, "B L L c"], pair_mask: Float[Tensor, "B L L 1"]) -> Float[Tensor, "B L L c"]:
        """`pair` and its update. Without gradients in place: beside it there are the sums over k and the edges of a few
        channels."""
        if torch.is_grad_enabled() or torch.compiler.is_compiling():
            return pair + self(pair, pair_mask)

        def normed(rows: slice) -> Float[Tensor, "pairs c"]:
            return (self.norm(pair[:, rows]) * pair_mask[:, rows]).flatten(0, -2)

        update = gated_triangles_by_rows(normed, self.project.weight, pair.shape[:-1])
        for rows in row_blocks(pair.shape[1]):
            pair[:, rows] += self._gated(update[:, :, rows], normed(rows)).view_as(pair[:, rows])
        return pair

    def _gated(self, update: Float[Tensor, "c B rows L"], normed: Float[Tensor, "pairs c"]) -> Float[Tensor, "pairs c"]:
        # Sums over k grow with L; the norm takes that out again.
        summed = self.norm_out(update.flatten(1).mT.to(normed.dtype))
        if multiplies(normed):
            return scaled_product(summed, self.out.weight, product(normed, self.gate.weight, self.gate.bias, "sigmoid"))
        return self.out(summed) * self.gate(normed).sigmoid()
