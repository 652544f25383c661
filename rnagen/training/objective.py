"""The training objective: flow loss and structure losses of a batch. Pure: the same batch gives the same numbers."""

from dataclasses import dataclass

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float
from torch import Tensor

from rnagen.config import LossConfig, TrainConfig
from rnagen.data.dataset import Batch
from rnagen.geometry import center, random_rotations, superpose
from rnagen.losses import aligned_mae, distogram_cross_entropy, pair_distances
from rnagen.model.model import RNAFlowModel
from rnagen.transport.times import draw_times
from rnagen.transport.transport import Transport

DISTOGRAM_RANGE = (4.0, 64.0)
"""Å; edges of the distance bins run evenly from the first to the second."""


@dataclass(frozen=True)
class Draws:
    """The random part of a training step: K poses, times and noises per RNA."""

    rotation: Float[Tensor, "B K 3 3"]
    t: Float[Tensor, "B K"]
    noise: Float[Tensor, "B K L A 3"]


def draw(batch: Batch, copies: int, time_distribution: str) -> Draws:
    """Random numbers of a batch, drawn example by example from its seed: padding and neighbours change nothing."""
    shape = batch.mask.shape
    lengths = batch.features.mask.sum(1).tolist()
    noise = torch.zeros(shape[0], copies, *shape[1:], 3)
    rotations, times = [], []
    for row, seed, length in zip(noise, batch.seeds.tolist(), lengths):
        generator = torch.Generator().manual_seed(seed)
        rotations.append(random_rotations(copies, generator))
        times.append(draw_times(time_distribution, copies, generator))
        row[:, :length] = torch.randn(copies, length, *shape[2:], 3, generator=generator)
    device = batch.coords.device
    return Draws(torch.stack(rotations).to(device), torch.stack(times).to(device), noise.to(device))


def objective(
    model: RNAFlowModel, transport: Transport, batch: Batch, draws: Draws, config: TrainConfig
) -> dict[str, Float[Tensor, " B"]]:
    """Unweighted loss terms, one number per RNA (mean over its copies).

    Structure terms are weighted by t: a clean structure predicted from noise says little.
    """
    copies = draws.t.shape[1]
    sigma_data = config.model.sigma_data
    atoms_mask = repeat(batch.mask, "b l a -> b k (l a)", k=copies)
    pose = repeat(batch.coords / sigma_data, "b l a xyz -> b k (l a) xyz", k=copies) @ draws.rotation.mT
    x1 = center(pose, atoms_mask)
    x0 = center(rearrange(draws.noise, "b k l a xyz -> b k (l a) xyz"), atoms_mask)
    pair = transport.interpolate(x1, x0, draws.t)

    trunk, context = model.encode(batch.features)
    as_atoms = {"l": batch.mask.shape[1], "a": batch.mask.shape[2]}
    predicted = model(rearrange(pair.x_t, "b k (l a) xyz -> b k l a xyz", **as_atoms), draws.t, context)
    predicted = rearrange(predicted, "b k l a xyz -> b k (l a) xyz")

    clean = transport.data(predicted, pair.x_t, draws.t)
    if config.loss.aligned:
        x1 = superpose(x1, clean.detach(), atoms_mask)
    target = transport.target(x1, x0, pair.x_t, draws.t)
    terms = {"flow": transport.loss(predicted, target, atoms_mask, draws.t).mean(1)}

    scored = config.model.atoms.index("C1'")
    mask = repeat(batch.mask[:, :, scored], "b l -> b k l", k=copies)
    clean, true = (
        rearrange(x, "b k (l a) xyz -> b k l a xyz", **as_atoms)[..., scored, :] * sigma_data for x in (clean, x1)
    )
    terms |= {
        name: (value * draws.t).mean(1) for name, value in structure_terms(clean, true, mask, config.loss).items()
    }
    edges = torch.linspace(*DISTOGRAM_RANGE, config.model.distogram_bins - 1, device=batch.coords.device)
    c1, c1_mask = batch.coords[:, :, scored], batch.mask[:, :, scored]
    terms["distogram"] = distogram_cross_entropy(model.distogram(trunk.pair), c1, c1_mask, edges)
    return terms


def structure_terms(
    clean: Float[Tensor, "B K L 3"], true: Float[Tensor, "B K L 3"], mask: Bool[Tensor, "B K L"], config: LossConfig
) -> dict[str, Float[Tensor, "B K"]]:
    """Structure losses of predicted C1' coordinates in Å."""
    pairs = pair_distances(clean, true, mask)
    return {
        "lddt": pairs.smooth_lddt(thresholds=config.lddt_thresholds),
        "drmsd": pairs.drmsd(d_clamp=config.drmsd_clamp),
        "aligned_mae": aligned_mae(clean, true, mask),
    }


def total(terms: dict[str, Float[Tensor, " B"]], config: LossConfig, step: int) -> Float[Tensor, ""]:
    """Weighted sum of the terms, mean over the batch; structure terms ramp up over the first steps."""
    ramp = min(1.0, (step + 1) / config.structure_ramp)
    weights = {
        "flow": config.flow_weight,
        "lddt": config.lddt_weight * ramp,
        "drmsd": config.drmsd_weight * ramp,
        "aligned_mae": config.aligned_mae_weight * ramp,
        "distogram": config.distogram_weight,
    }
    return torch.stack([weights[name] * value.mean() for name, value in terms.items()]).sum()
