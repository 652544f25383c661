"""Score predicted ensembles against references: numbers per target, baselines, means, and the date filter."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rnagen.dates import parse_date
from rnagen.evaluation import baselines
from rnagen.evaluation.conformers import lowest_rmsd, score_ensemble
from rnagen.evaluation.pairing import ATOM, on_reference
from rnagen.metrics import (
    Agreement,
    NetworkFidelity,
    agreement,
    best_of,
    bootstrap_interval,
    diversity,
    independent_tm_scores,
    tm_scores,
)
from rnagen.metrics.statistics import rank_correlation
from rnagen.secondary.vienna import mfe_pairs
from rnagen.strands import with_separators
from rnagen.structure import RNAStructure

BEST_OF = 5
MIRROR = (-1.0, 1.0, 1.0)
"""A reflection, x → −x; which one does not matter, they differ by a rotation."""
BASELINES = ("helix", "random_walk", "stems", "templates")
"""Names of the baselines in `baseline_scores`."""
RANKINGS = ("most_likely", "rank_correlation")
"""Numbers that the likelihood of the conformers gives."""
NETWORK = ("inf", "inf_wc", "inf_nwc", "inf_stacking")
"""Numbers of `NetworkFidelity`."""
INDEPENDENT_BASELINES = {
    "independent_helix": "helix",
    "independent_stems": "stems",
    "independent_templates": "templates",
}
"""Baselines that have a sequence-independent score too: its name, and that of the baseline."""
SCORES = (
    *("best1", "best5", "independent1", "independent5"),
    *(*RANKINGS, "one_minus_tm", "lddt", "rmsd", *NETWORK, *BASELINES, *INDEPENDENT_BASELINES),
)
"""Numbers of a target that have a mean."""

CUTOFF_UNKNOWN = "cutoff unknown"
DATE_UNKNOWN = "date unknown"
HONEST = "cutoff before target"
LEAKAGE = "LEAKAGE"


@dataclass(frozen=True)
class LikelihoodRanking:
    """All conformers of a target, ranked by their likelihood under the model."""

    log_likelihoods: list[float]
    """Of each conformer, nats per dimension."""
    most_likely: float
    """TM of the most likely one."""
    rank_correlation: float | None
    """Spearman's between likelihood and TM; None where one of them has less than two different values."""


@dataclass(frozen=True)
class ConformerScores:
    """All conformers of a target one by one. TM-scores on C1', matched by residue number."""

    tm: list[float]
    """Of each conformer against its best reference."""
    mirror: list[float]
    """Of its mirror image: a conformer that scores less than this has the wrong hand."""
    one_minus_tm: float
    """Mean over pairs of conformers: 0 when they are all the same."""


@dataclass(frozen=True)
class TargetScore:
    """Result of one target. TM-scores are on C1', matched by residue number unless they are called independent."""

    target: str
    length: int
    references: int
    predictions: int
    best1: float
    """TM of the first prediction, against its best reference."""
    best5: float
    """TM of the best of the first five."""
    independent1: float
    """Sequence-independent TM of the first prediction, against its best reference; not to be compared with `best1`."""
    independent5: float
    """Sequence-independent TM of the best of the first five."""
    one_minus_tm: float
    """Mean over pairs of the first five predictions: 0 when they are all the same."""
    lddt: float
    """C1'-lDDT, best of the first five."""
    rmsd: float | None
    """Å on C1' after superposition, lowest of the first five; over the residues that both have."""
    best_slot: int
    """Place of the best of the first five by matched TM-score, from 1."""
    date_filter: str
    """What is known of the training cutoff against the date of the target."""
    best_source: str = ""
    """Source of that conformer, where `rnagen submit` made the submission; empty where it is not known."""
    agreement: Agreement | None = None
    """Coverage of the reference conformers, where there are several."""
    ranking: LikelihoodRanking | None = None
    """Likelihoods of the conformers, where they were asked for."""
    network: NetworkFidelity | None = None
    """Interaction network fidelity, best of the first five; None where they or the references lack bases."""
    baselines: dict[str, float] = field(default_factory=dict)
    """TM of each baseline, best of its predictions; sequence-independent for `INDEPENDENT_BASELINES`."""

    def value(self, name: str) -> float | None:
        """The number called `name` in `SCORES`; None where it was not computed."""
        if name in (*BASELINES, *INDEPENDENT_BASELINES):
            return self.baselines.get(name)
        holder = self.ranking if name in RANKINGS else self.network if name in NETWORK else self
        return getattr(holder, name, None)


