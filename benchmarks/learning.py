"""Learning curves from what `accuracy.py` saved: score against training steps, and against the training chains.

    python train.py --run-name long --keep-freq 20
    python benchmarks/experiments.py run baseline share_half share_quarter share_eighth
    python benchmarks/accuracy.py runs/long/step_*.safetensors runs/experiments/*/last.safetensors
    python benchmarks/learning.py --picture docs/learning.svg

Checkpoints of one run at several steps are a curve of compute. Checkpoints of one configuration and number of steps
that saw several shares of the training clusters are a curve of data; their seeds are averaged RNA by RNA. Prints a
table for each curve, with the gain of a tenfold: the slope of a straight line through the scores over the logarithm,
fitted RNA by RNA, whose mean has an interval over the RNAs. Checkpoints along one run were taken at rates that had not
come down yet: a run planned to end there would score higher.
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
from rnagen.io.errors import InputError
from rnagen.metrics import bootstrap_interval

VARIED = ("train_share", "seed", "run_name", "run_dir", "data", "splits")
"""Options in which checkpoints of one curve of data may differ."""
COLOURS = {"train": "tab:orange", "validation": "tab:blue", "casp15": "tab:green"}


@dataclass(frozen=True)
class Options:
    """Where the results are."""

    results: Path = RESULTS
    """Folder that `accuracy.py` wrote."""
    picture: Path | None = None
    """Draw the curves into this file (.svg or .png)."""


@dataclass(frozen=True)
class Curve:
    """One line of the picture for each set of RNAs."""

    name: str
    quantity: str
    """What is on the axis: steps or chains."""
    points: list[tuple[float, list[Result]]]
    """Place on the axis and the checkpoints there, in its order."""

    def scores(self, label: str) -> list[dict[str, float]]:
        """Best of n of each RNA of a set, averaged over the checkpoints of a point, point by point."""
        return [averaged([best_by_name(result, label) for result in results]) for _, results in self.points]

    def floor(self, label: str) -> float:
        """Mean over the RNAs of the last point of the score of one helix."""
        return float(np.mean([target["helix"] for target in self.points[-1][1][0].targets[label].values()]))

    @property
    def sets(self) -> list[str]:
        """Sets that every checkpoint has."""
        return [label for label in TITLES if all(result.targets.get(label) for _, at in self.points for result in at)]


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
    curves = [Curve(name, "steps", sorted(at.items())) for name, at in runs.items() if len(at) > 1]
    for at in (at for at in shares.values() if len(at) > 1):
        # The clusters of a share differ in size, so that seeds see slightly different numbers of chains.
        points = [(float(np.mean([result.header["chains"] for result in found])), found) for found in at.values()]
        name = f"{points[0][1][0].header['step']:,} steps"
        curves.append(Curve(name, "chains", sorted(points, key=lambda point: point[0])))
    if not curves:
        raise InputError(results[0].path.parent, None, "no run at several steps and no share of the clusters is there")
    for curve in curves:
        check_alike(curve)
    return curves


def check_alike(curve: Curve) -> None:
    """Checkpoints of a curve were measured with the same options on the same later RNAs.

    Raises:
        InputError: they were not.
    """
    _, (first, *_) = curve.points[0]
    for _, results in curve.points:
        for result in results:
            for name, value in first.identity.items():
                if name not in ("checkpoint", "confidence") and result.identity[name] != value:
                    raise InputError(result.path, name, f"is {result.identity[name]!r}, in {first.name} {value!r}")
            for label in (label for label in curve.sets if label != "train"):
                if result.targets[label].keys() != first.targets[label].keys():
                    raise InputError(result.path, label, f"are other RNAs than those of {first.name}")


def tenfold(curve: Curve, label: str) -> tuple[float, float, float] | None:
    """Gain of ten times more, with its interval; None where the points have no RNAs in common to compare."""
    scores = curve.scores(label)
    if any(found.keys() != scores[0].keys() for found in scores):
        return None
    x = np.log10([place for place, _ in curve.points])
    y = np.array([[found[name] for name in scores[0]] for found in scores])
    slopes = (x - x.mean()) @ y / np.square(x - x.mean()).sum()
    return float(slopes.mean()), *bootstrap_interval(slopes, 0)


def means(curve: Curve, label: str) -> list[tuple[float, float, float]]:
    """Mean and interval at every point."""
    values = [np.array(list(found.values())) for found in curve.scores(label)]
    return [(float(value.mean()), *bootstrap_interval(value, 0)) for value in values]


def table(curve: Curve) -> list[str]:
    """Lines of the Markdown table of a curve."""
    columns = [curve.name, "hours", "checkpoints", *(TITLES[label] for label in curve.sets)]
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    found = {label: means(curve, label) for label in curve.sets}
    for number, (place, results) in enumerate(curve.points):
        hours = np.mean([result.header["hours"] for result in results])
        cells = ["{:.3f} [{:.3f}, {:.3f}]".format(*found[label][number]) for label in curve.sets]
        lines.append(f"| {place:,.0f} {curve.quantity} | {hours:.2f} | {len(results)} | {' | '.join(cells)} |")
    gains = [tenfold(curve, label) for label in curve.sets]
    cells = ["" if gain is None else "{:+.3f} [{:+.3f}, {:+.3f}]".format(*gain) for gain in gains]
    lines.append(f"| ten times more | | | {' | '.join(cells)} |")
    lines.append(f"| floor: one helix | | | {' | '.join(f'{curve.floor(label):.3f}' for label in curve.sets)} |")
    return lines


def draw(curves: list[Curve], picture: Path) -> None:
    """A panel for each curve: best of n with its interval for each set, and the helix floor of the set."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, len(curves), figsize=(4.5 * len(curves), 3.4), sharey=True, squeeze=False)
    for curve, panel in zip(curves, panels[0]):
        draw_curve(curve, panel)
    panels[0, 0].set_ylabel("TM-score, best of n")
    figure.tight_layout()
    # The same results give the same file.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "rnagen"}):
        figure.savefig(picture, dpi=120, metadata={"Date": None} if picture.suffix == ".svg" else None)
    plt.close(figure)


def draw_curve(curve: Curve, panel: Any) -> None:
    """One panel."""
    places = [place for place, _ in curve.points]
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
        panel.axhline(curve.floor(label), color=COLOURS[label], linestyle=":", linewidth=1)
    panel.set(xscale="log", xlabel=f"training {curve.quantity}", title=curve.name)
    panel.set_xticks(places, [f"{place:,.0f}" for place in places], rotation=45)
    panel.minorticks_off()
    panel.legend(title="dotted: one helix", fontsize=8, title_fontsize=8)


def run(options: Options) -> int:
    """Print and draw; returns 0.

    Raises:
        InputError: the results hold no curve, or one that cannot be compared.
    """
    curves = find_curves(read_results(options.results))
    if options.picture is not None:
        draw(curves, options.picture)
    print("\n\n".join("\n".join(table(curve)) for curve in curves))
    return 0


if __name__ == "__main__":
    sys.exit(guarded(lambda: run(tyro.cli(Options)), "benchmarks/learning.py"))
