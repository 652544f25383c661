"""How well the spread of sampled conformers matches that of experimental ones: numbers of an RNA, and over RNAs.

Correlations of the fluctuation over the residues of one RNA, and of all RNAs pooled, as Jing, Berger and Jaakkola
report them for proteins ("AlphaFold meets flow matching for generating protein ensembles", ICML 2024).
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from rnagen.evaluation.scores import Summary
from rnagen.metrics import (
    STATES_APART,
    Agreement,
    agreement,
    bootstrap_statistic,
    both_states,
    distance_wasserstein,
    fluctuation,
)
from rnagen.metrics.statistics import pearson, rank_correlation

LEAST_REFERENCES = 5
"""Reference conformers that the fluctuation of an RNA needs."""
LEAST_RESIDUES = 5
"""Residues resolved in all of them, likewise."""


@dataclass(frozen=True)
class Fluctuation:
    """RMSF of each residue that is resolved in all reference conformers, Å on C1'."""

    sampled: list[float]
    reference: list[float]

    @property
    def pearson(self) -> float:
        """Linear correlation over the residues; NaN where one of the two does not vary."""
        return pearson(np.array(self.sampled), np.array(self.reference))

    @property
    def spearman(self) -> float:
        """Rank correlation."""
        return rank_correlation(np.array(self.sampled), np.array(self.reference))


@dataclass(frozen=True)
class Spread:
    """Sampled conformers of an RNA against its experimental ones, on C1'."""

    samples: int
    references: int
    apart: float
    """RMSD in Å between the two references that lie furthest apart."""
    both_states: bool | None
    """Whether samples reach both of these; None where they are less than `STATES_APART` apart."""
    agreement: Agreement
    wasserstein: float
    """Å; between the distributions of each distance between residues, mean over the pairs."""
    fluctuation: Fluctuation | None
    """None with fewer than `LEAST_REFERENCES` references."""

    def numbers(self) -> dict[str, float]:
        """What has a mean over RNAs, by name; some RNAs lack some."""
        found = {"wasserstein": self.wasserstein, "amr_r": self.agreement.amr_r, "amr_p": self.agreement.amr_p}
        for side in ("r", "p"):
            for delta, share in getattr(self.agreement, f"cov_{side}").items():
                found[f"cov_{side}_{delta:g}"] = share
        if self.both_states is not None:
            found["both_states"] = float(self.both_states)
        if self.fluctuation is not None:
            found["rmsf_sampled"] = float(np.mean(self.fluctuation.sampled))
            found["rmsf_reference"] = float(np.mean(self.fluctuation.reference))
            found["rmsf_pearson"] = self.fluctuation.pearson
            found["rmsf_spearman"] = self.fluctuation.spearman
        return {name: value for name, value in found.items() if np.isfinite(value)}

    def to_plain(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"numbers": self.numbers()}


def score_spread(
    samples: Float[Tensor, "n L 3"],
    sample_masks: Bool[Tensor, "n L"],
    refs: Float[Tensor, "m L 3"],
    masks: Bool[Tensor, "m L"],
) -> Spread | None:
    """Hold n conformers of an RNA against m references of it, in Å; over the residues that all conformers have. None
    where the references are not several, or share fewer than `LEAST_RESIDUES` residues with the conformers."""
    masks = masks & sample_masks.all(0)
    counted = masks.all(0)
    if len(refs) < 2 or int(counted.sum()) < LEAST_RESIDUES:
        return None
    apart, reached = both_states(samples, refs, masks)
    known = None
    if len(refs) >= LEAST_REFERENCES:
        sampled, reference = (fluctuation(some, counted)[counted] for some in (samples, refs))
        known = Fluctuation(_rounded(sampled), _rounded(reference))
    return Spread(
        samples=len(samples),
        references=len(refs),
        apart=apart,
        both_states=reached if apart > STATES_APART else None,
        agreement=agreement(samples, refs, masks),
        wasserstein=distance_wasserstein(samples, refs, counted),
        fluctuation=known,
    )


def summarize_spread(spreads: Sequence[Spread], seed: int) -> dict[str, Summary]:
    """Means over the RNAs that have a number, by its name, and the correlations of the fluctuation over the residues
    of all RNAs (`pooled_pearson`, `pooled_spearman`); with 95 % bootstrap intervals over the RNAs."""
    columns: dict[str, list[float]] = {}
    for spread in spreads:
        for name, value in spread.numbers().items():
            columns.setdefault(name, []).append(value)
    found = {name: _summary(column, lambda some: float(np.mean(some)), seed) for name, column in columns.items()}
    moving = [spread.fluctuation for spread in spreads if spread.fluctuation is not None]
    if moving:
        found["pooled_pearson"] = _summary(moving, lambda some: _pooled(some, pearson), seed)
        found["pooled_spearman"] = _summary(moving, lambda some: _pooled(some, rank_correlation), seed)
    return found


def _summary(values: Sequence[Any], statistic: Callable[[Sequence[Any]], float], seed: int) -> Summary:
    return Summary(statistic(values), *bootstrap_statistic(values, statistic, seed))


def _pooled(
    fluctuations: Sequence[Fluctuation],
    correlation: Callable[[Float[np.ndarray, " n"], Float[np.ndarray, " n"]], float],
) -> float:
    return correlation(
        np.concatenate([one.sampled for one in fluctuations]), np.concatenate([one.reference for one in fluctuations])
    )


def _rounded(values: Float[Tensor, " L"]) -> list[float]:
    return [round(value, 3) for value in values.tolist()]
