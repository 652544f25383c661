"""Ensembles made by code: random walks with what sampling knows of them."""

import numpy as np

from rnagen.evaluation.baselines import random_walk
from rnagen.sampling.confidence import Confidence
from rnagen.sampling.ensemble import Ensemble
from rnagen.sampling.templates import TemplateUse
from rnagen.structure import BEADS, RNAStructure

SEQUENCE = "GGGCUUCGGCCC"


def template(tm: float, source: str = "library") -> TemplateUse:
    """A template whose copies score so much."""
    return TemplateUse(source, f"{source}_1", "2001-01-01", 1.0, 1.0, 2.0, tm)


def ensemble(
    tm: list[float] | None = None, templates: list[TemplateUse | None] | None = None, n: int = 4, seed: int = 0
) -> Ensemble:
    """n conformers in the order of their numbers; NaN in `tm` where the confidence model is missing."""
    n = n if tm is None else len(tm)
    length = len(SEQUENCE)
    c1 = random_walk(length, seed, n).numpy()
    coords = np.stack([c1 + np.float32(k) for k in range(len(BEADS))], axis=2)
    structure = RNAStructure("rna", SEQUENCE, coords, np.ones(coords.shape[:3], dtype=bool), BEADS)
    confidence = None
    if tm is not None:
        confidence = Confidence(np.repeat(np.array(tm)[:, None], length, 1), np.array(tm))
    return Ensemble(
        structure=structure,
        numbers=list(range(1, n + 1)),
        confidence=confidence,
        evaluations=3,
        redrawn=0,
        seconds=1.0,
        templates=templates or [None] * n,
        checkpoints=["small"] * n,
    )
