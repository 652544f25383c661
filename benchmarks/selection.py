"""What selecting five of many candidates gains on the validation chains, beside what any selection could gain.

    python benchmarks/selection.py --data data --candidates 20 --max-length 150
    python benchmarks/selection.py --ckpt runs/mine/best.safetensors --weights 0 0.05 0.1 0.2 0.5

Two pools of each chain: conformers of the model alone, and the same where the first are built on templates, as
`sample.py` builds them. Best-of-five TM-score of the ways to select in `ways_of`, and whether the agreement of a
conformer with the others adds to the predicted TM-score (`combined`). The conformers of the model are sampled once and
stored in `--cache`; repeat an interrupted command to continue. `--out` writes the rows as JSON too.
"""

import json
from dataclasses import dataclass, replace
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from jaxtyping import Float
from rich.progress import track
from validation import N, validation_chains

from rnagen.checkpoints.confidence import ConfidenceCheckpoint, find_confidence
from rnagen.checkpoints.structure import DEFAULT_CHECKPOINT, Checkpoint, load_checkpoint
from rnagen.config.sampling import SamplerConfig, SamplingPlan, TemplateConfig
from rnagen.data.dataset import Dataset
from rnagen.errors import InputError
from rnagen.features import Chain, from_chain
from rnagen.io.target import Target
from rnagen.metrics import bootstrap_interval, tm_matrix
from rnagen.metrics.statistics import rank_correlation
from rnagen.sampling.confidence import confidence_in
from rnagen.sampling.conformers import draw_conformers
from rnagen.sampling.denoiser import Flow
from rnagen.sampling.selection import DIVERSITY_WEIGHT, agreement_of, choose, choose_behind
from rnagen.sampling.templates import KnownStructures
from rnagen.tasks.confidence.conformers import (
    ConformerPlan,
    ScoredConformers,
    conformers_file,
    sample_conformer_set,
    score_conformers,
)

SPLITS = 100
"""Random halves of the targets on which `combined` is fitted; it is scored on the other halves."""


@dataclass
class Options:
    """What to compare."""

    data: Path = Path("data")
    """Prepared dataset with the validation chains."""
    splits: Path = Path("splits")
    """Folder with val.csv."""
    ckpt: Path = DEFAULT_CHECKPOINT
    """Weights; with a confidence model beside them."""
    cache: Path = Path("cache")
    """Folder of the sampled conformers."""
    candidates: int = 20
    """Conformers per chain."""
    tau: float = SamplerConfig.tau
    """Temperature of the sampling."""
    weights: tuple[float, ...] = (0.0, DIVERSITY_WEIGHT, 0.3)
    """Weights of the diversity beside the confidence, a row each."""
    max_length: int = 150
    """Residues of the longest chain that is scored."""
    out: Path | None = None
    """Write the rows as JSON too."""


@dataclass(frozen=True)
class Candidates:
    """The conformers of one chain that can be selected."""

    tm: Float[np.ndarray, " n"]
    """True TM-score of each."""
    distances: Float[np.ndarray, "n n"]
    """1 − TM between them."""
    predicted: Float[np.ndarray, " n"]
    """TM-score by the confidence model."""
    templates: tuple[float, ...] = ()
    """Predicted TM-score of the templates that the first conformers are built on."""


def expected_best(scores: Float[np.ndarray, " n"], k: int) -> float:
    """Mean best score of k random ones of all."""
    ordered = np.sort(scores)
    # The i-th smallest is the best of the choice where all others are of the i smaller ones.
    ways = [comb(i, k - 1) for i in range(len(ordered))]
    return float(np.dot(ordered, ways) / comb(len(ordered), k))


def farthest_points(distances: Float[np.ndarray, "n n"], k: int) -> list[int]:
    """The conformer nearest to all, then always the one furthest from those chosen (Gonzalez 1985)."""
    chosen = [int(distances.sum(0).argmin())]
    while len(chosen) < k:
        chosen.append(int(distances[:, chosen].min(1).argmax()))
    return chosen


