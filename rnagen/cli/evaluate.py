"""`rnagen evaluate`: predictions against references, beside the floors."""

import csv
import io
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from rnagen.cli.options import guarded
from rnagen.errors import InputError
from rnagen.io.files import write_text

if TYPE_CHECKING:
    from rnagen.checkpoints.structure import Checkpoint
    from rnagen.evaluation.scores import Summary, TargetScore
    from rnagen.structure import RNAStructure

HEADINGS = {
    "best1": "best of 1",
    "best5": "best of 5",
    "most_likely": "likeliest",
    "rank_correlation": "rank corr.",
    "one_minus_tm": "1 − TM",
    "lddt": "lDDT",
    "usalign": "US-align",
    "helix": "helix",
    "random_walk": "walk",
    "stems": "stems",
}
TABLE_WIDTH = 150
"""Columns of the table where it is not printed on a terminal."""


@dataclass
class EvaluateOptions:
    """Score predictions against references: TM-score (C1', matched by residue number), best of one and of five,
    diversity, C1'-lDDT, and floors on the same targets."""

    predictions: Annotated[Path, tyro.conf.Positional]
    """Submission table; or a folder with submission.csv, with a folder of conformers per target, or with a structure
    file per target."""
    references: Annotated[Path, tyro.conf.Positional]
    """Table of labels, folder of structure files, or dataset made by `rnagen prepare`."""
    split: Path | None = None
    """Of a dataset, the chains to take as references (splits/val.csv)."""
    dates: Path | None = None
    """Table of target dates (id, release_date), before those that the references know."""
    ckpt: Path | None = None
    """Checkpoint that made the predictions: its cutoff is held against the dates. Without it: the run.json beside the
    predictions."""
    allow_leakage: bool = False
    """Score even targets that were public before the training cutoff; every such row says so."""
    partial: bool = False
    """Score the targets that have predictions. Without it, a missing one is an error."""
    baselines: bool = True
    """Score the floors too: one helix, random walks, and predicted stems as restraints."""
    usalign: bool = False
    """Add the score of sequence-independent matching; needs the program USalign on the PATH."""
    likelihood: bool = False
    """Rank the conformers by their likelihood under the checkpoint (`--ckpt`, or the shipped one if the predictions are
    its): TM of the most likely one, and rank correlation with TM. Needs a folder of structures with all its atoms."""
    out: Path | None = None
    """Also write the results to this .json (everything) or .csv (the targets)."""
    seed: int = 0
    """Seed of the random floors, of the bootstrap and of the likelihood."""


def main(arguments: Sequence[str]) -> int:
    """Parse the command line and run."""
    options = tyro.cli(EvaluateOptions, args=list(arguments), prog="rnagen evaluate")
    import torch

    # Many small products: one thread takes 10 s for five predictions of the CASP15 RNAs, two that share their cores
    # with another program 100 s.
    torch.set_num_threads(1)
    return guarded(lambda: run(options), "rnagen evaluate")


def run(options: EvaluateOptions) -> int:
    """Evaluate as told and print the table; returns 0.

    Raises:
        InputError: an input that cannot be used, a missing or unfitting prediction, a checkpoint that may have seen a
            target.
    """
    if options.out is not None and options.out.suffix not in (".json", ".csv"):
        raise InputError(options.out, None, "results are written as .json or .csv")
    # The metrics need torch, which --help does not wait for.
    from rich.progress import track

    from rnagen.evaluation.inputs import read_cutoff, read_dates, read_predictions, read_references
    from rnagen.evaluation.scores import (
        CUTOFF_UNKNOWN,
        LEAKAGE,
        check_same_rna,
        filter_by_date,
        score_target,
        summarize,
    )
    from rnagen.metrics.usalign import BINARY

    if options.usalign and shutil.which(BINARY) is None:
        raise InputError("--usalign", None, f"no {BINARY} on the PATH (https://zhanggroup.org/US-align)")
    predictions = read_predictions(options.predictions)
    references = _with_predictions(read_references(options.references, options.split), predictions, options)
    cutoff = read_cutoff(options.predictions, options.ckpt)
    if options.likelihood:
        from rnagen.cli.sample import choose_device
        from rnagen.evaluation.likelihood import checkpoint_of, with_all_atoms

        checkpoint = checkpoint_of(options.predictions, options.ckpt, choose_device("auto"))
        predictions = with_all_atoms({name: predictions[name] for name in references}, options.predictions)
    dates = {name: reference.release_date for name, reference in references.items()}
    if options.dates is not None:
        dates |= {name: date for name, date in read_dates(options.dates).items() if name in dates}
    date_filters = {name: filter_by_date(cutoff, date) for name, date in dates.items()}
    leaks = [name for name, date_filter in date_filters.items() if date_filter.startswith(LEAKAGE)]
    if leaks and not options.allow_leakage:
        raise InputError(
            options.predictions,
            leaks[0],
            f"the training cutoff {cutoff} is later than the date of {len(leaks)} of {len(date_filters)} targets "
            f"({dates[leaks[0]]} here): its training may have seen them. --allow-leakage scores them all the same",
        )
    if leaks:
        share = f"{LEAKAGE} in {len(leaks)} of {len(date_filters)}"
        date_filters = {
            name: date_filter if name in leaks else f"{date_filter}; {share}"
            for name, date_filter in date_filters.items()
        }
    for name, reference in references.items():
        check_same_rna(predictions[name], reference)
    likelihoods = _likelihoods(predictions, checkpoint, options.seed) if options.likelihood else {}
    scores = [
        score_target(
            predictions[name],
            reference,
            date_filters[name],
            options.baselines,
            options.usalign,
            options.seed,
            likelihoods.get(name),
        )
        for name, reference in track(
            references.items(), "scoring", transient=True, console=_console(), disable=not sys.stdout.isatty()
        )
    ]
    summary = summarize(scores, options.seed)
    _print(scores, summary, cutoff or CUTOFF_UNKNOWN, share if leaks else "")
    if options.out is not None:
        write_text(options.out, _as_csv(scores) if options.out.suffix == ".csv" else _as_json(scores, summary, cutoff))
    return 0


