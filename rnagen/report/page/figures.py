"""Figures of one RNA for papers: distances, TM-scores, fluctuation, secondary structure; each as .png and .svg."""

from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from rnagen.io.files import atomic_write, write_text
from rnagen.report.page.conformers import mean_distances
from rnagen.report.page.diagram import FOUND, blue
from rnagen.report.page.pairs import pair_shares, plane_layout
from rnagen.report.page.record import Record
from rnagen.report.reactivity import COLOURS
from rnagen.strands import bounds

INCHES = 3.4
"""Width of a column of a paper."""
DPI = 300
PER_INCH = 110.0
"""Units of the plane drawing per inch; residues that follow each other are 15 apart."""
KINDS = ("png", "svg")
MOST_ROWS = 1000
"""Rows of a map; of a longer RNA every second, third … residue counts, as in the page."""


def write_figures(record: Record, folder: Path) -> list[Path]:
    """Write distances.*, secondary_structure.* and, of several conformers, tm.* and rmsf.*; returns the files.

    Raises:
        OSError: the folder cannot be written or the disk is full.
    """
    makers: dict[str, Callable[[Record], Figure]] = {"distances": distance_figure}
    if len(record.coords) > 1:
        makers |= {"tm": tm_figure, "rmsf": rmsf_figure}
    written = []
    for name, maker in makers.items():
        figure = maker(record)
        for kind in KINDS:
            written.append(_save(figure, folder / f"{name}.{kind}"))
    written.append(_save(plane_figure(record), folder / "secondary_structure.png"))
    write_text(folder / "secondary_structure.svg", record.svg(standalone=True))
    return [*written, folder / "secondary_structure.svg"]


def distance_figure(record: Record) -> Figure:
    """Mean distances between C1', Å."""
    length = record.c1.shape[1]
    some = record.c1[:, :: -(-length // MOST_ROWS)]
    return _map(mean_distances(some), "viridis_r", "residue", "mean C1' distance (Å)", last=length)


def tm_figure(record: Record) -> Figure:
    """TM-scores between the conformers, from 0 to 1."""
    return _map(record.comparison.tm, "viridis", "conformer", "TM-score", (0.0, 1.0))


def rmsf_figure(record: Record) -> Figure:
    """RMSF along the sequence, Å."""
    figure = _figure(INCHES, 1.9)
    axes = figure.add_subplot()
    values = record.rmsf or []
    axes.plot(np.arange(1, len(values) + 1), values, color="#0b5cad", linewidth=1)
    axes.set(xlabel="residue", ylabel="RMSF of C1' (Å)", xlim=(1, max(len(values), 2)), ylim=(0, None))
    figure.tight_layout()
    return figure


def plane_figure(record: Record) -> Figure:
    """The secondary structure, as in the page."""
    structure, plane = record.rna.structure, record.pairs
    points = plane_layout(plane.pair_table) * (1.0, -1.0)
    low, high = points.min(0) - 15, points.max(0) + 15
    width, height = np.maximum((high - low) / PER_INCH, 0.5)
    figure = _figure(float(width), float(height))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    axes.set_axis_off()
    for start, stop in bounds(structure.strands, len(structure)):
        axes.plot(*points[start:stop].T, color="#999999", linewidth=0.7, zorder=1)
    table = plane.pair_table.tolist()
    for i, j in enumerate(table):
        if j > i:
            probability = plane.probability(i, j)
            colour = "#888888" if probability is None else blue(probability)
            axes.plot(*points[[i, j]].T, color=colour, linewidth=1.4, zorder=2)
    for (i, j), share in pair_shares(record.tables).items():
        if share >= FOUND and table[i] != j:
            axes.plot(*points[[i, j]].T, color="#cc79a7", linewidth=0.8, linestyle="--", zorder=2)
    for base, (x, y) in zip(structure.sequence, points.tolist()):
        axes.add_patch(Circle((x, y), 5.5, facecolor="white", edgecolor=COLOURS[base], linewidth=0.7, zorder=3))
        axes.text(x, y, base, fontsize=4.5, ha="center", va="center", color=COLOURS[base], zorder=4)
    return figure


def _map(
    values: np.ndarray,
    colours: str,
    axis: str,
    label: str,
    limits: tuple[float | None, float | None] = (0.0, None),
    last: int | None = None,
) -> Figure:
    figure = _figure(INCHES, 2.8)
    axes = figure.add_subplot()
    size = (len(values) if last is None else last) + 0.5
    image = axes.imshow(
        values, cmap=colours, vmin=limits[0], vmax=limits[1], extent=(0.5, size, size, 0.5), interpolation="nearest"
    )
    axes.set(xlabel=axis, ylabel=axis)
    if len(values) <= 10:
        axes.set(xticks=range(1, len(values) + 1), yticks=range(1, len(values) + 1))
    figure.colorbar(image, ax=axes, label=label)
    figure.tight_layout()
    return figure


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def _save(figure: Figure, path: Path) -> Path:
    kind = path.suffix[1:]
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "rnagen"}), atomic_write(path) as file:
        figure.savefig(file, format=kind, dpi=DPI, metadata={"Date": None} if kind == "svg" else None)
    return path
