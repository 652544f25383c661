"""Predictions and references in, an evaluation out."""

from collections.abc import Mapping
from dataclasses import replace

import torch

from rnagen.config.evaluation import EvaluateConfig
from rnagen.dates import NO_DATE
from rnagen.devices import choose_device
from rnagen.errors import InputError
from rnagen.evaluation.complexes import joined_complexes, on_complex
from rnagen.evaluation.inputs import RUN, Loaded, pair_files, read_cutoff, read_dates, read_predictions, read_references
from rnagen.evaluation.layouts import plain
from rnagen.evaluation.likelihood import checkpoint_of, conformer_likelihoods, with_all_atoms
from rnagen.evaluation.network import NOT_INSTALLED, best_network
from rnagen.evaluation.obedience import obedience_note
from rnagen.evaluation.origins import origins_of
from rnagen.evaluation.pairing import count_paired, on_reference
from rnagen.evaluation.results import Evaluation
from rnagen.evaluation.scores import BEST_OF, LEAKAGE, c1_atoms, filter_by_date, score_target, summarize
from rnagen.evaluation.spread import Spread, score_spread, summarize_spread
from rnagen.evaluation.templates import newest_templates, template_answer
from rnagen.features import from_sequence
from rnagen.metrics import NetworkFidelity
from rnagen.progress import progress_bar
from rnagen.sampling.denoiser import Flow
from rnagen.secondary.interactions import can_annotate, has_bases
from rnagen.structure import RNAStructure
from rnagen.templates.library import Library
from rnagen.templates.search import Searcher

Structures = Mapping[str, RNAStructure]


def evaluate(config: EvaluateConfig) -> Evaluation:
    """Score predictions against references, and write the results if the options name a file.

    Raises:
        InputError: an unusable input, a missing prediction, no prediction of the same RNA, a checkpoint whose training
            may have seen a target, or no target with several references for `ensemble`.
    """
    if config.out is not None and config.out.suffix not in (".json", ".csv"):
        raise InputError(config.out, None, "results are written as .json or .csv")
    referenced = read_references(config.references, config.split)
    wanted = {*referenced.chains, *(chain.name for chains in referenced.chains.values() for chain in chains)}
    predicted = read_predictions(config.predictions, wanted)
    predicted = pair_files(config.predictions, config.references, predicted, referenced)
    origins = origins_of(config.predictions)
    pairs, left_out = _pairs(referenced, predicted, config)
    references = {name: reference for name, (_, reference) in pairs.items()}
    cutoff = read_cutoff(config.predictions, config.ckpt)
    filters, leakage = _date_filters(references, cutoff, config)
    predictions, failures = {}, []
    for name, (prediction, reference) in pairs.items():
        try:
            predictions[name] = (on_complex if reference.strands else on_reference)(prediction, reference)
        except InputError as error:
            failures.append(InputError(config.predictions, name, error.reason))
    if not predictions:
        raise failures[0]
    unread = {name: reason for name, reason in predicted.failures.items() if plain(name) in set(map(plain, wanted))}
    for file, reasons in ((config.predictions, unread), (config.references, referenced.failures)):
        failures += [InputError(file, name, reason) for name, reason in reasons.items()]
    given = {name: pairs[name][0] for name in predictions}
    likelihoods = _likelihoods(given, config) if config.likelihood else {}
    networks, unpaired_bases = _networks(given, {name: references[name] for name in given}, config)
    searcher = Searcher(Library.open()) if config.baselines else None
    scores = []
    with progress_bar("scoring", len(predictions)) as advance:
        for name, prediction in predictions.items():
            answer = None if searcher is None else template_answer(references[name], cutoff, searcher)
            score = score_target(
                prediction,
                references[name],
                filters[name],
                config.baselines,
                config.seed,
                likelihoods.get(name),
                answer,
            )
            source = origins.source(given[name].name, score.best_slot)
            scores.append(replace(score, best_source=source, network=networks.get(name)))
            advance(1, name)
    notes = [*predicted.notes, *referenced.notes, *_unpaired(given, predictions, references)]
    notes += filter(None, [origins.note, unpaired_bases])
    notes += obedience_note(config.predictions, predictions.keys())
    spreads = _spreads(predictions, references, config) if config.ensemble else {}
    result = Evaluation(
        scores,
        summarize(scores, config.seed),
        cutoff,
        leakage,
        left_out,
        notes,
        failures,
        spreads,
        summarize_spread(list(spreads.values()), config.seed),
    )
    if config.out is not None:
        result.save(config.out)
    return result


Pairs = dict[str, tuple[RNAStructure, RNAStructure]]
"""(prediction, reference) by target."""


def _pairs(referenced: Loaded, predicted: Loaded, config: EvaluateConfig) -> tuple[Pairs, str]:
    """The references that have a prediction, in their order, and what is left out."""
    plain_names = {plain(name): name for name in predicted.chains if name not in referenced.chains}
    pairs: Pairs = {}
    missing, used = [], set()
    for target, references in referenced.chains.items():
        name = target if target in predicted.chains else plain_names.get(plain(target))
        if name is not None:
            used.add(name)
            pairs |= _paired_chains(target, predicted.chains[name], references)
            continue
        for reference in references:
            own = target if len(references) == 1 else reference.name
            if own in predicted.chains:
                used.add(own)
                pairs |= _paired_chains(own, predicted.chains[own], [reference])
            else:
                missing.append(own)
    total = len(pairs) + len(missing)
    if missing and not config.partial:
        reasons = {plain(name): reason for name, reason in predicted.failures.items()}
        more = f" ({len(missing)} of {total} targets have none; --partial scores the others)" if pairs else ""
        found = sorted(predicted.chains.keys() - used)
        no_prediction = f"no prediction{f' of this name; there are others{_named(found)}' if found else ''}"
        raise InputError(config.predictions, missing[0], reasons.get(plain(missing[0]), no_prediction) + more)
    if not pairs:
        raise InputError(config.predictions, None, "no prediction for any reference")
    unknown = sorted(predicted.chains.keys() - used)
    if not missing and not unknown:
        return pairs, ""
    return pairs, (
        f"left out: {len(missing)} of {total} targets without a prediction{_named(missing)}, "
        f"{len(unknown)} predictions without a reference{_named(unknown)}"
    )


