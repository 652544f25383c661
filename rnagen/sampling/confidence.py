"""Confidence in conformers of one RNA."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from rnagen.config.confidence import HeadConfig
from rnagen.model.confidence import ConfidenceHead, ConfidenceLogits, expected
from rnagen.model.model import TrunkContext
from rnagen.sampling.templates import TemplateUse

DIGITS = 4
"""Of a confidence, from 0 to 1, in files."""
WHOLE = ("draft", "file", "library", "start", "end")
"""Sources of a whole structure. What is predicted of a part that is fixed, or of a state between two, is not that of
the conformer that the model makes of it."""
CHUNK_PAIRS = 2**16
"""Pairs of residues, conformers counted, that are scored at once; at least one conformer."""


@dataclass(frozen=True)
class Confidence:
    """Predictions between 0 and 1 for n conformers of an RNA; NaN for those of a checkpoint without a confidence
    model."""

    lddt: Float[np.ndarray, "n L"]
    """C1'-lDDT of each residue. It is blind to mirror images; the TM-score is not."""
    tm: Float[np.ndarray, " n"]
    """TM-score: the confidence model's own estimate, in conformers that are built on templates too (`predicted_tm`)."""

    @property
    def is_complete(self) -> bool:
        """Whether each of the conformers has one."""
        return bool(np.isfinite(self.tm).all())

    def of(self, rows: list[int]) -> "Confidence":
        """The predictions for some of the conformers, by position."""
        return Confidence(self.lddt[rows], self.tm[rows])


def predicted_tm(templates: Sequence[TemplateUse | None], confidence: Confidence | None) -> Float64[np.ndarray, " n"]:
    """The TM-score that is predicted for each conformer, in the digits of files: that of the whole structure it is
    built on, else that of the confidence model; NaN where there is neither.

    Args:
        templates: what each of the n conformers is built on.
        confidence: in each, if there is a confidence model.
    """
    values = np.full(len(templates), np.nan) if confidence is None else confidence.tm.astype(np.float64)
    for row, use in enumerate(templates):
        if use is not None and use.source in WHOLE:
            values[row] = use.predicted_tm
    return values.round(DIGITS)


def joined(
    one: Confidence | None, other: Confidence | None, numbers: tuple[int, int], length: int
) -> Confidence | None:
    """The predictions for some conformers, then for others of the same RNA, NaN where there are none; None where
    neither has any.

    Args:
        one: of the first.
        other: of the others.
        numbers: of both.
        length: residues.
    """
    if one is None and other is None:
        return None
    parts = [
        part or Confidence(np.full((number, length), np.nan), np.full(number, np.nan))
        for part, number in zip((one, other), numbers)
    ]
    return Confidence(np.concatenate([part.lddt for part in parts]), np.concatenate([part.tm for part in parts]))


@torch.no_grad()
def confidence_logits(head: ConfidenceHead, known: TrunkContext, c1: Float[Tensor, "n L 3"]) -> ConfidenceLogits:
    """Logits [1, n, …] on the CPU for n conformers of one RNA, a few at a time.

    Args:
        head: in evaluation mode, on the device of the context.
        known: of the RNA, by the structure model that the head belongs to.
        c1: C1' coordinates in Å, not reflected.
    """
    device, mask = known.trunk.single.device, known.features.mask
    parts = [head(known.trunk, some[None].to(device), mask) for some in c1.split(chunk_of(c1.shape[1]))]
    return ConfidenceLogits(torch.cat([p.lddt for p in parts], 1).cpu(), torch.cat([p.tm for p in parts], 1).cpu())


def confidence_of(logits: ConfidenceLogits) -> Confidence:
    """Logits of one RNA as expected values."""
    return Confidence(expected(logits.lddt)[0].numpy(), expected(logits.tm)[0].numpy())


def confidence_in(head: ConfidenceHead, known: TrunkContext, c1: Float[Tensor, "n L 3"]) -> Confidence:
    """Confidence in n conformers of one RNA; the arguments are those of `confidence_logits`."""
    return confidence_of(confidence_logits(head, known, c1))


def chunk_of(length: int) -> int:
    """Conformers of that many residues that are scored at once."""
    return max(1, CHUNK_PAIRS // length**2)


def confidence_memory(length: int, head: HeadConfig) -> int:
    """Peak bytes of scoring conformers, beside the context: the pair representation of each of a chunk, and about eight
    matrices for the shares of its residues, or the bias of an attention."""
    return chunk_of(length) * (head.head_pair_dim + 8 + head.head_heads) * length**2 * 4
