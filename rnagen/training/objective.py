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
        times.append(draw_times(time_distribution, 1, copies, generator)[0])
        row[:, :length] = torch.randn(copies, length, *shape[2:], 3, generator=generator)
    device = batch.coords.device
    return Draws(torch.stack(rotations).to(device), torch.stack(times).to(device), noise.to(device))


def objective(
    model: RNAFlowModel, transport: Transport, batch: Batch, draws: Draws, config: TrainConfig
) -> dict[str, Float[Tensor, " B"]]:
    """Unweighted loss terms, one number per RNA (mean over its copies).

    Structure terms are weighted by t: a clean structure predicted from noise says little.
    """
    shape = {"b": len(batch.seeds), "l": batch.mask.shape[1], "a": batch.mask.shape[2]}
    copies = draws.t.shape[1]
    t = draws.t.flatten()
    mask = repeat(batch.mask, "b l a -> (b k) (l a)", k=copies)
    pose = repeat(batch.coords / config.model.sigma_data, "b l a xyz -> b k (l a) xyz", k=copies) @ draws.rotation.mT
    x1 = center(rearrange(pose, "b k atoms xyz -> (b k) atoms xyz"), mask)
    x0 = center(rearrange(draws.noise, "b k l a xyz -> (b k) (l a) xyz"), mask)
    pair = transport.interpolate(x1, x0, t)

    trunk, context = model.encode(batch.features)
    predicted = model(
        rearrange(pair.x_t, "(b k) (l a) xyz -> b k l a xyz", **shape),
        rearrange(pair.t, "(b k) -> b k", b=shape["b"]),
        context,
    )
    predicted = rearrange(predicted, "b k l a xyz -> (b k) (l a) xyz")

    def align(true: Tensor, clean: Tensor) -> Tensor:
        return superpose(true, clean, mask) if config.loss.aligned else true

    target = transport.aligned_target(predicted, pair, align)
    clean = transport.data(predicted, pair.x_t, pair.t)
    per_copy = {"flow": transport.loss(predicted, target, mask, pair.t)}
    scored = config.model.atoms.index("C1'")
    clean_c1, true_c1 = (
        rearrange(x, "bk (l a) xyz -> bk l a xyz", l=shape["l"])[:, :, scored] * config.model.sigma_data
        for x in (clean, x1)
    )
    structure = structure_terms(clean_c1, true_c1, mask[:, scored :: shape["a"]], config.loss)
    per_copy |= {name: value * pair.t for name, value in structure.items()}
    terms = {name: rearrange(value, "(b k) -> b k", k=copies).mean(1) for name, value in per_copy.items()}

    edges = torch.linspace(*DISTOGRAM_RANGE, config.model.distogram_bins - 1, device=batch.coords.device)
    logits = model.distogram(trunk.pair)
    c1, c1_mask = batch.coords[:, :, scored], batch.mask[:, :, scored]
    terms["distogram"] = distogram_cross_entropy(logits, c1, c1_mask, edges)
    return terms


def structure_terms(
    clean: Float[Tensor, "N L 3"], true: Float[Tensor, "N L 3"], mask: Bool[Tensor, "N L"], config: LossConfig
) -> dict[str, Float[Tensor, " N"]]:
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
