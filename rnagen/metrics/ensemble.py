"""How well a set of samples covers a set of experimental conformers, and how much the samples differ.

Coverage and average minimum RMSD as they are used for molecular conformers: Xu et al., "Learning neural generative
dynamics for molecular conformation generation", ICLR 2021 (recall); Ganea et al., "GeoMol", NeurIPS 2021 (precision).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rnagen.metrics.rmsd import rmsd_matrix
from rnagen.metrics.tm import ALIKE_SEEDS, SEEDS, tm_scores

THRESHOLDS = (2.0, 4.0)
"""δ in Å."""


@dataclass(frozen=True)
class Agreement:
    """Samples against true conformers. RMSD in Å on C1', after superposition."""

    cov_r: dict[float, float]
    """For each δ: share of the true conformers with a sample within δ."""
    cov_p: dict[float, float]
    """For each δ: share of the samples within δ of a true conformer."""
    amr_r: float
    """Mean over the true conformers of the RMSD of the nearest sample."""
    amr_p: float
    """Mean over the samples of the RMSD from the nearest true conformer."""


@dataclass(frozen=True)
class Diversity:
    """Differences among the samples; all zero when the ensemble has collapsed, or has one member."""

    rmsd: float
    """Mean over pairs, Å."""
    one_minus_tm: float
    """Mean over pairs of 1 − TM."""


def agreement(
    samples: Float[Tensor, "n L 3"],
    refs: Float[Tensor, "m L 3"],
    masks: Bool[Tensor, "m L"],
    thresholds: tuple[float, ...] = THRESHOLDS,
) -> Agreement:
    """Coverage and average minimum RMSD of n samples (complete) and m true conformers (resolved where `masks`)."""
    distances = rmsd_matrix(samples, refs, masks)
    nearest_sample, nearest_ref = distances.amin(0), distances.amin(1)
    return Agreement(
        cov_r={delta: float((nearest_sample <= delta).double().mean()) for delta in thresholds},
        cov_p={delta: float((nearest_ref <= delta).double().mean()) for delta in thresholds},
        amr_r=float(nearest_sample.mean()),
        amr_p=float(nearest_ref.mean()),
    )


def tm_matrix(samples: Float[Tensor, "n L 3"], seeds: int = ALIKE_SEEDS) -> Float[Tensor, "n n"]:
    """TM-scores among complete samples of one RNA; symmetric, as the score is between chains of one length."""
    scores = torch.eye(len(samples), dtype=torch.float64)
    for i in range(len(samples) - 1):
        everything = torch.ones(1, samples.shape[1], dtype=torch.bool)
        found = tm_scores(samples[i + 1 :], samples[i : i + 1], everything, seeds=seeds)[:, 0].cpu()
        scores[i, i + 1 :] = scores[i + 1 :, i] = found
    return scores


def diversity(
    samples: Float[Tensor, "n L 3"], masks: Bool[Tensor, "n L"] | None = None, seeds: int = SEEDS
) -> Diversity:
    """Mean pairwise RMSD and 1 − TM of samples; a pair is compared where both have the residue."""
    if masks is None:
        masks = torch.ones(samples.shape[:2], dtype=torch.bool, device=samples.device)
    count = len(samples)
    total_rmsd = total_tm = 0.0
    for i in range(count - 1):
        later = slice(i + 1, count)
        both = masks[later] & masks[i]
        total_rmsd += float(rmsd_matrix(samples[i : i + 1], samples[later], both).sum())
        total_tm += float((1 - tm_scores(samples[i : i + 1], samples[later], both, seeds=seeds)).sum())
    pairs = max(count * (count - 1) // 2, 1)
    return Diversity(total_rmsd / pairs, total_tm / pairs)
