"""How known structures enter the model: their distances into the trunk, their coordinates into the latent model.

Distances of several references are averaged before two pair blocks read them, as Jumper et al. 2021 do after theirs
(supplement 1.7.1): one pass whatever their number. Distances do not see mirror images; the coordinates do.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from rnagen.config.structure import ModelConfig
from rnagen.features import References
from rnagen.geometry import full_precision, masked_mean
from rnagen.model.blocks import Transition, TriangleMultiplication
from rnagen.model.embeddings import radial
from rnagen.model.products import Linear
from rnagen.model.rows import add_by_rows, by_rows

DISTANCES = (3.25, 52.0, 39)
"""Centres of the radial functions of a distance: first, last (Å) and number."""
WIDTH = 32
"""Of the pair representation of the references."""
BLOCKS = 2
GAIN = 4.0
"""Of what references add: weights that start at zero, in a model that is trained already, have further to go."""
LAST, LAST_SAMPLED = 0.05, 0.01
"""Of the time from noise to data, in training and in sampling; later, a velocity goes only a part of the way to a
reference. In training the rest is longer: there, a velocity that ends at an inexact reference costs more the later."""
REPEATED = 4
"""Times that sampling goes the chosen share of the way."""
LEAST_TRUST = 0.15
"""Below it sampling does not read a residue of a reference: it is more likely wrong than right, and a wrong one costs
as much as a right one gives (docs/inputs.md)."""
CHANNELS = 2 * (DISTANCES[2] + 1)
"""Numbers per pair that `distance_features` gives."""


class PairBlock(nn.Module):
    """Triangle multiplication and transition."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.triangle = TriangleMultiplication(dim)
        self.norm = nn.LayerNorm(dim)
        self.transition = Transition(dim, 2)

    def forward(self, pair: Float[Tensor, "B L L c"], pair_mask: Float[Tensor, "B L L 1"]) -> Float[Tensor, "B L L c"]:
        """The pairs after the block; without gradients, `pair` itself is changed."""
        between = self.triangle.add_to(pair, pair_mask)
        return add_by_rows(between, lambda rows: self.transition(self.norm(between[:, rows])))


class ReferencePairs(nn.Module):
    """What the references add to the pair representation of the trunk.

    The last projection starts at zero: training begins at the model without references. An RNA without any gets exactly
    nothing.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.atom = config.atoms.index("C1'")
        self.distances = Linear(CHANNELS, WIDTH, bias=False)
        self.pair_norm = nn.LayerNorm(config.pair_dim)
        self.pair = Linear(config.pair_dim, WIDTH, bias=False)
        self.blocks = nn.ModuleList(PairBlock(WIDTH) for _ in range(BLOCKS))
        self.norm = nn.LayerNorm(WIDTH)
        self.out = Linear(WIDTH, config.pair_dim, bias=False)
        nn.init.zeros_(self.out.weight)

    def add_to(
        self, pair: Float[Tensor, "B L L c"], references: References, mask: Bool[Tensor, "B L"]
    ) -> Float[Tensor, "B L L c"]:
        """The pairs and what the references add; without gradients in place."""
        known = references.mask[..., self.atom] & mask[:, None]
        c1 = references.coords[..., self.atom, :]

        def read(rows: slice) -> Float[Tensor, "B rows L width"]:
            seen = distance_features(c1, known, references.trust, rows)
            return self.distances(seen.to(pair.dtype)) + self.pair(self.pair_norm(pair[:, rows]))

        between = by_rows(read, mask.shape[1])
        pair_mask = (mask[:, :, None] & mask[:, None, :])[..., None].to(pair.dtype)
        for block in self.blocks:
            between = block(between, pair_mask)
        any_known = known.any(2).any(1)[:, None, None, None]
        return add_by_rows(pair, lambda rows: GAIN * self.out(self.norm(between[:, rows])) * any_known)


@full_precision
def distance_features(
    c1: Float[Tensor, "B R L 3"], known: Bool[Tensor, "B R L"], trust: Float[Tensor, "B R L"], rows: slice
) -> Float[Tensor, "B rows L channels"]:
    """Radial functions of the distances of all pairs and 1 where they are known, which tells pairs that are far apart
    from unknown ones: their mean over the references that know a pair, and the same weighted by the trust in it."""
    c1 = torch.where(known[..., None], c1, 0.0)
    both = (known[..., rows, None] & known[..., None, :]).to(c1.dtype)
    weighted = both * torch.minimum(trust[..., rows, None], trust[..., None, :])
    number = both.sum(1).clamp(min=1)
    means = c1.new_zeros(*number.shape, CHANNELS)
    for one, weights in zip(c1.unbind(1), torch.stack([both, weighted], -1).unbind(1)):
        distances = torch.cdist(one[:, rows], one, compute_mode="donot_use_mm_for_euclid_dist")
        functions = torch.cat([radial(distances, *DISTANCES), torch.ones_like(distances)[..., None]], dim=-1)
        means = means + (functions[..., None, :] * weights[..., :, None]).flatten(-2)
    return means / number[..., None]


@dataclass(frozen=True)
class PlacedReferences:
    """What the latent model reads of the references: the same for all copies, or in the pose of each, or those of
    each."""

    coords: Float[Tensor, "B copies L RA 3"]
    """Model units about the centre of the first reference, 0 where unknown."""
    flags: Float[Tensor, "B _ L channels"]
    """Which atoms are known, and the trust in each residue where any is."""

    def turned(self, rotation: Float[Tensor, "B K 3 3"]) -> "PlacedReferences":
        """The references in the pose of each copy."""
        return replace(self, coords=turned(self.coords, rotation))

    def some(self, copies: slice) -> "PlacedReferences":
        """Those of some copies, where each has its own."""
        return PlacedReferences(self.coords[:, copies], self.flags[:, copies])

    @classmethod
    def joined(cls, placed: Sequence["PlacedReferences"]) -> "PlacedReferences":
        """References of copies that each have their own."""
        coords, flags = [one.coords for one in placed], [one.flags for one in placed]
        return cls(torch.cat(coords, dim=1), torch.cat(flags, dim=1))

    @classmethod
    def of(cls, references: References, number: int, sigma_data: float) -> "PlacedReferences":
        """The first `number` references, in units of `sigma_data` Å."""
        some = [values[:, :number] for values in (references.coords, references.mask, references.trust)]
        coords, mask, trust = (_filled(values, number) for values in some)
        centre = masked_mean(coords[:, 0], mask[:, 0, ..., None], (1, 2), keepdim=True)[:, None]
        placed = torch.where(mask[..., None], coords - centre, 0.0) / sigma_data
        weighted = torch.where(mask.any(-1), trust, 0.0)
        flags = torch.cat([mask.to(trust.dtype), weighted[..., None]], dim=-1)
        return cls(rearrange(placed, "b r l a xyz -> b 1 l (r a) xyz"), rearrange(flags, "b r l c -> b 1 l (r c)"))


def _filled(values: Tensor, number: int) -> Tensor:
    """Exactly so many references: empty ones behind those that there are."""
    return torch.cat([values, values.new_zeros(len(values), number - values.shape[1], *values.shape[2:])], dim=1)


class ReferenceCoordinates(nn.Module):
    """What the references add to the tokens of the latent model: nothing before training, nothing where there is no
    reference."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        atoms, dim = len(config.atoms) * config.references, config.embed_dim
        self.number, self.sigma_data = config.references, config.sigma_data
        self.coordinates = Linear(3 * atoms, dim, bias=False)
        self.flags = Linear(atoms + config.references, dim, bias=False)
        for layer in (self.coordinates, self.flags):
            nn.init.zeros_(layer.weight)

    def placed(self, references: References) -> PlacedReferences:
        """What `forward` reads, once per RNA."""
        return PlacedReferences.of(references, self.number, self.sigma_data)

    def forward(self, placed: PlacedReferences) -> Float[Tensor, "B copies L d"]:
        """Tokens of all copies at once, or those of each, with its references in a pose of its own."""
        return GAIN * (_in_full(placed.coords.flatten(-2), self.coordinates) + self.flags(placed.flags))