def _with_predictions(
    references: "dict[str, RNAStructure]", predictions: "dict[str, RNAStructure]", options: EvaluateOptions
) -> "dict[str, RNAStructure]":
    """The references to score, in their order."""
    missing = [name for name in references if name not in predictions]
    if missing and not options.partial:
        raise InputError(
            options.predictions, missing[0], f"no prediction ({len(missing)} of {len(references)} targets have none)"
        )
    unknown = len(predictions.keys() - references.keys())
    if missing or unknown:
        print(
            f"rnagen evaluate: {len(missing)} of {len(references)} targets without a prediction and {unknown} "
            "predictions without a reference are left out",
            file=sys.stderr,
        )
    found = {name: reference for name, reference in references.items() if name in predictions}
    if not found:
        raise InputError(options.predictions, None, "no prediction for any reference")
    return found


def _likelihoods(predictions: "dict[str, RNAStructure]", checkpoint: "Checkpoint", seed: int) -> dict[str, list[float]]:
    """Log-likelihood of every conformer of every target, nats per dimension."""
    from rich.progress import Progress

    from rnagen.evaluation.likelihood import conformer_likelihoods
    from rnagen.sampling.ensemble import features_of
    from rnagen.transport.flow import Transport

    config = checkpoint.config.transport
    transport = Transport(config.path_type, config.prediction)
    found: dict[str, list[float]] = {}
    with Progress(transient=True, console=_console(), disable=not sys.stdout.isatty()) as progress:
        # The cost grows a little faster than with the length.
        total = sum(prediction.num_models * len(prediction) for prediction in predictions.values())
        task = progress.add_task("likelihood", total=total)
        for name, prediction in predictions.items():
            found[name] = []
            features = features_of(prediction.sequence)
            named = replace(prediction, name=name)
            for value in conformer_likelihoods(checkpoint.model, transport, features, named, seed):
                found[name].append(value)
                progress.advance(task, len(prediction))
    return found


def _print(scores: "list[TargetScore]", summary: "dict[str, Summary]", cutoff: str, leakage: str) -> None:
    from rich.table import Table

    columns = [name for name in HEADINGS if name in summary]
    title = f"TM-score on C1', matched by residue number; training {'' if cutoff[0].isalpha() else 'cutoff '}{cutoff}"
    table = Table("target", title=title)
    for heading in ("nt", "refs", "preds", *(HEADINGS[name] for name in columns)):
        table.add_column(heading, justify="right")
    table.add_column("date gate")
    for score in scores:
        counts = (str(score.length), str(score.references), str(score.predictions))
        table.add_row(score.target, *counts, *(f"{score.value(name):.3f}" for name in columns), score.date_filter)
    table.add_section()
    table.add_row(f"mean of {len(scores)}", "", "", "", *(f"{summary[name].mean:.3f}" for name in columns), leakage)
    table.add_row("95 % from", "", "", "", *(f"{summary[name].low:.3f}" for name in columns), leakage)
    table.add_row("to", "", "", "", *(f"{summary[name].high:.3f}" for name in columns), leakage)
    console = _console()
    console.print(table)
    if "minus_helix" in summary:
        paired = summary["minus_helix"]
        interval = f"{paired.low:+.3f} to {paired.high:+.3f}"
        console.print(f"best of 5 minus one helix, paired by target: {paired.mean:+.3f} (95 % {interval})")


def _console() -> Any:
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=TABLE_WIDTH)


def _as_json(scores: "list[TargetScore]", summary: "dict[str, Summary]", cutoff: str) -> str:
    described = {
        "cutoff": cutoff or None,
        "targets": [asdict(score) for score in scores],
        "summary": {name: asdict(value) for name, value in summary.items()},
    }
    return json.dumps(described, indent=1) + "\n"


def _as_csv(scores: "list[TargetScore]") -> str:
    rows = []
    for score in scores:
        row = asdict(score)
        del row["agreement"]
        baselines = row.pop("baselines")
        ranking = row.pop("ranking") or {}
        ranking.pop("log_likelihoods", None)
        rows.append(row | ranking | baselines)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
