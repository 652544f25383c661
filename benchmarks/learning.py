"""Learning curves: score against training steps, and against the training chains.

    python train.py --run-name long --val-epoch-freq 5
    python benchmarks/experiments.py run longer share_half share_quarter share_eighth --seeds 0
    python benchmarks/accuracy.py runs/experiments/*/last.safetensors --results benchmarks/results/learning
    python benchmarks/learning.py --metrics runs/long/metrics.jsonl --picture docs/learning.svg

The validations of a run, as it wrote them itself, are a curve of compute. So are checkpoints of one run at several
steps, and checkpoints of one configuration and number of steps that saw several shares of the training clusters are a
curve of data; both are read from what `accuracy.py` saved, seeds averaged RNA by RNA. Prints a table for each curve,
with the gain of a tenfold: the slope of a straight line through the scores over the logarithm, fitted RNA by RNA, whose
mean has an interval over the RNAs. Within one run the rate had not come down yet: a run planned to end there would
score higher.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from accuracy import RESULTS
from accuracy_saved import Result, read_results
from accuracy_table import TITLES

from rnagen.cli.options import guarded
from rnagen.errors import InputError
from rnagen.metrics import bootstrap_interval
from rnagen.report.curves import save

VARIED = ("train_share", "seed", "run_name", "run_dir", "data", "splits")
"""Options in which checkpoints of one curve of data may differ."""
COLOURS = {"train": "tab:orange", "validation": "tab:blue", "casp15": "tab:green"}


@dataclass(frozen=True)
class Options:
    """Where the results are."""

    results: tuple[Path, ...] = (RESULTS, RESULTS.parent / "learning")
    """Folders that `accuracy.py` wrote."""
    metrics: Path = RESULTS.parent / "training.jsonl"
    """Validations that a training run wrote (metrics.jsonl)."""
    picture: Path | None = None
    """Draw the curves into this file (.svg or .png)."""


@dataclass(frozen=True)
class Point:
    """Some checkpoints at one place of a curve."""

    place: float
    """On the axis: steps or chains."""
    checkpoints: int
    scores: dict[str, dict[str, float]]
    """Best of n of each RNA of each set, averaged over the checkpoints."""
    baselines: dict[str, float]
    """Score of one helix, mean over the RNAs of each set."""


@dataclass(frozen=True)
class Curve:
    """One panel of the picture."""

    name: str
    quantity: str
    """What is on the axis: steps or chains."""
    points: list[Point]

    @property
    def sets(self) -> list[str]:
        """Sets that every point has."""
        return [label for label in TITLES if all(label in point.scores for point in self.points)]


def best_by_name(result: Result, label: str) -> dict[str, float]:
    """Best of n of each RNA.

    Raises:
        InputError: the set is not measured to its end.
    """
    targets = result.targets[label]
    if len(targets) < result.expected[label]:
        reason = f"{len(targets)} of {result.expected[label]} are measured: type the same command of accuracy.py again"
        raise InputError(result.path, label, reason)
    return {name: max(target["tm"]) for name, target in targets.items()}


def averaged(found: list[dict[str, float]]) -> dict[str, float]:
    """Mean by name over the tables that have it."""
    names = dict.fromkeys(name for table in found for name in table)
    return {name: float(np.mean([table[name] for table in found if name in table])) for name in names}


def point(place: float, results: list[Result]) -> Point:
    """Checkpoints that were measured alike, at one place."""
    sets = [label for label in TITLES if all(result.targets.get(label) for result in results)]
    scores = {label: averaged([best_by_name(result, label) for result in results]) for label in sets}
    baselines = {
        label: float(np.mean([target["helix"] for target in results[0].targets[label].values()])) for label in sets
    }
    return Point(place, len(results), scores, baselines)


def find_curves(results: list[Result]) -> list[Curve]:
    """All curves that the results hold: of compute first.

    Raises:
        InputError: there is none, or the checkpoints of one were not measured alike.
    """
    runs: dict[str, dict[float, list[Result]]] = {}
    shares: dict[str, dict[float, list[Result]]] = {}
    for result in results:
        config, step = result.header["config"], result.header["step"]
        runs.setdefault(config["run_name"], {}).setdefault(step, []).append(result)
        same = {name: value for name, value in config.items() if name not in VARIED}
        key = json.dumps([same, step], sort_keys=True)
        shares.setdefault(key, {}).setdefault(config["train_share"], []).append(result)
    curves = []
    for name, at in runs.items():
        if len(at) > 1:
            check_alike([result for found in at.values() for result in found])
            curves.append(Curve(name, "steps", [point(step, found) for step, found in sorted(at.items())]))
    for at in (at for at in shares.values() if len(at) > 1):
        check_alike([result for found in at.values() for result in found])
        # The clusters of a share differ in size, so that seeds see slightly different numbers of chains.
        points = [point(float(np.mean([r.header["chains"] for r in found])), found) for found in at.values()]
        name = f"{next(iter(at.values()))[0].header['step']:,} steps"
        curves.append(Curve(name, "chains", sorted(points, key=lambda point: point.place)))
    if not curves:
        raise InputError(results[0].path.parent, None, "no run at several steps and no share of the clusters is there")
    return curves


def check_alike(results: list[Result]) -> None:
    """Checkpoints of a curve were measured with the same options on the same later RNAs.

    Raises:
        InputError: they were not.
    """
    first = results[0]
    for result in results:
        for name, value in first.identity.items():
            if name not in ("checkpoint", "confidence") and result.identity[name] != value:
                raise InputError(result.path, name, f"is {result.identity[name]!r}, in {first.name} {value!r}")
        for label in result.targets.keys() & first.targets.keys() - {"train"}:
            if result.targets[label].keys() != first.targets[label].keys():
                raise InputError(result.path, label, f"are other RNAs than those of {first.name}")


def validations(path: Path) -> Curve:
    """The curve of compute that a training run has written itself.

    Raises:
        InputError: the file is missing or is none that a training run of a structure model writes.
    """
    try:
        records = [json.loads(line) for line in path.read_text().splitlines()]
        points = [
            Point(
                record["step"],
                1,
                {"validation": {target["id"]: target["tm_best5"] for target in record["targets"]}},
                {"validation": record["val/tm_helix"]},
            )
            for record in records
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(path, None, f"is no metrics.jsonl of a structure training: {error!r}") from error
    if len(points) < 2:
        raise InputError(path, None, "a curve takes at least two validations")
    return Curve("validations of a run", "steps", points)


def tenfold(curve: Curve, label: str) -> tuple[float, float, float] | None:
    """Gain of ten times more, with its interval; None where the points have no RNAs in common to compare."""
    scores = [point.scores[label] for point in curve.points]
    if any(found.keys() != scores[0].keys() for found in scores):
        return None
    x = np.log10([point.place for point in curve.points])
    y = np.array([[found[name] for name in scores[0]] for found in scores])
    slopes = (x - x.mean()) @ y / np.square(x - x.mean()).sum()
    return float(slopes.mean()), *bootstrap_interval(slopes, 0)


def means(curve: Curve, label: str) -> list[tuple[float, float, float]]:
    """Mean and interval at every point."""
    values = [np.array(list(point.scores[label].values())) for point in curve.points]
    return [(float(value.mean()), *bootstrap_interval(value, 0)) for value in values]


def table(curve: Curve) -> list[str]:
    """Lines of the Markdown table of a curve."""
    columns = [curve.name, "checkpoints", *(TITLES[label] for label in curve.sets)]
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    found = {label: means(curve, label) for label in curve.sets}
    for number, point in enumerate(curve.points):
        cells = ["{:.3f} [{:.3f}, {:.3f}]".format(*found[label][number]) for label in curve.sets]
        lines.append(f"| {point.place:,.0f} {curve.quantity} | {point.checkpoints} | {' | '.join(cells)} |")
    gains = [tenfold(curve, label) for label in curve.sets]
    cells = ["" if gain is None else "{:+.3f} [{:+.3f}, {:+.3f}]".format(*gain) for gain in gains]
    lines.append(f"| ten times more | | {' | '.join(cells)} |")
    baselines = curve.points[-1].baselines
    lines.append(f"| baseline: one helix | | {' | '.join(f'{baselines[label]:.3f}' for label in curve.sets)} |")
    return lines


def draw(curves: list[Curve], picture: Path) -> None:
    """A panel for each curve: best of n with its interval for each set, and the helix baseline of the set."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, len(curves), figsize=(4.5 * len(curves), 3.4), sharey=True, squeeze=False)
    for curve, panel in zip(curves, panels[0]):
        draw_curve(curve, panel)
    panels[0, 0].set_ylabel("TM-score, best of n")
    figure.tight_layout()
    save(figure, picture)
    plt.close(figure)


