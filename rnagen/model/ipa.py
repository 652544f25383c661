"""Invariant point attention over the frames of the first reference: Jumper et al. 2021, supplement 1.8.2, algorithm 22.

Each residue of the reference has a frame. Residues attend to each other by what the trunk knows of them and by the
distances of points that they place in their frames, and read points of the others in their own: what comes out depends
on the shape of the reference and its handedness, and not on its pose.
"""

import math

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from rnagen.config.structure import ModelConfig
from rnagen.features import References
from rnagen.geometry import full_precision, masked_mean, rotate
from rnagen.model.blocks import PairBias
from rnagen.model.products import Linear
from rnagen.model.trunk import TrunkOutput

QUERY_POINTS, VALUE_POINTS = 4, 8
"""Points of each residue and head that are compared, and that are read."""
UNIT = 10.0
"""Å per unit of the points (supplement 1.8.2)."""
FLATTEST = 0.1
"""Å; atoms closer than this to each other, or to one line, give no frame."""


@full_precision
def frames(
    coords: Float[Tensor, "B L A 3"], mask: Bool[Tensor, "B L A"]
) -> tuple[Float[Tensor, "B L 3 3"], Float[Tensor, "B L 3"], Bool[Tensor, "B L"]]:
    """Rotation and origin (Å, about the mean of all) of each residue, and whether it has a frame, by Gram–Schmidt on
    the last three atoms (algorithm 21): of the beads C4', C1' and N, which are next to each other and rigid. C1', the
    second, is the origin; the identity at 0 where there is no frame."""
    known = mask[..., -3:].all(-1)
    first, origin, third = torch.where(known[..., None, None], coords[..., -3:, :], 0.0).unbind(-2)
    x = third - origin
    e1 = F.normalize(x, dim=-1)
    y = first - origin
    y = y - (y * e1).sum(-1, keepdim=True) * e1
    e2 = F.normalize(y, dim=-1)
    known = known & (torch.minimum(x.norm(dim=-1), y.norm(dim=-1)) > FLATTEST)
    rotation = torch.stack([e1, e2, torch.linalg.cross(e1, e2)], dim=-1)
    rotation = torch.where(known[..., None, None], rotation, torch.eye(3, device=coords.device))
    centre = masked_mean(origin, known[..., None], 1, keepdim=True)
    return rotation, torch.where(known[..., None], origin - centre, 0.0), known


class InvariantPointAttention(nn.Module):
    """What the frames of the first reference add to the tokens before each of the first `outputs` blocks of the latent
    model: nothing before training, nothing to a residue without a frame."""

    def __init__(self, config: ModelConfig, outputs: int) -> None:
        super().__init__()
        dim, self.heads = config.embed_dim, config.mha_heads
        self.norm = nn.LayerNorm(dim)
        self.project = Linear(dim, 3 * dim, bias=False)
        self.points = Linear(dim, self.heads * (2 * QUERY_POINTS + VALUE_POINTS) * 3)
        self.bias = PairBias(config.pair_dim, self.heads, layers=1)
        # γ = softplus of it is 1 at first.
        self.distance_weight = nn.Parameter(torch.full((self.heads,), math.log(math.e - 1)))
        self.out = Linear(dim + self.heads * (4 * VALUE_POINTS + config.pair_dim), outputs * dim, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(
        self, trunk: TrunkOutput, references: References, mask: Bool[Tensor, "B L"]
    ) -> Float[Tensor, "outputs B 1 L d"]:
        """Once per RNA."""
        rotation, origin, known = frames(references.coords[:, 0], references.mask[:, 0] & mask[..., None])
        out = self._attended(trunk.single, trunk.pair, rotation, origin, known)
        return rearrange(out * known[..., None], "b l (n d) -> n b 1 l d", d=trunk.single.shape[-1])

    @full_precision
    def _attended(
        self,
        single: Float[Tensor, "B L d"],
        pair: Float[Tensor, "B L L c"],
        rotation: Float[Tensor, "B L 3 3"],
        origin: Float[Tensor, "B L 3"],
        known: Bool[Tensor, "B L"],
    ) -> Float[Tensor, "B L out"]:
        normed, heads = self.norm(single), self.heads
        query, key, value = rearrange(self.project(normed), "b l (three h c) -> three b h l c", three=3, h=heads)
        points = rearrange(self.points(normed), "b l (n xyz) -> b l n xyz", xyz=3)
        placed = rotate(points, rotation) + origin[:, :, None] / UNIT
        placed = rearrange(placed, "b l (h p) xyz -> b h l p xyz", h=heads)
        compared, with_these, read = placed.split([QUERY_POINTS, QUERY_POINTS, VALUE_POINTS], dim=-2)
        # The squared distances of all points of a pair, summed.
        exact = "donot_use_mm_for_euclid_dist"
        square = torch.cdist(compared.flatten(-2), with_these.flatten(-2), compute_mode=exact).square()
        weight = F.softplus(self.distance_weight)[:, None, None] * math.sqrt(2 / (9 * QUERY_POINTS)) / 2
        scores = query @ key.mT / math.sqrt(query.shape[-1]) + self.bias(pair, known)[0, :, 0]
        attention = (math.sqrt(1 / 3) * (scores - weight * square)).softmax(-1)
        seen = torch.einsum("bhij,bhjpx->bihpx", attention, read) - origin[:, :, None, None] / UNIT
        seen = rotate(seen.flatten(2, 3), rotation.mT)
        lengths = (seen.square().sum(-1) + 1e-8).sqrt()
        pairs = torch.einsum("bhij,bijc->bihc", attention, pair).flatten(2)
        values = rearrange(attention @ value, "b h l c -> b l (h c)")
        return self.out(torch.cat([values, seen.flatten(2), lengths, pairs], dim=-1))
