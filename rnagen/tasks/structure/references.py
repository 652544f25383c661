"""The references of a training step: templates and other conformers as the data have them, or the answer itself with
errors like those of real references. Each comes with a trust that fits it, most of the time."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rnagen.data.batches import Batch
from rnagen.features import References
from rnagen.geometry import kabsch, rotate

SHARE = 0.65
"""Of the examples that have a reference."""
FURTHER = 0.5
"""Share of these with each further one that the model could read."""
FROM_DATA = 0.6
"""Share of references that are templates or conformers, where an example has them; the others are distorted answers."""
NEARLY_RIGHT, WRONG = 0.15, 0.2
"""Shares of the distorted answers with hardly any error, and with a wrong shape: every second of these is mirrored."""
ERRORS = ((0.02, 0.5), (0.5, 8.0), (8.0, 30.0))
"""Å; smallest and largest error of nearly right, ordinary and wrong ones."""
WHOLE = 0.4
"""Share of references without holes, and …"""
MOST_MISSING = 0.75
"""… largest share of residues that the holes of the others take."""
MODES = 6
"""Waves along the chain that an error is the sum of."""
SHORTEST_WAVE = 6.0
"""Residues."""
TRUST_ERROR = 0.1
"""Standard deviation of the trust about what a reference deserves."""
LEAST = 3
"""Known residues without which there is no reference."""


@dataclass(frozen=True)
class Chance:
    """Random numbers of a step, on the CPU: the same on every device. Each process has its rows of the global batch."""

    generator: torch.Generator
    size: int
    mine: slice
    device: torch.device

    @classmethod
    def of(cls, batch: Batch) -> "Chance":
        """A stream of its own for the seed of the batch."""
        generator = torch.Generator().manual_seed(batch.seed ^ 0x5EED)
        size = len(batch.mask) * batch.world
        return cls(generator, size, slice(batch.rank, None, batch.world), batch.coords.device)

    def uniform(self, *shape: int) -> Float[Tensor, "B ..."]:
        """Uniform numbers in [0, 1) for each example."""
        return torch.rand(self.size, *shape, generator=self.generator)[self.mine].to(self.device)

    def normal(self, *shape: int) -> Float[Tensor, "B ..."]:
        """Standard normal numbers for each example."""
        return torch.randn(self.size, *shape, generator=self.generator)[self.mine].to(self.device)


def training_references(batch: Batch, number: int, atom: int) -> References | None:
    """References of a batch, superposed on its coordinates, that of highest trust first; None, on a CPU, where no
    example has one.

    Args:
        batch: its features carry what the data know of each chain, if anything.
        number: references of an RNA at most.
        atom: the scored one.
    """
    chance = Chance.of(batch)
    examples, length = batch.mask.shape[:2]
    exists = chance.uniform(number) < torch.tensor([1.0] + [FURTHER] * (number - 1), device=chance.device)
    exists &= chance.uniform(1) < SHARE
    distorted, mask = distorted_answers(batch, number, chance)
    trust = torch.full((examples, number), math.nan, device=chance.device)
    known = batch.features.references
    if known is not None:
        chosen = (chance.uniform(number) < FROM_DATA) & (known.mask[..., atom].sum(-1) >= LEAST)
        distorted = torch.where(chosen[..., None, None, None], known.coords, distorted)
        mask = torch.where(chosen[..., None, None], known.mask, mask)
        trust = torch.where(chosen, known.trust[..., 0], trust)
    mask = mask & outside_holes(number, length, chance)[..., None]
    mask = mask & (exists & (mask[..., atom].sum(-1) >= LEAST))[..., None, None]
    # On a GPU the host would wait for the device, and a recorded step has the same inputs each time.
    if chance.device.type == "cpu" and not mask.any():
        return None
    true = batch.coords[:, None].expand_as(distorted)
    both = mask & batch.mask[:, None]
    rotation, translation = kabsch(distorted.flatten(2, 3), true.flatten(2, 3), both.flatten(2, 3))
    moved = (rotate(distorted.flatten(2, 3), rotation) + translation[..., None, :]).view_as(distorted)
    moved = torch.where(mask[..., None], moved, 0.0)
    deviations = (moved[..., atom, :] - true[..., atom, :]).norm(dim=-1)
    trusts = trust_of(deviations, both[..., atom], trust, chance)
    order = (trusts * mask[..., atom]).mean(-1).argsort(dim=1, descending=True, stable=True)
    rows = torch.arange(examples, device=chance.device)[:, None]
    return References(moved[rows, order], mask[rows, order], trusts[rows, order])


def distorted_answers(
    batch: Batch, number: int, chance: Chance
) -> tuple[Float[Tensor, "B R L A 3"], Bool[Tensor, "B R L A"]]:
    """The coordinates of the batch, bent by waves along the chain, shaken residue by residue and atom by atom, and
    perhaps mirrored."""
    _, length, atoms = batch.mask.shape
    kind = chance.uniform(number)
    mirrored = 1 - 2 * (kind > 1 - WRONG / 2).to(batch.coords.dtype)
    rows = torch.where(kind < NEARLY_RIGHT, 0, torch.where(kind < 1 - WRONG, 1, 2))
    low, high = torch.tensor(ERRORS, device=chance.device)[rows].unbind(-1)
    size = low * (high / low) ** chance.uniform(number)
    bent = 1 - chance.uniform(number) ** 2
    smooth = waves(number, 3, length, chance) * bent.sqrt()[..., None, None]
    rough = chance.normal(number, length, 3) * (1 - bent).sqrt()[..., None, None]
    moved = (smooth + rough) * size[..., None, None] / math.sqrt(3)
    shaken = chance.normal(number, length, atoms, 3) * (0.1 * size).clamp(max=0.5)[..., None, None, None]
    mask = batch.mask[:, None].expand(-1, number, -1, -1)
    reflected = batch.coords[:, None] * mirrored[..., None, None, None]
    return torch.where(mask[..., None], reflected + moved[..., None, :] + shaken, 0.0), mask


def outside_holes(number: int, length: int, chance: Chance) -> Bool[Tensor, "B R L"]:
    """Residues of the references outside of their holes."""
    share = (chance.uniform(number) - WHOLE).clamp(min=0) / (1 - WHOLE) * MOST_MISSING
    # The waves are about normal: so many of their values lie below this one.
    threshold = torch.special.ndtri(share.clamp(min=1e-9))
    return waves(number, 1, length, chance)[..., 0] > threshold[..., None]


def waves(number: int, dimensions: int, length: int, chance: Chance) -> Float[Tensor, "B R {length} {dimensions}"]:
    """Smooth random functions of the place in the chain, of mean square 1 on average: sums of waves from
    `SHORTEST_WAVE` residues to twice the length."""
    low, high = math.log(1 / (2 * max(length, SHORTEST_WAVE))), math.log(1 / SHORTEST_WAVE)
    frequency = torch.exp(low + (high - low) * chance.uniform(number, MODES))
    phase = 2 * math.pi * chance.uniform(number, MODES, dimensions)
    amplitude = chance.normal(number, MODES, dimensions) * math.sqrt(2 / MODES)
    places = torch.arange(length, device=chance.device)
    angle = 2 * math.pi * places[:, None, None] * frequency[:, :, None, :, None] + phase[:, :, None]
    return (amplitude[:, :, None] * angle.cos()).sum(-2)


def trust_of(
    deviations: Float[Tensor, "B R L"], known: Bool[Tensor, "B R L"], given: Float[Tensor, "B R"], chance: Chance
) -> Float[Tensor, "B R L"]:
    """Trust in each residue: what is given where it is not NaN, else the share of a TM-score that the deviations (Å)
    deserve, of the whole reference or more or less by residue; with an error."""
    number = known.shape[1]
    scale = (0.6 * (known.sum(-1, keepdim=True).clamp(min=20) - 0.5).sqrt() - 2.5).clamp(min=1.0)
    by_residue = torch.where(known, 1 / (1 + (deviations / scale) ** 2), 0.0)
    mean = by_residue.sum(-1, keepdim=True) / known.sum(-1, keepdim=True).clamp(min=1)
    own = (chance.uniform(number, 1) * 2 - 1).clamp(min=0)
    deserved = torch.where(known, mean + own * (by_residue - mean), mean)
    trust = torch.where(given.isnan()[..., None], deserved, given[..., None])
    return (trust + TRUST_ERROR * chance.normal(number, 1)).clamp(0, 1)
