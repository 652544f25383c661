"""Validation chains sampled and scored as `rnagen evaluate` does, without files between: what the comparisons share."""

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track

from rnagen.checkpoints.structure import Checkpoint
from rnagen.config.sampling import SamplerConfig, SamplingPlan
from rnagen.data.dataset import Dataset
from rnagen.evaluation.baselines import helix
from rnagen.features import Chain, from_chain
from rnagen.metrics import best_of, bootstrap_interval, diversity, tm_scores
from rnagen.sampling.conformers import draw_conformers
from rnagen.sampling.denoiser import Flow

N = 5
"""Conformers per RNA."""


@dataclass(frozen=True)
class Row:
    """One way of sampling, mean over the validation chains."""

    best1: float
    best5: float
    best5_low: float
    best5_high: float
    one_minus_tm: float
    """Mean over the pairs of conformers of an RNA."""
    evaluations: int
    """Of the model, per conformer."""
    seconds: float
    """For all chains."""
    redrawn: int
    """Conformers that were sampled again, because they were not finite or exploded."""


def validation_chains(data: Path, splits: Path, atoms: tuple[str, ...], max_length: int) -> list[Chain]:
    """Chains of splits/val.csv with at most `max_length` residues.

    Raises:
        InputError: there is no such dataset or split.
    """
    dataset = Dataset.open(data)
    chains = dataset.chains.select(dataset.split("val", splits), atoms).chains()
    return [chain for chain in chains if len(chain.bases) <= max_length]


def chain_scores(
    checkpoint: Checkpoint, chains: Iterable[Chain], options: SamplerConfig, label: str, guide: Flow | None = None
) -> dict[str, Any]:
    """Five conformers of every chain against all models of it: TM-scores chain by chain, and what it took."""
    scored = checkpoint.config.model.atoms.index("C1'")
    out: dict[str, Any] = {"best1": [], "best5": [], "one_minus_tm": [], "redrawn": 0, "evaluations": 0}
    flow, plan = Flow.of(checkpoint), SamplingPlan(N, options=options)
    start = time.perf_counter()
    for chain in track(list(chains), description=label, transient=True):
        found = draw_conformers(flow, from_chain(chain), chain.name, plan, guide)
        sampled = found.coords[:, :, scored]
        true, mask = torch.from_numpy(chain.coords[:, :, scored]), torch.from_numpy(chain.mask[:, :, scored])
        scores = tm_scores(sampled, true, mask)
        out["best1"].append(round(float(best_of(scores, 1)), 4))
        out["best5"].append(round(float(best_of(scores)), 4))
        spread = diversity(sampled, torch.ones(sampled.shape[:2], dtype=torch.bool)).one_minus_tm
        out["one_minus_tm"].append(round(spread, 4))
        out["redrawn"] += found.redrawn
        out["evaluations"] = max(out["evaluations"], found.evaluations)
    out["seconds"] = round(time.perf_counter() - start, 1)
    return out


def score(
    checkpoint: Checkpoint, chains: Iterable[Chain], options: SamplerConfig, label: str, guide: Flow | None = None
) -> Row:
    """`chain_scores`, averaged."""
    found = chain_scores(checkpoint, chains, options, label, guide)
    low, high = bootstrap_interval(np.array(found["best5"]), 0)
    means = {name: round(float(np.mean(found[name])), 4) for name in ("best1", "best5", "one_minus_tm")}
    rest = {name: found[name] for name in ("evaluations", "seconds", "redrawn")}
    return Row(**means, **rest, best5_low=round(low, 4), best5_high=round(high, 4))


def chain_baselines(chains: Iterable[Chain], atoms: tuple[str, ...]) -> list[float]:
    """TM-score of one A-form strand, chain by chain."""
    scored = atoms.index("C1'")
    baselines = []
    for chain in chains:
        true, mask = torch.from_numpy(chain.coords[:, :, scored]), torch.from_numpy(chain.mask[:, :, scored])
        baselines.append(round(float(tm_scores(helix(len(chain.bases)), true, mask).max()), 4))
    return baselines


def helix_baseline(chains: Iterable[Chain], atoms: tuple[str, ...]) -> float:
    """Mean TM-score of one A-form strand on the same chains."""
    return float(np.mean(chain_baselines(chains, atoms)))


def print_table(rows: dict[str, Row], baseline: float, chains: int) -> None:
    """The rows with the baseline on the same chains."""
    width = max(map(len, rows))
    print(f"{'':{width}}  best of 1  best of 5 [95 %]          1 − TM  evaluations  seconds")
    for name, row in rows.items():
        interval = f"{row.best5:.3f} [{row.best5_low:.3f}, {row.best5_high:.3f}]"
        redrawn = f"  {row.redrawn} redrawn" if row.redrawn else ""
        print(
            f"{name:{width}}  {row.best1:9.3f}  {interval:22}  {row.one_minus_tm:8.3f}  {row.evaluations:11d}"
            f"  {row.seconds:7.1f}{redrawn}"
        )
    print(f"{chains} validation chains; baseline, one helix: {baseline:.3f}")


def as_json(rows: dict[str, Row]) -> dict[str, dict[str, float]]:
    """The rows as plain numbers."""
    return {name: asdict(row) for name, row in rows.items()}