def _named(names: list[str]) -> str:
    """The first few names in brackets."""
    return f" ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})" if names else ""


def _paired_chains(target: str, predictions: list[RNAStructure], references: list[RNAStructure]) -> Pairs:
    """Two complexes of the same chains, joined; of a complex against one chain, the chain that fits best; of two other
    complexes, one pair for each reference chain."""
    joined = joined_complexes(target, predictions, references)
    if joined is not None:
        return {target: joined}

    def fit(prediction: RNAStructure, reference: RNAStructure) -> tuple[int, bool]:
        return count_paired(prediction, reference), prediction.chain == reference.chain

    if len(predictions) == 1:
        best = max(references, key=lambda reference: fit(predictions[0], reference))
        return {target: (predictions[0], replace(best, name=target))}
    found: Pairs = {}
    free = list(predictions)
    for reference in references:
        name = target if len(references) == 1 else reference.name
        best = max(free or predictions, key=lambda prediction: fit(prediction, reference))
        free = [prediction for prediction in free if prediction is not best]
        found[name] = (best, replace(reference, name=name))
    return found


def _unpaired(given: Structures, predictions: Structures, references: Structures) -> list[str]:
    """A note for each target of which residues could not be paired."""
    notes = []
    for name, paired in predictions.items():
        count = int(paired.mask.any(axis=(0, 2)).sum())
        lengths = len(given[name]), len(references[name])
        if count < max(lengths):
            notes.append(f"{name}: {count} residues paired, of {lengths[0]} predicted and {lengths[1]} known")
    return notes


def _date_filters(references: Structures, cutoff: str, config: EvaluateConfig) -> tuple[dict[str, str], str]:
    """What the training cutoff and the date of each target mean for its score, and a summary of leakage."""
    dates = {name: reference.release_date for name, reference in references.items()}
    if config.dates is not None:
        dates |= {name: date for name, date in read_dates(config.dates).items() if name in dates}
    filters = {name: filter_by_date(cutoff, date) for name, date in dates.items()}
    known = {name: date for name, date in newest_templates(config.predictions).items() if name in dates}
    filters |= {name: f"{filters[name]}, template of {date}" for name, date in known.items() if dates[name] == NO_DATE}
    newest = {name: date for name, date in known.items() if dates[name] != NO_DATE and date >= dates[name]}
    filters |= {name: f"{LEAKAGE}: template of {date}, target {dates[name]}" for name, date in newest.items()}
    leaks = [name for name, result in filters.items() if result.startswith(LEAKAGE)]
    if not leaks:
        return filters, ""
    if not config.allow_leakage:
        what = f"the training cutoff {cutoff} is later than the date"
        if leaks[0] in newest:
            what = f"a template of {newest[leaks[0]]} is not older than the date"
        reason = (
            f"{what} of {len(leaks)} of {len(filters)} targets ({dates[leaks[0]]} here): they may have been seen. "
            "--allow-leakage scores them all the same"
        )
        raise InputError(config.predictions, leaks[0], reason)
    leakage = f"{LEAKAGE} in {len(leaks)} of {len(filters)}"
    return {name: result if name in leaks else f"{result}; {leakage}" for name, result in filters.items()}, leakage


def _networks(
    given: Structures, references: Structures, config: EvaluateConfig
) -> tuple[dict[str, NetworkFidelity], str]:
    """Interaction network fidelity of the targets that have all atoms, as their references do; or why there is none."""
    given = {name: one for name, one in given.items() if has_bases(references[name])}
    if given and (config.predictions / RUN).is_file():
        given = with_all_atoms(given, config.predictions)
    aligned = {
        name: (on_complex if references[name].strands else on_reference)(one, references[name])
        for name, one in given.items()
    }
    aligned = {name: one for name, one in aligned.items() if has_bases(one)}
    if aligned and not can_annotate():
        return {}, NOT_INSTALLED
    found = {name: best_network(one, references[name], BEST_OF) for name, one in aligned.items()}
    return {name: score for name, score in found.items() if score is not None}, ""


def _spreads(predictions: Structures, references: Structures, config: EvaluateConfig) -> dict[str, Spread]:
    """The spread of the conformers of each target that has several references.

    Raises:
        InputError: none has.
    """
    found = {
        name: spread
        for name, prediction in predictions.items()
        if (spread := score_spread(*c1_atoms(prediction), *c1_atoms(references[name]))) is not None
    }
    if not found:
        reason = "--ensemble needs several conformers of a target as references, and each of these has one"
        raise InputError(config.references, None, reason)
    return found


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
                features = from_sequence(flow.model.config, prediction.sequence, strands=prediction.strands)
                context = flow.model.condition(features.to(next(flow.model.parameters()).device))
            found[name] = []
            for value in conformer_likelihoods(flow, context, replace(prediction, name=name), config.seed):
                found[name].append(value)
                advance(len(prediction), name)
    return found