class ReferenceSteps(nn.Module):
    """What the references add to a velocity: in each residue, a share of the way from the estimated data to where the
    reference has its atoms. The share is the trust, times what the tokens choose, 0 to 1; half of it before training.

    The way is that of the linear path, where a share of 1 leads to the reference; it does not depend on where a
    reference lies, but on its orientation. Trained on references with errors, the tokens choose shares around 0.6 of
    any; sampling (evaluation mode) goes that share several times, so that trust alone decides (docs/inputs.md).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.number, self.atoms = config.references, len(config.atoms)
        self.share = Linear(config.embed_dim, config.references)
        nn.init.zeros_(self.share.weight)
        nn.init.constant_(self.share.bias, 0.5 / GAIN)

    @full_precision
    def forward(
        self,
        velocity: Float[Tensor, "B K L A 3"],
        tokens: Float[Tensor, "B K L d"],
        x_t: Float[Tensor, "B K L A 3"],
        t: Float[Tensor, "B K"],
        placed: PlacedReferences,
    ) -> Float[Tensor, "B K L A 3"]:
        left = 1 - t[..., None, None, None]
        estimate = x_t + left * velocity
        flags = placed.flags.unflatten(-1, (self.number, self.atoms + 1))
        chosen = (GAIN * self.share(tokens)).clamp(0, 1)
        shares = (chosen if self.training else 1 - (1 - chosen) ** REPEATED) * flags[..., -1]
        steps = torch.zeros_like(velocity)
        for number, coords in enumerate(placed.coords.unflatten(-2, (self.number, self.atoms)).unbind(-3)):
            known = flags[..., number, : self.atoms, None]
            way = coords - estimate
            way = known * (way - masked_mean(way, known > 0, (2, 3), keepdim=True))
            steps = steps + shares[..., number, None, None] * way
        return steps / (left + (LAST if self.training else LAST_SAMPLED))


@full_precision
def turned(coords: Float[Tensor, "B 1 L N 3"], rotation: Float[Tensor, "B K 3 3"]) -> Float[Tensor, "B K L N 3"]:
    """The points in the pose of each copy."""
    return torch.matmul(coords, rotation.mT[:, :, None])


@full_precision
def _in_full(x: Tensor, layer: nn.Linear) -> Tensor:
    """bfloat16 would round coordinates by up to half an ångström."""
    return layer(x)
