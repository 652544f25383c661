"""The order of an RNA's conformers: the one to trust most comes first, and the others lie superposed on it.

By the predicted TM-score (`Ensemble.predicted_tm`), where there is one of every conformer: that of its template for a
conformer that was built on one, else that of the confidence model. Where there is not, by agreement: the mean TM-score
with the others, or the predicted one where that is higher. `benchmarks/order.py` compares what the first conformer is
worth in this and other orders. Two kinds of ensembles keep the order that they have: medoids of clusters, the largest
cluster first; and the way from one state to another.

Ranks are not part of a conformer: they are counted anew when others are added, while its number stays.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Float64

from rnagen.config.sampling import StructureFormat
from rnagen.metrics import tm_scores
from rnagen.metrics.tm import ALIKE_SEEDS
from rnagen.sampling.confidence import DIGITS, predicted_tm
from rnagen.sampling.ensemble import Ensemble, conformer_file

Rule = Literal["predicted TM-score", "agreement", "size of cluster", "way"]
MOST_COMPARED = 50
"""Conformers that the others are held against, for agreement: those of the lowest numbers."""


def agreement(ensemble: Ensemble) -> Float64[np.ndarray, " n"]:
    """Mean TM-score of each conformer with the others, of which at most `MOST_COMPARED` count."""
    c1 = _c1(ensemble)
    held = np.argsort(ensemble.numbers)[:MOST_COMPARED]
    everything = torch.ones(len(held), c1.shape[1], dtype=torch.bool)
    scores = tm_scores(c1, c1[held], everything, seeds=ALIKE_SEEDS).numpy()
    scores[held, np.arange(len(held))] = 0
    others = np.full(len(ensemble), len(held))
    others[held] -= 1
    mean: Float64[np.ndarray, " n"] = (scores.sum(1) / np.maximum(others, 1)).round(DIGITS)
    return mean


def rule_of(ensemble: Ensemble) -> Rule:
    """What decides the order."""
    if any(use is not None and use.source in ("start", "between", "end") for use in ensemble.templates):
        return "way"
    if ensemble.selected_by == "clusters":
        return "size of cluster"
    return "predicted TM-score" if np.isfinite(_trust(ensemble)).all() else "agreement"


def order_of(ensemble: Ensemble) -> list[int]:
    """Positions of the conformers in their order. Of equals, the lower number comes first."""
    rule = rule_of(ensemble)
    if rule in ("way", "size of cluster"):
        return list(range(len(ensemble)))
    trust = _trust(ensemble)
    if rule == "agreement":
        trust = np.fmax(trust, agreement(ensemble))
    return sorted(range(len(ensemble)), key=lambda row: (-trust[row], ensemble.numbers[row]))


def ranked(ensemble: Ensemble) -> Ensemble:
    """The conformers in their order, superposed on the first."""
    return ensemble.of(order_of(ensemble)).superposed()


def describe_order(ensemble: Ensemble, structure_format: StructureFormat, clashes: Sequence[float]) -> dict[str, Any]:
    """What a summary has of the order of ranked conformers: the rule, the spread, and one entry for each conformer.

    Args:
        ensemble: ranked.
        structure_format: of the files.
        clashes: of each conformer, per 1,000 atoms.
    """
    c1, known, n = _c1(ensemble), _trust(ensemble), len(ensemble)
    everything = torch.ones(1, c1.shape[1], dtype=torch.bool)
    tm = tm_scores(c1, c1[:1], everything, seeds=ALIKE_SEEDS)[:, 0].numpy().round(DIGITS)
    rmsd = (c1 - c1[0]).square().sum(-1).mean(-1).sqrt().numpy()
    return {
        "ordered_by": rule_of(ensemble),
        "spread": round(float((1 - tm[1:]).mean()), DIGITS) if n > 1 else None,
        "conformers": [
            {
                "file": conformer_file(k + 1, n, structure_format),
                "sample": ensemble.numbers[k],
                "checkpoint": ensemble.checkpoints[k],
                "predicted_tm": float(known[k]) if np.isfinite(known[k]) else None,
                "clashes_per_1000": round(clashes[k], 1),
                "tm_to_first": float(tm[k]),
                "rmsd_to_first": round(float(rmsd[k]), 3),
            }
            for k in range(n)
        ],
    }


def _trust(ensemble: Ensemble) -> Float64[np.ndarray, " n"]:
    """Predicted TM-scores as a summary has them: ranks are the same when the numbers come from there."""
    return predicted_tm(ensemble.templates, ensemble.confidence)


def _c1(ensemble: Ensemble) -> Float[torch.Tensor, "n L 3"]:
    return torch.from_numpy(ensemble.coords[:, :, ensemble.structure.atoms.index("C1'")]).double()
