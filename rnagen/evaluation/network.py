"""Interaction network fidelity of predicted conformers with all atoms."""

from collections.abc import Hashable
from dataclasses import fields

import numpy as np

from rnagen.evaluation.scores import c1_atoms
from rnagen.metrics import NetworkFidelity, network_fidelity, tm_scores
from rnagen.secondary.interactions import Interactions, has_bases, interactions, whole_bases
from rnagen.structure import RNAStructure

NAMES = tuple(item.name for item in fields(NetworkFidelity))


NOT_INSTALLED = "base pairs are not compared, which needs RNApolis: pip install 'rnagen[pairs]'"


def best_network(prediction: RNAStructure, reference: RNAStructure, number: int) -> NetworkFidelity | None:
    """That of the conformer, among the first, with the highest INF of all interactions; see `network_scores`."""
    scores = network_scores(prediction, reference, number) or []
    return max(scores, key=lambda score: -1.0 if score.inf is None else score.inf, default=None)


def network_scores(prediction: RNAStructure, reference: RNAStructure, number: int) -> list[NetworkFidelity] | None:
    """Of each of the first conformers, against the reference that it is nearest to by TM-score; None where the bases of
    one of the two are not known.

    Interactions of residues whose base the reference lacks are left out: nobody knows whether they are right.

    Args:
        prediction: with the residues of the reference (`on_reference`).
        reference: its models are references.
        number: conformers that are scored.

    Raises:
        ConfigError: RNApolis is not installed.
    """
    prediction = prediction.models(range(min(number, prediction.num_models)))
    if not (has_bases(prediction) and has_bases(reference)):
        return None
    (samples, sample_masks), (refs, masks) = c1_atoms(prediction), c1_atoms(reference)
    nearest = tm_scores(samples, refs, masks, sample_masks).argmax(1).tolist()
    natives = {row: interactions(reference.models([row]))[0] for row in sorted(set(nearest))}
    known = whole_bases(reference)
    scored = []
    for found, row in zip(interactions(prediction), nearest):
        residues = set(np.flatnonzero(known[row]).tolist())
        a, b = _classes(found, residues), _classes(natives[row], residues)
        scored.append(NetworkFidelity(*(network_fidelity(a[name], b[name]) for name in NAMES)))
    return scored


def _classes(found: Interactions, residues: set[int]) -> dict[str, set[Hashable]]:
    """The interactions among some residues, by the name of their fidelity."""
    inside = [pair for pair in found.pairs if {pair.i, pair.j} <= residues]
    classes: dict[str, set[Hashable]] = {
        "inf_wc": {(pair.i, pair.j, pair.kind) for pair in inside if pair.canonical},
        "inf_nwc": {(pair.i, pair.j, pair.kind) for pair in inside if not pair.canonical},
        "inf_stacking": {(i, j) for i, j in found.stacking if {i, j} <= residues},
    }
    return classes | {"inf": set().union(*classes.values())}
