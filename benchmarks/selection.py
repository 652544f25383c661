"""What selecting five of many candidates gains on the validation chains, beside what any selection could gain.

    python benchmarks/selection.py --data data --candidates 50
    python benchmarks/selection.py --ckpt runs/mine/best.safetensors --weights 0 0.05 0.1 0.2 0.5

The candidates of each chain are sampled once and stored in `--cache`; repeat an interrupted command to continue.
Best-of-five TM-score of: the first five, five at random (expected), five by clusters, five by confidence and diversity
at several weights (if the checkpoint has a confidence model beside it), and the best candidate. `--out` writes the rows
as JSON too.
"""

import json
from dataclasses import dataclass
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from rich.progress import track
from validation import N, validation_chains

from rnagen.checkpoints.confidence import find_confidence
from rnagen.checkpoints.structure import DEFAULT_CHECKPOINT, load_checkpoint
from rnagen.config.sampling import SamplerConfig
from rnagen.data.dataset import Dataset
from rnagen.features import from_chain
from rnagen.metrics import bootstrap_interval, tm_matrix
from rnagen.sampling.confidence import confidence_in
from rnagen.sampling.selection import DIVERSITY_WEIGHT, choose
from rnagen.tasks.confidence.conformers import ConformerPlan, conformers_file, sample_conformer_set


@dataclass
class Options:
    """What to compare."""

    data: Path = Path("data")
    """Prepared dataset with the validation chains."""
    splits: Path = Path("splits")
    """Folder with val.csv."""
    ckpt: Path = DEFAULT_CHECKPOINT
    """Weights."""
    cache: Path = Path("cache")
    """Folder of the sampled conformers."""
    candidates: int = 50
    """Conformers per chain."""
    tau: float = SamplerConfig.tau
    """Temperature of the sampling."""
    weights: tuple[float, ...] = (0.0, DIVERSITY_WEIGHT, 0.3)
    """Weights of the diversity beside the confidence, a row each."""
    max_length: int = 1000
    """Residues of the longest chain that is scored."""
    out: Path | None = None
    """Write the rows as JSON too."""


def expected_best(scores: np.ndarray, k: int) -> float:
    """Mean best score of k random ones of all."""
    ordered = np.sort(scores)
    # The i-th smallest is the best of the choice where all others are of the i smaller ones.
    ways = [comb(i, k - 1) for i in range(len(ordered))]
    return float(np.dot(ordered, ways) / comb(len(ordered), k))


def run(options: Options) -> None:
    """Sample, select, score, print."""
    checkpoint = load_checkpoint(options.ckpt)
    confidence = find_confidence(checkpoint)
    atoms = checkpoint.config.model.atoms
    chains = validation_chains(options.data, options.splits, atoms, options.max_length)
    plan = ConformerPlan(SamplerConfig(tau=options.tau), (options.tau,), options.candidates, 0, 0)
    file = conformers_file(options.cache, checkpoint, Dataset.open(options.data).fingerprint, plan)
    sets = sample_conformer_set(checkpoint, chains, plan, file)
    rows: dict[str, list[tuple[float, float]]] = {}
    for chain, conformers in track(list(zip(chains, sets)), description="selecting", transient=True):
        scores = conformers.tm.double().numpy()
        distances = 1 - tm_matrix(conformers.c1).numpy()
        chosen = {f"first {N}": list(range(N)), f"{N} by clusters": choose(distances, N)}
        if confidence is not None:
            with torch.no_grad():
                context = checkpoint.model.condition(from_chain(chain))
            predicted = confidence_in(confidence.head, context, conformers.c1).tm
            for weight in options.weights:
                chosen[f"{N} by confidence, weight {weight}"] = choose(distances, N, predicted, weight)
        for name, numbers in chosen.items():
            rows.setdefault(name, []).append((scores[numbers[0]], scores[numbers].max()))
        rows.setdefault(f"{N} at random", []).append((scores.mean(), expected_best(scores, N)))
        rows.setdefault(f"best of all {options.candidates}", []).append((scores.max(), scores.max()))
    results = {name: summary(values, rows[f"first {N}"]) for name, values in rows.items()}
    show(results, len(chains))
    if options.out is not None:
        described = {"checkpoint": options.ckpt.name, "confidence": confidence.fingerprint if confidence else None}
        described |= {"chains": len(chains), "candidates": options.candidates, "tau": options.tau}
        options.out.write_text(json.dumps({**described, "rows": results}, indent=1) + "\n")


def summary(values: list[tuple[float, float]], first: list[tuple[float, float]]) -> dict[str, Any]:
    """Means with intervals over the chains, and the gain over the first five, chain by chain."""
    best1, best5 = np.array(values).T
    gain = best5 - np.array(first)[:, 1]
    return {
        "best1": round(float(best1.mean()), 4),
        "best5": round(float(best5.mean()), 4),
        "best5_interval": [round(end, 4) for end in bootstrap_interval(best5, 0)],
        "gain": round(float(gain.mean()), 4),
        "gain_interval": [round(end, 4) for end in bootstrap_interval(gain, 0)],
    }


def show(results: dict[str, dict[str, Any]], chains: int) -> None:
    """The rows as a table."""
    width = max(map(len, results))
    print(f"{'':{width}}  its first  best of 5 [95 %]         gain over the first 5 [95 %]")
    for name, row in results.items():
        low, high = row["best5_interval"]
        least, most = row["gain_interval"]
        print(
            f"{name:{width}}  {row['best1']:9.3f}  {row['best5']:.3f} [{low:.3f}, {high:.3f}]"
            f"  {row['gain']:+.4f} [{least:+.4f}, {most:+.4f}]"
        )
    print(f"{chains} validation chains")


if __name__ == "__main__":
    run(tyro.cli(Options))
