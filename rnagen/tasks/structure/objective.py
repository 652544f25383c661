"""The training objective: flow loss and structure losses of a batch. Pure: the same batch gives the same numbers."""

from dataclasses import dataclass, replace

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rnagen.config.structure import LossConfig, TrainConfig
from rnagen.data.batches import Batch
from rnagen.data.strands import cut_strands
from rnagen.features import References
from rnagen.geometry import center, full_precision, random_rotations, superpose
from rnagen.losses import aligned_mae, distogram_cross_entropy, pair_distances
from rnagen.model.model import RNAFlowModel
from rnagen.structure import PAIR_FEATURES
from rnagen.tasks.structure.references import training_references
from rnagen.transport.flow import Transport
from rnagen.transport.times import draw_times

CUT_SHARE = 0.15
"""Share of examples whose chain is cut in two strands, with its contacts, for a model that reads strands."""
FLOW_RADIUS = 25.0
"""Å; from this radius of gyration on, about that of a tRNA, the flow loss is relative to the size of the RNA: a few
chains that are stretched out do not outweigh the others."""
SELF_CONDITIONING_SHARE = 0.5
"""Share of steps in which a self-conditioning model sees its own first estimate (Chen et al., arXiv:2208.04202)."""
STRUCTURE_TERMS = ("lddt", "drmsd", "dmae", "local_drmsd", "aligned_mae")
"""Terms that act on the predicted clean structure, and ramp up."""
DISTOGRAM_RANGE = (4.0, 64.0)
"""Å; edges of the distance bins run evenly from the first to the second."""


@dataclass(frozen=True)
class StepNoise:
    """The random part of a training step: K poses, times and noises per RNA, and which inputs are masked."""

    rotation: Float[Tensor, "B K 3 3"]
    t: Float[Tensor, "B K"]
    noise: Float[Tensor, "B K L A 3"]
    masked: Bool[Tensor, " B"]
    """RNAs whose sequence and base pairs are masked."""
    masked_pair_features: Bool[Tensor, "B C"]
    """Masked channels of the pair features."""
    masked_label: Bool[Tensor, " B"]
    """RNAs whose label is masked."""
    self_condition: bool
    """The model sees its own first estimate: for the whole step, whatever process computes it."""
    references: References | None = None
    """In the pose of the coordinates; None in a step without any."""
    cut: Int[Tensor, " B"] | None = None
    """First residue of the second strand in each crop, 0 where there is one strand; for a model that reads strands."""


