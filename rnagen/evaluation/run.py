"""Predictions and references in, an evaluation out."""

import shutil
from collections.abc import Mapping
from dataclasses import replace

import torch

from rnagen.config.evaluation import EvaluateConfig
from rnagen.devices import choose_device
from rnagen.errors import InputError
from rnagen.evaluation.inputs import read_cutoff, read_dates, read_predictions, read_references
from rnagen.evaluation.likelihood import checkpoint_of, conformer_likelihoods, with_all_atoms
from rnagen.evaluation.results import Evaluation
from rnagen.evaluation.scores import LEAKAGE, check_same_rna, filter_by_date, score_target, summarize
from rnagen.features import from_sequence
from rnagen.io.files import write_text
from rnagen.metrics.usalign import BINARY
from rnagen.progress import progress_bar
from rnagen.sampling.denoiser import Flow
from rnagen.structure import RNAStructure

Structures = Mapping[str, RNAStructure]


def evaluate(config: EvaluateConfig) -> Evaluation:
    """Score predictions against references, and write the results if the options name a file.

    Raises:
        InputError: an unusable input, a missing prediction or one of another RNA, or a checkpoint whose training may
            have seen a target.
    """
    if config.out is not None and config.out.suffix not in (".json", ".csv"):
        raise InputError(config.out, None, "results are written as .json or .csv")
    if config.usalign and shutil.which(BINARY) is None:
        raise InputError("--usalign", None, f"{BINARY} is not on the PATH (https://zhanggroup.org/US-align)")
    predictions = read_predictions(config.predictions)
    references, left_out = _pairs(read_references(config.references, config.split), predictions, config)
    cutoff = read_cutoff(config.predictions, config.ckpt)
    filters, leakage = _date_filters(references, cutoff, config)
    for name, reference in references.items():
        check_same_rna(predictions[name], reference)
    likelihoods = _likelihoods({name: predictions[name] for name in references}, config) if config.likelihood else {}
    scores = []
    with progress_bar("scoring", len(references)) as advance:
        for name, reference in references.items():
            scores.append(
                score_target(
                    predictions[name],
                    reference,
                    filters[name],
                    config.baselines,
                    config.usalign,
                    config.seed,
                    likelihoods.get(name),
                )
            )
            advance(1, name)
    result = Evaluation(scores, summarize(scores, config.seed), cutoff, leakage, left_out)
    if config.out is not None:
        write_text(config.out, result.to_csv() if config.out.suffix == ".csv" else result.to_json())
    return result


def _pairs(
    references: Structures, predictions: Structures, config: EvaluateConfig
) -> tuple[dict[str, RNAStructure], str]:
    """The references that have a prediction, in their order, and what is left out."""
    missing = [name for name in references if name not in predictions]
    if missing and not config.partial:
        reason = f"no prediction ({len(missing)} of {len(references)} targets have none; --partial scores the others)"
        raise InputError(config.predictions, missing[0], reason)
    found = {name: reference for name, reference in references.items() if name in predictions}
    if not found:
        raise InputError(config.predictions, None, "no prediction for any reference")
    unknown = len(predictions.keys() - references.keys())
    if not missing and not unknown:
        return found, ""
    return found, (
        f"left out: {len(missing)} of {len(references)} targets without a prediction, "
        f"{unknown} predictions without a reference"
    )


def _date_filters(references: Structures, cutoff: str, config: EvaluateConfig) -> tuple[dict[str, str], str]:
    """What the training cutoff and the date of each target mean for its score, and a summary of leakage."""
    dates = {name: reference.release_date for name, reference in references.items()}
    if config.dates is not None:
        dates |= {name: date for name, date in read_dates(config.dates).items() if name in dates}
    filters = {name: filter_by_date(cutoff, date) for name, date in dates.items()}
    leaks = [name for name, result in filters.items() if result.startswith(LEAKAGE)]
    if not leaks:
        return filters, ""
    if not config.allow_leakage:
        reason = (
            f"the training cutoff {cutoff} is later than the date of {len(leaks)} of {len(filters)} targets "
            f"({dates[leaks[0]]} here): the training may have seen them. --allow-leakage scores them all the same"
        )
        raise InputError(config.predictions, leaks[0], reason)
    leakage = f"{LEAKAGE} in {len(leaks)} of {len(filters)}"
    return {name: result if name in leaks else f"{result}; {leakage}" for name, result in filters.items()}, leakage


def _likelihoods(predictions: Structures, config: EvaluateConfig) -> dict[str, list[float]]:
    """Log-likelihood of every conformer of every target, nats per dimension."""
    checkpoint = checkpoint_of(config.predictions, config.ckpt, choose_device("auto"))
    flow = Flow.of(checkpoint)
    predictions = with_all_atoms(dict(predictions), config.predictions)
    found: dict[str, list[float]] = {}
    # The cost grows a little faster than the length.
    total = sum(prediction.num_models * len(prediction) for prediction in predictions.values())
    with progress_bar("likelihood", total) as advance:
        for name, prediction in predictions.items():
            with torch.no_grad():
                features = from_sequence(flow.model.config, prediction.sequence)
                context = flow.model.condition(features.to(next(flow.model.parameters()).device))
            found[name] = []
            for value in conformer_likelihoods(flow, context, replace(prediction, name=name), config.seed):
                found[name].append(value)
                advance(len(prediction), name)
    return found
