"""Which copies of templates are right: a TM-score predicted from the alignment."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from rnagen.io.files import parse_json
from rnagen.templates.library import C1
from rnagen.templates.match import Match

WEIGHTS = Path(__file__).parents[1] / "assets" / "templates.json"
"""Made by `benchmarks/template_confidence.py`, which measures it too."""
FEATURES = (
    "score",
    "identity",
    "coverage",
    "pairs",
    "paired",
    "log_length",
    "log_template_length",
    "breaks",
    "extension",
)
_FARTHEST = 4.0
"""Standard deviations from the mean, beyond which a feature changes nothing."""


class Weights(NamedTuple):
    """A logistic model on the features, their squares and products."""

    mean: Float64[np.ndarray, " F"]
    scale: Float64[np.ndarray, " F"]
    weights: Float64[np.ndarray, " W"]


def predicted_tm(matches: Sequence[Match], length: int) -> Float64[np.ndarray, " N"]:
    """Expected TM-score of the copy of each template, for a query of so many residues."""
    if not matches:
        return np.zeros(0)
    return predicted(np.stack([features_of(match, length) for match in matches]), shipped())


def predicted(features: Float64[np.ndarray, "N F"], model: Weights) -> Float64[np.ndarray, " N"]:
    """The model's TM-scores."""
    result: Float64[np.ndarray, " N"] = 1 / (1 + np.exp(-terms(features, model.mean, model.scale) @ model.weights))
    return result


def features_of(match: Match, length: int) -> Float64[np.ndarray, " F"]:
    """The numbers of `FEATURES`."""
    aligned = np.flatnonzero(match.positions >= 0)
    places = match.positions[aligned]
    breaks = ((np.diff(aligned) > 1) | (np.diff(places) > 1)).sum() / length
    c1 = match.chain.coords[places, C1]
    radius = np.sqrt(((c1 - c1.mean(0)) ** 2).sum(-1).mean()) if len(places) else 1.0
    # The radius of gyration of folded RNA grows with about this power of its length (Hyeon, Dima and Thirumalai,
    # J. Chem. Phys. 125, 194905 (2006): 5.5 Å · N^(1/3)).
    extension = np.log(max(radius, 1.0)) - np.log(max(len(places), 1)) / 3
    given = (match.score, match.identity, match.coverage, match.pairs, match.paired)
    return np.array([*given, np.log(length), np.log(len(match.chain)), breaks, extension], dtype=np.float64)


def terms(
    features: Float64[np.ndarray, "N F"], mean: Float64[np.ndarray, " F"], scale: Float64[np.ndarray, " F"]
) -> Float64[np.ndarray, "N W"]:
    """1, the features in standard deviations, and their products."""
    standard = np.clip((features - mean) / scale, -_FARTHEST, _FARTHEST)
    i, j = np.triu_indices(features.shape[1])
    return np.concatenate([np.ones((len(standard), 1)), standard, standard[:, i] * standard[:, j]], axis=1)


@cache
def shipped() -> Weights:
    """The weights that come with rnagen."""
    stored = parse_json(WEIGHTS.read_text(), WEIGHTS)
    if tuple(stored["features"]) != FEATURES:
        raise ValueError(f"{WEIGHTS}: has other features; make it again with benchmarks/template_confidence.py")
    return Weights(*(np.array(stored[name]) for name in Weights._fields))