def draw_curve(curve: Curve, panel: Any) -> None:
    """One panel."""
    places = [point.place for point in curve.points]
    for label in curve.sets:
        middle, low, high = np.array(means(curve, label)).T
        panel.errorbar(
            places,
            middle,
            [middle - low, high - middle],
            marker="o",
            capsize=2,
            color=COLOURS[label],
            label=TITLES[label],
        )
        panel.axhline(curve.points[-1].baselines[label], color=COLOURS[label], linestyle=":", linewidth=1)
    panel.set(xscale="log", xlabel=f"training {curve.quantity}", title=curve.name)
    panel.set_xticks(places, [f"{place:,.0f}" for place in places], rotation=45)
    panel.minorticks_off()
    panel.legend(title="dotted: one helix", fontsize=8, title_fontsize=8)


def run(options: Options) -> int:
    """Print and draw; returns 0.

    Raises:
        InputError: the results hold no curve, or one that cannot be compared.
    """
    curves = read_curves(options)
    if options.picture is not None:
        draw(curves, options.picture)
    print(tables(curves))
    return 0


def read_curves(options: Options) -> list[Curve]:
    """All curves, that of the validations first.

    Raises:
        InputError: see `run`.
    """
    results = [result for folder in options.results for result in read_results(folder)]
    return [validations(options.metrics), *find_curves(results)]


def tables(curves: list[Curve]) -> str:
    """A Markdown table for each curve."""
    return "\n\n".join("\n".join(table(curve)) for curve in curves)


if __name__ == "__main__":
    sys.exit(guarded(lambda: run(tyro.cli(Options)), "benchmarks/learning.py"))