def ways_of(pool: Candidates, weights: tuple[float, ...]) -> dict[str, list[int]]:
    """The five that each way selects, its best guess first."""
    ways = {
        f"first {N}": list(range(N)),
        f"{N} medoids": choose(pool.distances, N),
        f"{N} farthest points": farthest_points(pool.distances, N),
        f"{N} by agreement": choose(pool.distances, N, agreement_of(pool.distances)),
    }
    for weight in weights:
        ways[f"{N} by confidence, weight {weight}"] = choose(pool.distances, N, pool.predicted, weight, agreement=0.0)
    ways[f"{N} by confidence, the first by agreement too"] = choose(pool.distances, N, pool.predicted)
    if pool.templates:
        built = len(pool.templates)
        order = [int(k) for k in np.argsort([-score for score in pool.templates], kind="stable")]
        ways[f"{N} by template score"] = [*order, *range(built, N)][:N]
        ways["mixed: on templates, then by confidence"] = choose_behind(
            list(range(built)), pool.distances, N, pool.predicted
        )
    return ways


def fitted(pools: list[Candidates]) -> Float[np.ndarray, " 2"]:
    """Weights of predicted TM-score and agreement that predict best which of a target's conformers is better: least
    squares, everything relative to the mean of the target."""
    columns = [np.stack([pool.predicted, agreement_of(pool.distances), pool.tm]) for pool in pools]
    a, b, tm = np.concatenate([part - part.mean(1, keepdims=True) for part in columns], axis=1)
    return np.linalg.lstsq(np.stack([a, b], 1), tm, rcond=None)[0]


