"""Metrics of conformers against references and of ensembles, on tensors in Å."""

from rnagen.metrics.bonds import conformer_geometry
from rnagen.metrics.ensemble import Agreement, Diversity, agreement, diversity, tm_matrix
from rnagen.metrics.independent_tm import independent_tm_scores
from rnagen.metrics.lddt import LDDT, c1_lddt
from rnagen.metrics.rmsd import rmsd, rmsd_matrix
from rnagen.metrics.statistics import bootstrap_interval
from rnagen.metrics.tm import FAST_SEEDS, SEEDS, best_of, tm_d0, tm_score, tm_scores

__all__ = [
    "FAST_SEEDS",
    "LDDT",
    "SEEDS",
    "Agreement",
    "Diversity",
    "agreement",
    "best_of",
    "bootstrap_interval",
    "c1_lddt",
    "conformer_geometry",
    "diversity",
    "independent_tm_scores",
    "rmsd",
    "rmsd_matrix",
    "tm_d0",
    "tm_matrix",
    "tm_score",
    "tm_scores",
]
