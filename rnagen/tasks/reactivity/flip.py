"""The 5'↔3' flip: an RNA read from its other end, as augmentation in training and as a second opinion in prediction.

A flipped sequence is another molecule, but what pairs with what, and which loops are open, mostly stays.
"""

from dataclasses import replace

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from rnagen.features import RNAFeatures
from rnagen.tasks.reactivity.dataset import ReactivityBatch


def reversal(mask: Bool[Tensor, "B L"], which: Bool[Tensor, " B"] | None = None) -> Int[Tensor, "B L"]:
    """For each position the one that takes its place: the residues of a flipped row in reverse, padding where it is.

    It is its own inverse, so it also brings the prediction for a flipped batch back to the order of the original:
    `prediction.gather(1, order[..., None].expand_as(prediction))`.

    Args:
        mask: False on padding, which follows the residues.
        which: the rows that are flipped; all of them where it is not given.
    """
    positions = torch.arange(mask.shape[1], device=mask.device)
    moved = mask if which is None else mask & which[:, None]
    return torch.where(moved, mask.sum(dim=1, keepdim=True) - 1 - positions, positions)


def flipped_features(features: RNAFeatures, which: Bool[Tensor, " B"] | None = None) -> RNAFeatures:
    """The features of the reversed sequences: bases and both axes of the pair probabilities turn round.

    `residue_index` still increases, and its jumps stay at the residues that they were between: first + last − index.
    """
    mask = features.mask
    order = reversal(mask, which)
    index = features.residue_index
    last = index.gather(1, (mask.sum(dim=1, keepdim=True) - 1).clamp(min=0))
    mirrored = (index[:, :1] + last - index).gather(1, order)
    turned = mask if which is None else mask & which[:, None]
    length = mask.shape[1]
    rows = order[:, :, None].expand(-1, -1, length)
    columns = order[:, None, :].expand(-1, length, -1)
    return replace(
        features,
        bases=features.bases.gather(1, order),
        residue_index=torch.where(turned, mirrored, index),
        pair_probabilities=features.pair_probabilities.gather(1, rows).gather(2, columns),
    )


def flipped(batch: ReactivityBatch, which: Bool[Tensor, " B"] | None = None) -> ReactivityBatch:
    """The batch with the rows in `which` (all, if not given) read from the 3' end; twice is the batch itself."""
    order = reversal(batch.features.mask, which)[..., None].expand_as(batch.reactivity)
    return replace(
        batch,
        features=flipped_features(batch.features, which),
        reactivity=batch.reactivity.gather(1, order),
        observed=batch.observed.gather(1, order),
    )
