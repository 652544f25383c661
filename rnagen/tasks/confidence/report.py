"""What a validation of a confidence head says, beside what needs no head."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from rnagen.metrics.statistics import expected_calibration_error, pearson, rank_correlation, reliability_slope


@dataclass(frozen=True)
class ReportedTarget:
    """n conformers of an RNA: predicted, true, and what the baselines say."""

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
        """What is kept of it in the table of a validation."""
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
