"""Learning curves of runs as a figure."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rnagen.io.files import atomic_write
from rnagen.report.runs import Run, Setting, settings_of, shared_metrics

MOST_PANELS = 4


def draw_curves(runs: Sequence[Run], picture: Path) -> None:
    """A panel for each of the first metrics that all runs have: a line for each run, in the colour of its setting.

    Raises:
        OSError: the file cannot be written.
    """
    metrics = shared_metrics(runs)[:MOST_PANELS]
    figure = Figure(figsize=(4.5 * len(metrics), 3.6))
    FigureCanvasAgg(figure)
    for number, metric in enumerate(metrics, 1):
        axes = figure.add_subplot(1, len(metrics), number)
        for index, setting in enumerate(settings_of(runs)):
            for run in setting.runs:
                steps, values = curve(run, metric)
                label = _label(setting) if run is setting.runs[0] else None
                axes.plot(steps, values, color=f"C{index % 10}", marker=".", linewidth=1, label=label)
        axes.set(xlabel="training steps", title=metric.removeprefix("val/"))
        if number == 1:
            axes.legend(fontsize=7)
    figure.tight_layout()
    save(figure, picture)


def curve(run: Run, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps of a run, and the metric at each where it was measured."""
    points = [(record["step"], record[metric]) for record in run.records if metric in record]
    steps, values = np.array(points, dtype=float).T
    return steps, values


def save(figure: Figure, picture: Path) -> None:
    """Write a figure as .svg or .png, whole or not at all; the same results give the same file.

    Raises:
        OSError: the file cannot be written.
    """
    kind = picture.suffix[1:]
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "rnagen"}), atomic_write(picture) as file:
        figure.savefig(file, format=kind, dpi=120, metadata={"Date": None} if kind == "svg" else None)


def _label(setting: Setting) -> str:
    # A dollar sign in a value does not start a formula.
    return setting.name.replace("$", r"\$")
