"""Validation of a confidence head, beside two baselines that it must beat.

The baselines need no head: the agreement of each conformer with the others, and the length of the RNA.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rnagen.metrics import c1_lddt, tm_matrix
from rnagen.metrics.statistics import expected_calibration_error, pearson, rank_correlation, reliability_slope
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
        """Least squares over the first `conformers` of each RNA, given as (length, conformers)."""
        lengths = np.log([length for length, _ in conformer_set])
        tm = [float(scores.tm[:conformers].mean()) for _, scores in conformer_set]
        lddt = [float(scores.lddt[:conformers][scores.scored[:conformers]].mean()) for _, scores in conformer_set]
        degree = min(1, len(set(lengths.tolist())) - 1)
        tm_line, lddt_line = (np.polyfit(lengths, np.nan_to_num(values), degree) for values in (tm, lddt))
        return cls(*(np.concatenate([np.zeros(1 - degree), line]) for line in (tm_line, lddt_line)))

    def predict(self, length: int) -> tuple[float, float]:
        """(TM-score, C1'-lDDT) of a conformer of an RNA of that length."""
        return float(np.polyval(self.tm, np.log(length))), float(np.polyval(self.lddt, np.log(length)))


@dataclass(frozen=True)
class ReportedTarget:
    """Scores of n conformers of an RNA: predicted, true, and by the baselines."""

    name: str
    lddt: Float[np.ndarray, "n L"]
    tm: Float[np.ndarray, " n"]
    true_lddt: Float[np.ndarray, "n L"]
    scored: Bool[np.ndarray, "n L"]
    true_tm: Float[np.ndarray, " n"]
    consensus_lddt: Float[np.ndarray, "n L"]
    consensus_tm: Float[np.ndarray, " n"]
    length_lddt: float
    length_tm: float

    def row(self) -> dict[str, float | str | int]:
        """Its row in the table of a validation."""
        values = {
            "tm_predicted": float(self.tm.mean()),
            "tm_true": float(self.true_tm.mean()),
            "tm_rank": rank_correlation(self.tm, self.true_tm),
            "tm_of_top": float(self.true_tm[np.argmax(self.tm)]),
            "tm_of_best": float(self.true_tm.max()),
        }
        defined = {name: round(value, 4) for name, value in values.items() if not math.isnan(value)}
        return {"id": self.name, "length": self.lddt.shape[1], **defined}


def summarize(targets: Sequence[ReportedTarget]) -> dict[str, float]:
    """Means over residues (`lddt_…`), conformers (`tm_…`) or targets (`…rank…`, `tm_of_…`); what is undefined, as a
    rank where all conformers score the same, is left out.

    `tm_of_top` is the true TM-score of the conformer with the highest prediction, between `tm_of_mean` (a random one)
    and `tm_of_best` (the best of all); `…_consensus` and `…_by_length` are the baselines.
    """

    def residues(column: Callable[[ReportedTarget], Float[np.ndarray, "n L"]]) -> Float[np.ndarray, " N"]:
        return np.concatenate([column(target)[target.scored] for target in targets]).astype(float)

    def conformers(column: Callable[[ReportedTarget], Float[np.ndarray, " n"]]) -> Float[np.ndarray, " N"]:
        return np.concatenate([column(target) for target in targets]).astype(float)

    def over_targets(value: Callable[[ReportedTarget], float]) -> float:
        values = [v for v in map(value, targets) if not math.isnan(v)]
        return float(np.mean(values)) if values else math.nan

    lddt, true_lddt = residues(lambda t: t.lddt), residues(lambda t: t.true_lddt)
    tm, true_tm = conformers(lambda t: t.tm), conformers(lambda t: t.true_tm)
    found = {
        "lddt_ece": expected_calibration_error(lddt, true_lddt),
        "lddt_slope": reliability_slope(lddt, true_lddt),
        "lddt_pearson": pearson(lddt, true_lddt),
        "lddt_spearman": rank_correlation(lddt, true_lddt),
        "lddt_pearson_consensus": pearson(residues(lambda t: t.consensus_lddt), true_lddt),
        "lddt_mae": float(np.abs(lddt - true_lddt).mean()),
        "lddt_mae_by_length": over_residues_by_length(targets),
        "tm_ece": expected_calibration_error(tm, true_tm),
        "tm_slope": reliability_slope(tm, true_tm),
        "tm_pearson": pearson(tm, true_tm),
        "tm_mae": float(np.abs(tm - true_tm).mean()),
        "tm_mae_by_length": float(np.abs(conformers(lambda t: t.length_tm - t.true_tm)).mean()),
        "tm_rank": over_targets(lambda t: rank_correlation(t.tm, t.true_tm)),
        "tm_rank_consensus": over_targets(lambda t: rank_correlation(t.consensus_tm, t.true_tm)),
        "tm_of_mean": over_targets(lambda t: float(t.true_tm.mean())),
        "tm_of_top": over_targets(lambda t: float(t.true_tm[np.argmax(t.tm)])),
        "tm_of_consensus": over_targets(lambda t: float(t.true_tm[np.argmax(t.consensus_tm)])),
        "tm_of_best": over_targets(lambda t: float(t.true_tm.max())),
    }
    return {name: value for name, value in found.items() if not math.isnan(value)}


def over_residues_by_length(targets: Sequence[ReportedTarget]) -> float:
    """Mean error of the C1'-lDDT that the length alone predicts."""
    return float(np.abs(np.concatenate([(t.true_lddt - t.length_lddt)[t.scored] for t in targets])).mean())