@dataclass(frozen=True)
class Summary:
    """Mean over targets with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float


def filter_by_date(cutoff: str, date: str) -> str:
    """What a training cutoff and the date of a target (ISO, empty when unknown) say about each other.

    Training saw structures released before the cutoff only: a target of the cutoff's own day is unseen.
    """
    if not cutoff:
        return CUTOFF_UNKNOWN
    if not date:
        return DATE_UNKNOWN
    is_seen = parse_date(cutoff) > parse_date(date)
    return f"{LEAKAGE}: cutoff {cutoff}, target {date}" if is_seen else HONEST


def score_target(
    prediction: RNAStructure,
    reference: RNAStructure,
    date_filter: str,
    with_baselines: bool = True,
    seed: int = 0,
    log_likelihoods: Sequence[float] | None = None,
    templates: Float[Tensor, "n L 3"] | None = None,
) -> TargetScore:
    """Score the models of a prediction against the models of a reference, paired by `on_reference`; rank them by their
    likelihood where that is given. `templates` are a baseline.

    Raises:
        InputError: the two are not the same RNA, or one of them has no C1' atom.
    """
    prediction = on_reference(prediction, reference)
    samples, sample_masks = c1_atoms(prediction)
    refs, masks = c1_atoms(reference)
    samples, sample_masks = samples[:BEST_OF], sample_masks[:BEST_OF]
    scores = score_ensemble(samples, sample_masks, refs, masks)
    independent = independent_tm_scores(samples, refs, masks, sample_masks)
    several = len(refs) > 1
    return TargetScore(
        target=reference.name,
        length=len(reference),
        references=len(refs),
        predictions=prediction.num_models,
        best1=float(scores.tm[0]),
        best5=float(scores.tm.max()),
        independent1=float(best_of(independent, 1)),
        independent5=float(best_of(independent)),
        one_minus_tm=scores.one_minus_tm,
        lddt=float(scores.lddt.max()),
        rmsd=lowest_rmsd(samples, sample_masks, refs, masks),
        best_slot=int(scores.tm.argmax()) + 1,
        date_filter=date_filter,
        agreement=agreement(samples, refs, masks & sample_masks.all(0)) if several else None,
        ranking=None if log_likelihoods is None else rank_by_likelihood(prediction, reference, log_likelihoods),
        baselines=baseline_scores(reference, seed, True, templates) if with_baselines else {},
    )


def score_conformers(prediction: RNAStructure, reference: RNAStructure) -> ConformerScores:
    """Score every model of a prediction and its mirror image against the models of a reference.

    Raises:
        InputError: the two are not the same RNA, or one of them has no C1' atom.
    """
    prediction = on_reference(prediction, reference)
    samples, sample_masks = c1_atoms(prediction)
    both = torch.cat([samples, samples * torch.tensor(MIRROR)])
    best = tm_scores(both, *c1_atoms(reference), sample_masks.repeat(2, 1)).amax(1).tolist()
    count = len(samples)
    return ConformerScores(best[:count], best[count:], diversity(samples, sample_masks).one_minus_tm)


def rank_by_likelihood(
    prediction: RNAStructure, reference: RNAStructure, log_likelihoods: Sequence[float]
) -> LikelihoodRanking:
    """Hold the likelihood of each model of a prediction against its TM-score, that with its best reference.

    Raises:
        ValueError: not one likelihood per model.
    """
    if len(log_likelihoods) != prediction.num_models:
        raise ValueError(f"{len(log_likelihoods)} likelihoods for {prediction.num_models} models")
    samples, sample_masks = c1_atoms(prediction)
    scores = tm_scores(samples, *c1_atoms(reference), sample_masks).amax(1).tolist()
    can_rank = min(len(set(log_likelihoods)), len(set(scores))) > 1
    return LikelihoodRanking(
        list(log_likelihoods),
        scores[int(np.argmax(log_likelihoods))],
        rank_correlation(np.array(log_likelihoods), np.array(scores)) if can_rank else None,
    )


def baseline_scores(
    reference: RNAStructure,
    seed: int,
    independent: bool = False,
    templates: Float[Tensor, "n L 3"] | None = None,
) -> dict[str, float]:
    """TM-score of each baseline on one target, best of its predictions (see `rnagen.evaluation.baselines`), also of
    templates if they are given; with `independent` also the sequence-independent ones of `INDEPENDENT_BASELINES`."""
    refs, masks = c1_atoms(reference)
    length, sequence = len(reference), with_separators(reference.sequence, reference.strands)
    predictions = {
        "helix": baselines.helix(length),
        "random_walk": baselines.random_walk(length, seed),
        "stems": baselines.stem_fold(length, mfe_pairs(sequence), seed, strands=reference.strands),
    }
    if templates is not None:
        predictions["templates"] = templates
    found = {name: float(best_of(tm_scores(x, refs, masks))) for name, x in predictions.items()}
    if independent:
        for name, baseline in INDEPENDENT_BASELINES.items():
            if baseline not in predictions:
                continue
            found[name] = float(best_of(independent_tm_scores(predictions[baseline], refs, masks)))
    return found


def summarize(scores: Sequence[TargetScore], seed: int) -> dict[str, Summary]:
    """Means over targets of all that was computed for each of them; `minus_helix` and `independent_minus_helix` are
    best of five minus the helix, target by target."""
    columns = {name: [score.value(name) for score in scores] for name in SCORES}
    values = {name: np.array(column, dtype=float) for name, column in columns.items() if None not in column}
    if "helix" in values:
        values["minus_helix"] = values["best5"] - values["helix"]
        values["independent_minus_helix"] = values["independent5"] - values["independent_helix"]
    return {name: Summary(float(column.mean()), *bootstrap_interval(column, seed)) for name, column in values.items()}


def c1_atoms(structure: RNAStructure) -> tuple[Float[Tensor, "M L 3"], Bool[Tensor, "M L"]]:
    """C1' of the models of a structure in Å, and which are known."""
    chosen = structure.select_atoms((ATOM,))
    return torch.from_numpy(chosen.coords[:, :, 0]), torch.from_numpy(chosen.mask[:, :, 0])
