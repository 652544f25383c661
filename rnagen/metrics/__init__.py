"""Metrics of conformers against references and of ensembles, on tensors in Å."""

from rnagen.metrics.bonds import conformer_geometry
from rnagen.metrics.ensemble import (
    STATES_APART,
    Agreement,
    Diversity,
    agreement,
    both_states,
    distance_wasserstein,
    diversity,
    fluctuation,
    tm_matrix,
)
from rnagen.metrics.independent_tm import independent_tm_scores
from rnagen.metrics.lddt import LDDT, c1_lddt
from rnagen.metrics.network import NetworkFidelity, network_fidelity
from rnagen.metrics.rmsd import rmsd, rmsd_matrix
from rnagen.metrics.statistics import bootstrap_interval, bootstrap_statistic
from rnagen.metrics.tm import FAST_SEEDS, SEEDS, best_of, tm_d0, tm_score, tm_scores

__all__ = [
    "FAST_SEEDS",
    "LDDT",
    "SEEDS",
    "STATES_APART",
    "Agreement",
    "Diversity",
    "NetworkFidelity",
    "agreement",
    "best_of",
    "bootstrap_interval",
    "bootstrap_statistic",
    "both_states",
    "c1_lddt",
    "conformer_geometry",
    "distance_wasserstein",
    "diversity",
    "fluctuation",
    "independent_tm_scores",
    "network_fidelity",
    "rmsd",
    "rmsd_matrix",
    "tm_d0",
    "tm_matrix",
    "tm_score",
    "tm_scores",
]
