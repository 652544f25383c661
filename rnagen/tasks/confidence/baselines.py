"""What a confidence head must beat: what the conformers of an ensemble say of each other, and the length of the RNA."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rnagen.metrics import c1_lddt, tm_matrix
from rnagen.tasks.confidence.conformers import ScoredConformers


@dataclass(frozen=True)
class Consensus:
    """Mean agreement of each conformer with the others."""

    lddt: Float[Tensor, "n L"]
    """C1'-lDDT of each residue against the others."""
    tm: Float[Tensor, " n"]
    """TM-score with the others."""


@torch.no_grad()
def consensus(c1: Float[Tensor, "n L 3"]) -> Consensus:
    """Agreement among at least two complete conformers (C1', Å)."""
    count, length = c1.shape[:2]
    tm = (tm_matrix(c1).sum(1) - 1) / (count - 1)
    everything = torch.ones(count, length, dtype=torch.bool)
    local = torch.stack([c1_lddt(one.expand_as(c1), c1, everything).per_residue.sum(0) - 1 for one in c1])
    return Consensus(local / (count - 1), tm.float())


@dataclass(frozen=True)
class LengthBaseline:
    """TM-score and mean C1'-lDDT as straight lines in the logarithm of the length."""

    tm: Float[np.ndarray, "2"]
    lddt: Float[np.ndarray, "2"]

    @classmethod
    def fit(cls, conformer_set: Sequence[tuple[int, ScoredConformers]], conformers: int) -> "LengthBaseline":
        """Least squares over the first `conformers` of each RNA of the pool (length, conformers)."""
        lengths = np.log([length for length, _ in conformer_set])
        tm = [float(scores.tm[:conformers].mean()) for _, scores in conformer_set]
        lddt = [float(scores.lddt[:conformers][scores.scored[:conformers]].mean()) for _, scores in conformer_set]
        degree = min(1, len(set(lengths.tolist())) - 1)
        tm_line, lddt_line = (np.polyfit(lengths, np.nan_to_num(values), degree) for values in (tm, lddt))
        return cls(*(np.concatenate([np.zeros(1 - degree), line]) for line in (tm_line, lddt_line)))

    def predict(self, length: int) -> tuple[float, float]:
        """(TM-score, C1'-lDDT) of a conformer of an RNA of that length."""
        return float(np.polyval(self.tm, np.log(length))), float(np.polyval(self.lddt, np.log(length)))
