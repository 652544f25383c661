"""What templates would score if they were not held back: best of five copies, TM-score matched by residue number.

    python benchmarks/template_leakage.py kaggle/validation_labels.csv
    python benchmarks/template_leakage.py data --split splits/val.csv

The filters: released before the cutoff of the checkpoints; before the target's own date; any date, but not the target's
own entry; anything, the native included. The first is what sampling and the baseline of `rnagen evaluate` use.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro
from rich.progress import track

from rnagen.evaluation.inputs import read_references
from rnagen.evaluation.templates import answer_within
from rnagen.metrics import best_of, bootstrap_interval, tm_scores
from rnagen.sampling.templates import entry_of
from rnagen.structure import RNAStructure
from rnagen.templates.date_filter import DateFilter
from rnagen.templates.library import SHIPPED, Library
from rnagen.templates.search import Searcher

CUTOFF = "2022-05-27"
NEVER = "9999-12-31"


@dataclass
class Options:
    """Template copies under four date filters."""

    references: Annotated[Path, tyro.conf.Positional]
    """Table of labels, folder of structures, or dataset."""
    split: Path | None = None
    """Table of the chains of a dataset that are the targets."""
    library: Path = SHIPPED
    """Template library."""


def filters(target: RNAStructure) -> dict[str, DateFilter]:
    """The date filter of each row of the table."""
    own = {entry_of(target.name), target.entry.lower()} - {""}
    return {
        f"before {CUTOFF}": DateFilter(CUTOFF, own),
        "before the target's date": DateFilter(target.release_date or CUTOFF, own),
        "any date, not the own entry": DateFilter(NEVER, own),
        "anything": DateFilter(NEVER),
    }


def run(options: Options) -> None:
    """Search under each filter, score, print."""
    searcher = Searcher(Library.open(options.library))
    found: dict[str, list[float]] = {}
    for chains in track(read_references(options.references, options.split).chains.values(), transient=True):
        target = chains[0].select_atoms(("C1'",))
        refs, masks = torch.from_numpy(target.coords[:, :, 0]), torch.from_numpy(target.mask[:, :, 0])
        for name, dates in filters(chains[0]).items():
            answer = answer_within(target.sequence, dates, searcher)
            score = 0.0 if answer is None else float(best_of(tm_scores(answer, refs, masks)))
            found.setdefault(name, []).append(score)
    print(f"| templates | best of 5 copies, {len(next(iter(found.values())))} RNAs |\n|---|---|")
    for name, scores in found.items():
        low, high = bootstrap_interval(np.array(scores), 0)
        print(f"| {name} | {np.mean(scores):.3f} [{low:.3f}, {high:.3f}] |")


if __name__ == "__main__":
    torch.set_num_threads(1)
    run(tyro.cli(Options, description=__doc__))
