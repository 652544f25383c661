"""Confidence in conformers of one RNA."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rnagen.config.confidence import HeadConfig
from rnagen.features import RNAFeatures
from rnagen.model.confidence import GEOMETRY, ConfidenceHead, ConfidenceLogits, expected
from rnagen.model.model import RNAFlowModel

CHUNK_PAIRS = 2**16
"""Pairs of residues, conformers counted, that are judged at once; at least one conformer."""


@dataclass(frozen=True)
class Confidence:
    """Predictions between 0 and 1 for n conformers of an RNA."""

    lddt: Float[np.ndarray, "n L"]
    """C1'-lDDT of each residue. It is blind to mirror images; the TM-score is not."""
    tm: Float[np.ndarray, " n"]
    """TM-score."""

    def of(self, rows: list[int]) -> "Confidence":
        """That of some conformers, by position."""
        return Confidence(self.lddt[rows], self.tm[rows])


@torch.no_grad()
def confidence_logits(
    model: RNAFlowModel, head: ConfidenceHead, features: RNAFeatures, c1: Float[Tensor, "n L 3"]
) -> ConfidenceLogits:
    """What the head says of n conformers of the RNA of the features [1, L], a few at a time.

    Args:
        model: the structure model that the head belongs to, on the same device.
        head: in evaluation mode.
        features: of the RNA.
        c1: C1' coordinates in Å, not reflected.

    Returns:
        logits [1, n, …] on the CPU.
    """
    device = next(head.parameters()).device
    features = features.to(device)
    trunk, _ = model.encode(features)
    parts = [head(trunk, some[None].to(device), features.mask) for some in c1.split(chunk_of(c1.shape[1]))]
    return ConfidenceLogits(torch.cat([p.lddt for p in parts], 1).cpu(), torch.cat([p.tm for p in parts], 1).cpu())


def confidence_of(logits: ConfidenceLogits) -> Confidence:
    """Logits of one RNA as numbers."""
    return Confidence(expected(logits.lddt)[0].numpy(), expected(logits.tm)[0].numpy())


def chunk_of(length: int) -> int:
    """Conformers of that many residues that are judged at once."""
    return max(1, CHUNK_PAIRS // length**2)


def confidence_memory(length: int, head: HeadConfig, pair_dim: int) -> int:
    """Bytes that judging conformers takes at its peak, beside the trunk itself.

    Of each pair of each conformer judged at once: the geometry twice, and about eight tensors of the head's width.
    """
    per_pair = chunk_of(length) * (2 * GEOMETRY + 8 * head.head_pair_dim) + 2 * pair_dim
    return per_pair * length**2 * 4
