"""Scores of the conformers of one RNA, as tensors: `rnagen evaluate` and the validation of a training share them."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rnagen.metrics import c1_lddt, diversity, rmsd, tm_scores

FAR = 1e5
"""Å."""
MINIMUM = 3
"""Points that a superposition needs."""


@dataclass(frozen=True)
class EnsembleScores:
    """n conformers against the references of their RNA, on C1'."""

    tm: Float[Tensor, " n"]
    """TM-score of each against its best reference."""
    lddt: Float[Tensor, " n"]
    """C1'-lDDT of each against its best reference."""
    one_minus_tm: float
    """Mean over pairs of conformers: 0 when they are all the same."""


def score_ensemble(
    samples: Float[Tensor, "n L 3"],
    sample_masks: Bool[Tensor, "n L"],
    refs: Float[Tensor, "m L 3"],
    masks: Bool[Tensor, "m L"],
) -> EnsembleScores:
    """Score n conformers of an RNA against m references of it, all in Å, on their C1' atoms.

    Args:
        samples: the conformers.
        sample_masks: residues that each conformer has; the others score nothing.
        refs: the references.
        masks: residues resolved in each reference.
    """
    return EnsembleScores(
        tm=tm_scores(samples, refs, masks, sample_masks).amax(1),
        lddt=_lddt(samples, sample_masks, refs, masks),
        one_minus_tm=diversity(samples, sample_masks).one_minus_tm,
    )


def lowest_rmsd(
    samples: Float[Tensor, "n L 3"],
    sample_masks: Bool[Tensor, "n L"],
    refs: Float[Tensor, "m L 3"],
    masks: Bool[Tensor, "m L"],
) -> float | None:
    """Smallest RMSD in Å of a conformer from a reference, over the residues that both have; None where no two share
    three. The arguments are those of `score_ensemble`."""
    found = []
    for sample, sample_mask in zip(samples, sample_masks):
        both = masks & sample_mask
        enough = both.sum(1) >= MINIMUM
        found += rmsd(sample.expand_as(refs), refs, both)[enough].tolist()
    return min(found, default=None)


def _lddt(
    samples: Float[Tensor, "n L 3"],
    sample_masks: Bool[Tensor, "n L"],
    refs: Float[Tensor, "m L 3"],
    masks: Bool[Tensor, "m L"],
) -> Float[Tensor, " n"]:
    # Residues that a conformer lacks score nothing: each of them is far from all others.
    far = FAR * torch.arange(1, samples.shape[1] + 1, dtype=samples.dtype)[:, None].expand(-1, 3)
    samples = torch.where(sample_masks[..., None], samples, far)
    means = [
        c1_lddt(samples, ref.expand_as(samples), mask.expand_as(sample_masks)).mean for ref, mask in zip(refs, masks)
    ]
    return torch.stack(means).amax(0)
