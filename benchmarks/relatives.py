"""What templates from after the cutoff of the checkpoint are worth, for RNAs that have such relatives.

    python benchmarks/relatives.py --data data

The RNAs are those that splits/val.csv leaves out because another one of their cluster stands there: all were released
after the cutoff. Best of five TM-score on C1' by the date that templates must be older than; RNAs of one cluster count
as one. A template is never of the RNA's own entry.
"""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from rich.progress import track
from validation import N

from rnagen.config.sampling import SamplingPlan, TemplateConfig
from rnagen.data.dataset import Dataset
from rnagen.io.target import Target
from rnagen.metrics import bootstrap_interval, tm_scores
from rnagen.preparation.splits import make_splits
from rnagen.sampling.ensemble import Models, draw_ensemble


@dataclass
class Options:
    """What to compare."""

    data: Path = Path("data")
    """Prepared dataset."""
    ckpt: Path = Path("informed")
    """Weights."""
    max_length: int = 100
    """Residues of the longest RNA."""


def relatives(dataset: Dataset, cutoff: str, max_length: int) -> list[int]:
    """Rows of the RNAs."""
    chains = dataset.chains
    validation = make_splits(chains, cutoff)["val"]
    clusters = {chains.infos[row].cluster for row in validation}
    return [
        row
        for row, info in enumerate(chains.infos)
        if info.cluster in clusters and row not in validation and not info.benchmark
        if chains.lengths[row] <= max_length and info.release_date >= cutoff
    ]


def best_of(models: Models, dataset: Dataset, row: int, target: Target) -> float:
    """TM-score of the best conformer."""
    ensemble, chain = draw_ensemble(models, target, SamplingPlan(N, atoms="beads")), dataset.chains.chain(row)
    column = dataset.chains.atoms.index("C1'")
    true, mask = torch.from_numpy(chain.coords[:, :, column]), torch.from_numpy(chain.mask[:, :, column])
    return float(tm_scores(torch.from_numpy(ensemble.to_numpy("C1'")), true, mask).amax())


def run(options: Options) -> None:
    """Sample, score, print the table."""
    dataset = Dataset.open(options.data)
    alone = Models.load(options.ckpt, None, "cpu", TemplateConfig(templates=("none",)))
    cutoff = alone.structure.metadata["cutoff"]
    older = Models.load(options.ckpt, None, "cpu", TemplateConfig(template_date=cutoff))
    every = Models.load(options.ckpt, None, "cpu", TemplateConfig())
    rows = relatives(dataset, cutoff, options.max_length)
    scores: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in track(rows, "sampling", transient=True):
        info, sequence = dataset.chains.infos[row], dataset.chains.sequence(row)
        today, then = Target(info.name, sequence), Target(info.name, sequence, release_date=info.release_date)
        ways = {
            "none": (alone, today),
            f"the cutoff, {cutoff}": (older, today),
            "the RNA": (every, then),
            "today": (every, today),
        }
        for name, (models, target) in ways.items():
            scores[name][info.cluster].append(best_of(models, dataset, row, target))
    first = _means(scores[f"the cutoff, {cutoff}"])
    print(f"{len(rows)} RNAs of {len(first)} clusters\n")
    print("| templates older than | best of five | gain over the cutoff [95 %] |\n|---|---|---|")
    for name, by_cluster in scores.items():
        gain = _means(by_cluster) - first
        low, high = bootstrap_interval(gain, 0)
        print(f"| {name} | {_means(by_cluster).mean():.3f} | {gain.mean():+.3f} [{low:+.3f}, {high:+.3f}] |")


def _means(by_cluster: dict[int, list[float]]) -> np.ndarray:
    return np.array([np.mean(values) for values in by_cluster.values()])


if __name__ == "__main__":
    run(tyro.cli(Options))
