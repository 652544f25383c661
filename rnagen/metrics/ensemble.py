"""How well a set of samples covers a set of experimental conformers, how much they differ and move.

Coverage and average minimum RMSD as they are used for molecular conformers: Xu et al., "Learning neural generative
dynamics for molecular conformation generation", ICLR 2021 (recall); Ganea et al., "GeoMol", NeurIPS 2021 (precision).
Fluctuation and the distances between distributions as they are used for proteins: Jing, Berger and Jaakkola, "AlphaFold
meets flow matching for generating protein ensembles", ICML 2024.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rnagen.geometry import superpose
from rnagen.metrics.rmsd import rmsd, rmsd_matrix
from rnagen.metrics.tm import ALIKE_SEEDS, SEEDS, tm_scores

THRESHOLDS = (2.0, 4.0)
"""δ in Å."""
STATES_APART = 4.0
"""Å of RMSD between two conformers from which on they are two states, and within which a state is reached."""
MEAN_STEPS = 5
"""Superpositions on the mean of the conformers, which has settled by then."""


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


def fluctuation(conformers: Float[Tensor, "n L 3"], counted: Bool[Tensor, " L"]) -> Float[Tensor, " L"]:
    """RMSF in Å: root mean square distance of each residue from its mean position, the conformers superposed on their
    mean over the residues that are `counted`."""
    mask = counted.expand(conformers.shape[:2])
    mean = conformers[0]
    for _ in range(MEAN_STEPS):
        moved = superpose(conformers, mean.expand_as(conformers), mask)
        mean = moved.mean(0)
    return (moved - mean).square().sum(-1).mean(0).sqrt()


def distance_wasserstein(
    samples: Float[Tensor, "n L 3"], refs: Float[Tensor, "m L 3"], counted: Bool[Tensor, " L"]
) -> float:
    """Wasserstein distance (order 1) between the distributions of a distance among samples and among references, Å;
    mean over the pairs of `counted` residues."""
    i, j = torch.triu_indices(int(counted.sum()), int(counted.sum()), 1)
    a, b = ((some[:, counted][:, i] - some[:, counted][:, j]).norm(dim=-1).sort(0).values for some in (samples, refs))
    # Both quantile functions are steps: between two of their jumps, neither changes. In units of 1 / (n m).
    n, m = len(a), len(b)
    jumps = sorted({m * k for k in range(n + 1)} | {n * k for k in range(m + 1)})
    starts, widths = torch.tensor(jumps[:-1]), torch.tensor(jumps).diff() / (n * m)
    differences = (a[starts // m] - b[starts // n]).abs().mean(1)
    return float((differences * widths).sum())


def both_states(
    samples: Float[Tensor, "n L 3"], refs: Float[Tensor, "m L 3"], masks: Bool[Tensor, "m L"]
) -> tuple[float, bool]:
    """(RMSD in Å between the two references that lie furthest apart, whether samples reach both): each within
    `STATES_APART` of a sample that is nearer to it than to the other. One in the middle of both reaches one at most."""
    between = torch.stack([rmsd(ref.expand_as(refs), refs, masks & mask) for ref, mask in zip(refs, masks)])
    first, second = divmod(int(between.argmax()), len(refs))
    extremes = [first, second]
    distances = rmsd_matrix(samples, refs[extremes], masks[extremes])
    nearer = distances < distances.flip(1)
    reached = (nearer & (distances <= STATES_APART)).any(0)
    return float(between.max()), bool(reached.all())
