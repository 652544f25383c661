"""Fit the model of a template copy's TM-score, and print how good it is on clusters that it was not fitted to.

    python benchmarks/template_confidence.py --library library.safetensors --data data
    python benchmarks/template_confidence.py --out rnagen/assets/templates.json

The queries are those of benchmarks/templates.py; templates of their own cluster serve too, and structures of one
sequence in two entries of `--data`. The table compares predicted and true TM-scores (matched) by intervals of the
prediction. The last line: what the order of the search gains over that of the score.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from rich.progress import track
from templates import BANDS, CUTOFF, FULL, N, World, lines, query_of, scores_of

from rnagen.data.dataset import Dataset
from rnagen.metrics.statistics import expected_calibration_error, pearson, reliability_slope
from rnagen.preparation.library import template_of
from rnagen.structure import BEADS
from rnagen.templates.confidence import FEATURES, Weights, features_of, predicted, terms
from rnagen.templates.library import SHIPPED, Library, TemplateChain
from rnagen.templates.search import SCORE_WEIGHT, Searcher, align_with

PARTS = 10
"""Of the clusters, in cross-validation."""
RIDGE = 30.0
"""Of the weights in standard deviations, against the number of templates."""


@dataclass
class Options:
    """The model of the predicted TM-score."""

    library: Path = SHIPPED
    """Template library."""
    queries: int = 400
    """RNAs that templates are searched for, at most."""
    seed: int = 0
    """Of the choice of the queries."""
    data: Path = Path("data")
    """Prepared dataset: two structures of one sequence are a query and its template too. A library has one of each."""
    out: Path | None = None
    """Write the weights as JSON."""


def run(options: Options) -> None:
    """Search, copy, score, fit, print."""
    world = World(Library.open(options.library))
    searcher = Searcher(world.library)
    features, scores, groups = [], [], []
    for row in track(world.queries(options.queries, options.seed), description="templates", transient=True):
        query = query_of(world.library.chain(row))
        matches = searcher.aligned(query, world.allowed(row, own_cluster=True))
        features += [features_of(match, len(query)) for match in matches]
        scores.append(scores_of(world.library.chain(row), matches))
        groups += [world.clusters[row]] * len(matches)
    number = len(groups)
    for native, other in twins(Dataset.open(options.data)):
        match = align_with(query_of(native), [other])[0]
        features.append(features_of(match, len(native)))
        scores.append(scores_of(native, [match]))
        groups.append(native.info.cluster)
    table, true, group = np.stack(features), np.concatenate(scores), np.array(groups)
    twin = np.arange(len(group)) >= number
    clusters, place = np.unique(group, return_inverse=True)
    parts = np.random.default_rng(0).permutation(len(clusters))[place] % PARTS
    out_of_sample = np.zeros(len(true))
    for part in range(PARTS):
        held = parts == part
        out_of_sample[held] = predicted(table[held], fitted(table[~held], true[~held]))
    quality("templates of the library", out_of_sample[~twin], true[~twin])
    quality("another structure of the same sequence", out_of_sample[twin], true[twin])
    rank = out_of_sample + SCORE_WEIGHT * table[:, FEATURES.index("score")]
    by_score = [np.flatnonzero(~twin & (group == one)) for one in np.unique(group[~twin])]
    ordered = [rows[np.argsort(-rank[rows], kind="stable")] for rows in by_score]
    best = np.concatenate([rows[:N] for rows in ordered])
    quality(f"best {N}", out_of_sample[best], true[best])
    found, before = (np.array([(true[k[0]], true[k[:N]].max()) for k in order]).T for order in (ordered, by_score))
    print("in the order of the search, against that of the score:", *lines(found, before))
    if options.out is not None:
        weights = fitted(table, true)
        described = {name: [round(float(x), 5) for x in values] for name, values in weights._asdict().items()}
        command = f"python benchmarks/template_confidence.py --queries {options.queries} --seed {options.seed}"
        contents = {"command": command, "features": FEATURES, **described}
        options.out.write_text(json.dumps(contents, indent=1) + "\n")


def twins(dataset: Dataset) -> Iterator[tuple[TemplateChain, TemplateChain]]:
    """Of each sequence with structures in several entries before the cutoff, the first two that are resolved."""
    chains = dataset.chains.select(list(range(len(dataset.chains))), BEADS)
    first: dict[bytes, TemplateChain] = {}
    done: set[bytes] = set()
    for row, info in enumerate(chains.infos):
        usable = "" < info.release_date < CUTOFF and not info.benchmark and BANDS[0] <= chains.lengths[row] < BANDS[-1]
        if not usable:
            continue
        one = template_of(chains, row)
        key = one.bases.tobytes()
        if one.mask.all(1).mean() <= FULL or key in done:
            continue
        if first.setdefault(key, one).info.entry != one.info.entry:
            done.add(key)
            yield first[key], one


def fitted(features: np.ndarray, true: np.ndarray) -> Weights:
    """Logistic regression on fractions, by Newton's method."""
    mean, scale = features.mean(0), features.std(0)
    design = terms(features, mean, scale)
    weights = np.zeros(design.shape[1])
    ridge = RIDGE * np.diag(np.arange(design.shape[1]) > 0)
    for _ in range(30):
        tm = predicted(features, Weights(mean, scale, weights))
        curvature = (design * (tm * (1 - tm))[:, None]).T @ design
        weights = weights + np.linalg.solve(curvature + ridge, design.T @ (true - tm) - ridge @ weights)
    return Weights(mean, scale, weights)


def quality(name: str, tm: np.ndarray, true: np.ndarray) -> None:
    """Print how good a prediction is."""
    error = float(np.sqrt(np.mean((tm - true) ** 2)))
    print(f"{name}: {len(tm)}, r {pearson(tm, true):.3f}, RMSE {error:.3f}, calibration error", end=" ")
    print(f"{expected_calibration_error(tm, true):.3f}, slope {reliability_slope(tm, true):.2f}")
    for low in np.arange(0, 1, 0.1):
        inside = (tm >= low) & (tm < low + 0.1)
        if inside.any():
            print(f"  {low:.1f}: {inside.sum():6} predicted {tm[inside].mean():.3f}, true {true[inside].mean():.3f}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    run(tyro.cli(Options))
