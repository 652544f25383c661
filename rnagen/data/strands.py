"""RNAs of several strands: how the model learns where one ends."""

from dataclasses import replace

import torch
from jaxtyping import Int
from torch import Tensor

from rnagen.features import STRAND_GAP, RNAFeatures


def cut_strands(features: RNAFeatures, cut: Int[Tensor, " B"]) -> RNAFeatures:
    """The features with a second strand from residue `cut` of each RNA on (0: it has one strand). Base pairs and
    references stay: the strands are still in contact."""
    place = torch.arange(features.mask.shape[1], device=cut.device)
    second = ((place >= cut[:, None]) & (cut > 0)[:, None] & features.mask).to(features.residue_index.dtype)
    return replace(features, strand=second, residue_index=features.residue_index + STRAND_GAP * second)