def draw_noise(batch: Batch, config: TrainConfig, step: int) -> StepNoise:
    """Random numbers of a batch: its share of what its seed gives the global batch.

    Poses and times are sampled on the CPU, the same for every device; the noise, which is many numbers, on the device.
    With a consistency loss, copy k and copy k + K/2 are two times of one path: the same pose and noise.
    """
    device, copies = batch.coords.device, config.dataset.copies
    mine = slice(batch.rank, None, batch.world)
    size = len(batch.mask) * batch.world
    generator = torch.Generator().manual_seed(batch.seed)
    rotation = random_rotations(size * copies, generator).unflatten(0, (size, copies))[mine]
    t = draw_times(config.transport.time_distribution, size, copies, generator)[mine]
    masked = (torch.rand(size, generator=generator) < config.dataset.condition_dropout)[mine]
    shape = size, len(PAIR_FEATURES)
    masked_pair_features = (torch.rand(shape, generator=generator) < config.dataset.pair_feature_dropout)[mine]
    masked_label = (torch.rand(size, generator=generator) < config.dataset.label_dropout)[mine]
    at_device = torch.Generator(device).manual_seed(batch.seed)
    noise = torch.randn(size, copies, *batch.coords.shape[1:], generator=at_device, device=device)[mine]
    if config.loss.uses("consistency"):
        halves = rotation[:, : copies // 2], noise[:, : copies // 2]
        rotation, noise = (torch.cat([half, half], dim=1) for half in halves)
    coins = torch.Generator().manual_seed(config.run.seed + step)
    self_condition = float(torch.rand((), generator=coins)) < SELF_CONDITIONING_SHARE
    references = cut = None
    if config.model.references:
        references = training_references(batch, config.model.references, config.model.atoms.index("C1'"))
    if config.model.strands:
        shares = torch.rand(size, 2, generator=generator)[mine].to(device, non_blocking=True)
        cut = cuts(batch.features.mask, shares)
    # Not waiting for a device that still computes the step before.
    return StepNoise(
        rotation=rotation.to(device, non_blocking=True),
        t=t.to(device, non_blocking=True),
        noise=noise,
        masked=masked.to(device, non_blocking=True),
        masked_pair_features=masked_pair_features.to(device, non_blocking=True),
        masked_label=masked_label.to(device, non_blocking=True),
        self_condition=config.model.self_conditioning and self_condition,
        references=references,
        cut=cut,
    )


def cuts(mask: Bool[Tensor, "B L"], uniform: Float[Tensor, "B 2"]) -> Int[Tensor, " B"]:
    """Where a share `CUT_SHARE` of the crops are cut in two: at least one residue on either side, 0 elsewhere."""
    lengths = mask.sum(1)
    place = 1 + (uniform[:, 1] * (lengths - 1)).long()
    return torch.where((uniform[:, 0] < CUT_SHARE) & (lengths > 1), place, 0)


def objective(
    model: RNAFlowModel, transport: Transport, batch: Batch, noise_of_step: StepNoise, config: TrainConfig
) -> dict[str, Float[Tensor, " B"]]:
    """Unweighted loss terms, one number per RNA (mean over its copies).

    Structure terms are weighted by t: a clean structure predicted from noise carries little information.
    """
    shape = {"b": len(batch.mask), "l": batch.mask.shape[1], "a": batch.mask.shape[2]}
    copies = noise_of_step.t.shape[1]
    t = noise_of_step.t.flatten()
    mask = repeat(batch.mask, "b l a -> (b k) (l a)", k=copies)
    true = repeat(batch.coords / config.model.sigma_data, "b l a xyz -> b k (l a) xyz", k=copies)
    pose = full_precision(torch.matmul)(true, noise_of_step.rotation.mT)
    x1 = center(rearrange(pose, "b k atoms xyz -> (b k) atoms xyz"), mask)
    x0 = center(rearrange(noise_of_step.noise, "b k l a xyz -> (b k) (l a) xyz"), mask)
    pair = transport.interpolate(x1, x0, t)

    features = (
        replace(batch.features, references=None)
        .without_condition(noise_of_step.masked)
        .without_pair_features(noise_of_step.masked_pair_features)
        .without_label(noise_of_step.masked_label)
    )
    if noise_of_step.references is not None:
        features = replace(features, references=noise_of_step.references.without(noise_of_step.masked))
    if noise_of_step.cut is not None:
        features = cut_strands(features, noise_of_step.cut)
    context = model.condition(features)

    def predict(previous: Float[Tensor, "BK P 3"] | None) -> Float[Tensor, "BK P 3"]:
        split = "(b k) (l a) xyz -> b k l a xyz"
        before = None if previous is None else rearrange(previous, split, **shape)
        times = rearrange(pair.t, "(b k) -> b k", b=shape["b"])
        output = model(rearrange(pair.x_t, split, **shape), times, context, before, noise_of_step.rotation)
        return rearrange(output, "b k l a xyz -> (b k) (l a) xyz")

    previous = None
    if config.model.self_conditioning:
        previous = torch.zeros_like(pair.x_t)
    if noise_of_step.self_condition:
        with torch.no_grad():
            previous = transport.estimate(predict(previous), pair.x_t, pair.t).data
    predicted = predict(previous)

    def align(true: Tensor, clean: Tensor) -> Tensor:
        return superpose(true, clean, mask) if config.loss.aligned else true

    target = transport.aligned_target(predicted, pair, align)
    clean = transport.estimate(predicted, pair.x_t, pair.t).data
    scored = config.model.atoms.index("C1'")
    radius = torch.where(mask[..., None], x1, 0.0).square().sum((-2, -1)) / mask.sum(1).clamp(min=1)
    too_large = (radius.sqrt() * config.model.sigma_data / FLOW_RADIUS).clamp(min=1)
    per_copy = {"flow": transport.loss(predicted, target, mask, pair.t) / too_large**2}
    clean_c1, true_c1 = (
        rearrange(x, "bk (l a) xyz -> bk l a xyz", l=shape["l"])[:, :, scored] * config.model.sigma_data
        for x in (clean, x1)
    )
    structure = structure_terms(clean_c1, true_c1, mask[:, scored :: shape["a"]], config.loss)
    per_copy |= {name: value * pair.t for name, value in structure.items()}
    terms = {name: rearrange(value, "(b k) -> b k", k=copies).mean(1) for name, value in per_copy.items()}
    if config.loss.uses("consistency"):
        terms["consistency"] = consistency(clean, mask, noise_of_step.t)

    edges = torch.linspace(*DISTOGRAM_RANGE, config.model.distogram_bins - 1, device=batch.coords.device)
    logits = model.distogram(context.trunk.pair)
    c1, c1_mask = batch.coords[:, :, scored], batch.mask[:, :, scored]
    terms["distogram"] = distogram_cross_entropy(logits, c1, c1_mask, edges)
    return terms


def consistency(
    clean: Float[Tensor, "BK P 3"], mask: Bool[Tensor, "BK P"], t: Float[Tensor, "B K"]
) -> Float[Tensor, " B"]:
    """Mean square difference (model units) of the clean structures predicted at two times of one path, copies k and
    k + K/2. The later one is the teacher: it saw less noise, and gets no gradient.

    The estimates are means over the data given x_t, which agree along a path on average (Daras et al.,
    arXiv:2302.09057); for a network that does not fix the pose the loss also ties the poses together.
    """
    first, second = rearrange(clean, "(b two k) p xyz -> two (b k) p xyz", b=len(t), two=2)
    is_later = rearrange(t, "b (two k) -> two (b k)", two=2).diff(dim=0)[0] > 0
    choose = is_later[:, None, None]
    student, teacher = torch.where(choose, first, second), torch.where(choose, second, first).detach()
    counted = rearrange(mask, "(b two k) p -> two (b k) p", b=len(t), two=2)[0]
    square = torch.where(counted, (student - teacher).square().mean(-1), 0.0)
    mean = square.sum(1) / counted.sum(1).clamp(min=1)
    return rearrange(mean, "(b k) -> b k", b=len(t)).mean(1)


def structure_terms(
    clean: Float[Tensor, "N L 3"], true: Float[Tensor, "N L 3"], mask: Bool[Tensor, "N L"], config: LossConfig
) -> dict[str, Float[Tensor, " N"]]:
    """Structure losses of predicted C1' coordinates in Å."""
    pairs = pair_distances(clean, true, mask)
    terms = {
        "lddt": pairs.smooth_lddt(thresholds=config.lddt_thresholds),
        "drmsd": pairs.drmsd(d_clamp=config.drmsd_clamp),
        "aligned_mae": aligned_mae(clean, true, mask),
    }
    if config.uses("dmae"):
        terms["dmae"] = pairs.dmae()
    if config.uses("local_drmsd"):
        terms["local_drmsd"] = pairs.local_drmsd()
    return terms


def total(terms: dict[str, Float[Tensor, " B"]], config: LossConfig, step: int, epoch: int = 0) -> Float[Tensor, ""]:
    """Weighted sum of the terms, mean over the batch; structure terms ramp up over the first steps."""
    ramp = min(1.0, (step + 1) / config.structure_ramp)
    weights = config.weights_at(epoch)
    weights |= {name: weights[name] * ramp for name in STRUCTURE_TERMS}
    return torch.stack([weights[name] * value.mean() for name, value in terms.items()]).sum()