def combined(pools: list[Candidates], weight: float) -> dict[str, Any]:
    """What agreement adds to confidence in the choice of the first conformer: its weight fitted on one half of the
    targets, and the five scored on the other, over `SPLITS` random halves; against confidence alone, target by
    target."""
    rng = np.random.default_rng(0)
    scores: list[list[list[float]]] = [[] for _ in pools]
    found = []
    for _ in range(SPLITS):
        order = rng.permutation(len(pools))
        halves = order[: len(pools) // 2], order[len(pools) // 2 :]
        for train, test in (halves, halves[::-1]):
            own, agreement = fitted([pools[k] for k in train])
            found.append(float(agreement / own))
            for k in test:
                scores[k].append(_scores(pools[k], weight, found[-1]))
    both = np.array([np.nanmean(rows, axis=0) for rows in scores])
    alone = np.array([_scores(pool, weight, 0.0) for pool in pools])
    gains = both - alone
    names = ("best1", "best5", "rank_correlation")
    described = {
        name: {
            "confidence": round(float(np.nanmean(alone[:, k])), 4),
            "combined": round(float(np.nanmean(both[:, k])), 4),
            "gain": round(float(np.nanmean(gains[:, k])), 4),
            "interval": [round(end, 4) for end in bootstrap_interval(gains[~np.isnan(gains[:, k]), k], 0)],
        }
        for k, name in enumerate(names)
    }
    own, agreement = fitted(pools)
    halves_range = [round(float(end), 3) for end in np.percentile(found, [2.5, 97.5])]
    return {"weight": round(float(agreement / own), 3), "weight_interval": halves_range, **described}


def _scores(pool: Candidates, weight: float, agreement: float) -> list[float]:
    """TM-score of the first, best of five, and rank correlation with the truth."""
    chosen = choose(pool.distances, N, pool.predicted, weight, agreement)
    guess = pool.predicted + agreement * agreement_of(pool.distances)
    return [pool.tm[chosen[0]], pool.tm[chosen].max(), rank_correlation(guess, pool.tm)]


class Pools:
    """The pools of a chain."""

    def __init__(self, checkpoint: Checkpoint, confidence: ConfidenceCheckpoint, dataset: Dataset, tau: float) -> None:
        self.flow, self.confidence, self.dataset = Flow.of(checkpoint), confidence, dataset
        self.sampler = SamplerConfig(tau=tau)
        self.known = KnownStructures(TemplateConfig(template_date=checkpoint.metadata["cutoff"]))
        self.scored = checkpoint.config.model.atoms.index("C1'")

    @torch.no_grad()
    def of(self, chain: Chain, sampled: ScoredConformers) -> tuple[Candidates, Candidates]:
        """Of the model alone, and with templates."""
        features = from_chain(chain)
        info = self.dataset.chains.infos[self.dataset.chains.rows[chain.name]]
        target = Target(chain.name, chain.sequence, release_date=info.release_date)
        known = self.known.of(target, features.pair_probabilities[0].numpy(), N - 1)
        c1, tm = sampled.c1, sampled.tm
        if known.uses:
            slots = known.slots(self.flow.model.config, self.known.config)
            plan = SamplingPlan(len(slots), options=self.sampler)
            built = draw_conformers(self.flow, features, chain.name, plan, slots=slots).coords[:, :, self.scored]
            c1 = torch.cat([c1, built])
            tm = torch.cat([tm, score_conformers(built.clone(), chain, self.scored).tm])
        context = self.flow.model.condition(features)
        predicted = confidence_in(self.confidence.head, context, c1).tm
        whole = Candidates(tm.double().numpy(), 1 - tm_matrix(c1).numpy(), predicted)
        n, uses = len(sampled.c1), len(known.uses)
        alone = _some(whole, list(range(n)))
        mixed = _some(whole, [*range(n, n + uses), *range(uses, n)])
        return alone, replace(mixed, templates=tuple(use.predicted_tm for use in known.uses))


def _some(pool: Candidates, rows: list[int]) -> Candidates:
    return Candidates(pool.tm[rows], pool.distances[np.ix_(rows, rows)], pool.predicted[rows])


def run(options: Options) -> None:
    """Sample, select, score, print."""
    checkpoint = load_checkpoint(options.ckpt)
    confidence = find_confidence(checkpoint)
    if confidence is None:
        raise InputError(options.ckpt, None, "has no confidence model beside it; train one (docs/confidence.md)")
    dataset = Dataset.open(options.data)
    chains = validation_chains(options.data, options.splits, checkpoint.config.model.atoms, options.max_length)
    plan = ConformerPlan(SamplerConfig(tau=options.tau), (options.tau,), options.candidates, 0, 0)
    file = conformers_file(options.cache, checkpoint, dataset.fingerprint, plan)
    sets = sample_conformer_set(checkpoint, chains, plan, file)
    pools = Pools(checkpoint, confidence, dataset, options.tau)
    pairs = [pools.of(*one) for one in track(list(zip(chains, sets)), description="comparing", transient=True)]
    alone, mixed = ([pair[side] for pair in pairs] for side in (0, 1))
    results: dict[str, Any] = {}
    for title, some in (("model alone", alone), ("with templates", [pool for pool in mixed if pool.templates])):
        results[title] = {"chains": len(some), "rows": rows_of(some, options.weights, options.candidates)}
        show(title, results[title])
    results["model alone"]["agreement"] = combined(alone, DIVERSITY_WEIGHT)
    print(json.dumps(results["model alone"]["agreement"], indent=1))
    if options.out is not None:
        described = {"checkpoint": options.ckpt.name, "confidence": confidence.fingerprint}
        described |= {"candidates": options.candidates, "tau": options.tau, "max_length": options.max_length}
        options.out.write_text(json.dumps({**described, "pools": results}, indent=1) + "\n")


def rows_of(pools: list[Candidates], weights: tuple[float, ...], candidates: int) -> dict[str, Any]:
    """Each way to select, and what any could gain."""
    rows: dict[str, list[tuple[float, float]]] = {}
    for pool in pools:
        for name, numbers in ways_of(pool, weights).items():
            rows.setdefault(name, []).append((pool.tm[numbers[0]], pool.tm[numbers].max()))
        rows.setdefault(f"{N} at random", []).append((pool.tm.mean(), expected_best(pool.tm, N)))
        rows.setdefault(f"best of all {candidates}", []).append((pool.tm.max(), pool.tm.max()))
    return {name: summary(values, rows[f"first {N}"]) for name, values in rows.items()}


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


def show(title: str, pool: dict[str, Any]) -> None:
    """The rows as a table."""
    print(f"| {title}, {pool['chains']} chains | its first | best of 5 [95 %] | gain over the first 5 [95 %] |")
    print("|---|---|---|---|")
    for name, row in pool["rows"].items():
        low, high = row["best5_interval"]
        least, most = row["gain_interval"]
        best = f"{row['best1']:.3f} | {row['best5']:.3f} [{low:.3f}, {high:.3f}]"
        print(f"| {name} | {best} | {row['gain']:+.3f} [{least:+.3f}, {most:+.3f}] |")


if __name__ == "__main__":
    torch.set_num_threads(1)
    run(tyro.cli(Options))
