"""A figure per RNA: reactivity along the sequence, below the secondary structure."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from jaxtyping import Float32
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from rnagen.io.files import atomic_write
from rnagen.secondary.vienna import base_pair_probabilities, mfe_pairs
from rnagen.structure import BASES

LINE = 120
"""Most residues per line of the figure."""
COLOURS = dict(zip(BASES, ("#d98200", "#0072b2", "#c0392b", "#009e73", "#888888")))
"""Colour of each base; distinct for colour-blind readers, and dark enough for letters."""
RESIDUE, MARGIN, HEAD, ARCS, PROFILE, GAP = 0.105, 0.75, 0.65, 0.9, 0.85, 0.5
"""Inches: width of a residue, side margins, height of the head, of the arcs and of one experiment, space below each
line."""
POINTS = 72
"""Points per inch; lines and letters are measured in points."""
SPACE = 0.16
"""Empty inches within ARCS and PROFILE."""
SHORTEST = 40
"""Smallest width in residues, so that names fit above short RNAs."""
FAINTEST = 0.15
"""Opacity of an arc whose pair has probability 0."""


class Arc(NamedTuple):
    """A base pair i < j, from 0, and its probability."""

    i: int
    j: int
    probability: float


def mfe_arcs(sequence: str) -> list[Arc]:
    """Base pairs of the minimum-free-energy structure (ViennaRNA), with their probabilities in the ensemble.

    Raises:
        ValueError: the sequence is empty or too long for ViennaRNA.
    """
    probabilities = base_pair_probabilities(sequence)
    return [Arc(i, j, float(probabilities[i, j])) for i, j in mfe_pairs(sequence)]


def figure(
    name: str,
    sequence: str,
    reactivity: Float32[np.ndarray, "L E"],
    experiments: Sequence[str],
    pairs: Sequence[Arc],
    measured: Float32[np.ndarray, "L E"] | None = None,
) -> Figure:
    """Reactivity as bars, a row of axes per experiment, coloured by base; above them the base pairs as arcs.

    RNAs longer than `LINE` continue on further lines, like text. The arc of a pair whose residues are on different
    lines appears on both.

    Args:
        name: title.
        sequence: over `BASES`.
        reactivity: bars, from 0 to 1; none where NaN.
        experiments: titles of the rows of axes.
        pairs: base pairs (without pseudoknots), as arcs and brackets; opacity shows the probability.
        measured: dots, clipped to [0, 1] like training targets; none where NaN.
    """
    length = len(sequence)
    lines = -(-length // LINE)
    # Lines of equal length except the last; each ends at a multiple of ten.
    per_line = -(-length // (10 * lines)) * 10
    columns = max(min(length, per_line), SHORTEST)
    heights = [ARCS, *[PROFILE] * len(experiments)]
    width, height = columns * RESIDUE + 2 * MARGIN, HEAD + lines * (sum(heights) + GAP)
    page = Figure(figsize=(width, height))
    top = height - HEAD
    tallest = max([np.sqrt(arc.j - arc.i) for arc in pairs], default=1.0)
    for start in range(0, length, per_line):
        rows = []
        for inches in heights:
            top -= inches
            box = (MARGIN / width, top / height, columns * RESIDUE / width, (inches - SPACE) / height)
            rows.append(page.add_axes(box, xlim=(start + 0.5, start + columns + 0.5)))
        top -= GAP
        residues = range(start, min(start + per_line, length))
        _draw_arcs(rows[0], residues, pairs, tallest)
        for e, axes in enumerate(rows[1:]):
            dots = None if measured is None else measured[:, e]
            _draw_profile(axes, residues, sequence, reactivity[:, e], experiments[e], dots)
        _write_letters(rows[-1], residues, sequence)
    _write_head(page, name, length, measured is not None)
    return page


def save_figure(page: Figure, path: Path) -> None:
    """Write an SVG with letters as text. Equal figures give equal bytes; the file appears whole or not at all."""
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "rnagen"}), atomic_write(path) as file:
        page.savefig(file, format="svg", metadata={"Date": None})


def _draw_arcs(axes: Axes, residues: range, pairs: Sequence[Arc], tallest: float) -> None:
    turn = np.linspace(0, np.pi, 49)
    here = [arc for arc in pairs if arc.i <= residues[-1] and arc.j >= residues[0]]
    # Heights grow with the square root of the span, so that stems stay visible beside pairs across a long RNA.
    lines = [
        np.column_stack(
            [
                (arc.i + arc.j) / 2 + 1 - (arc.j - arc.i) / 2 * np.cos(turn),
                np.sqrt(arc.j - arc.i) / tallest * np.sin(turn),
            ]
        )
        for arc in here
    ]
    colours = [(0.1, 0.1, 0.1, FAINTEST + (1 - FAINTEST) * arc.probability) for arc in here]
    axes.add_collection(LineCollection(lines, colors=colours, linewidths=0.9))
    axes.set_ylim(-0.22, 1.05)
    axes.axis("off")
    brackets = dict.fromkeys(residues, ".")
    brackets.update({arc.i: "(" for arc in here if arc.i in brackets})
    brackets.update({arc.j: ")" for arc in here if arc.j in brackets})
    for position, bracket in brackets.items():
        axes.text(position + 1, -0.02, bracket, ha="center", va="top", fontsize=7, family="monospace")


def _draw_profile(
    axes: Axes,
    residues: range,
    sequence: str,
    reactivity: Float32[np.ndarray, " L"],
    experiment: str,
    measured: Float32[np.ndarray, " L"] | None,
) -> None:
    positions = np.array(residues)
    colours = [COLOURS[sequence[p]] for p in residues]
    # One collection of thick lines, because `Axes.bar` takes a second for hundreds of bars.
    axes.vlines(positions + 1, 0, np.nan_to_num(reactivity[positions]), colours, linewidth=0.82 * RESIDUE * POINTS)
    if measured is not None:
        dots = np.clip(measured[positions], 0, 1)
        axes.plot(positions + 1, dots, "o", color="black", markersize=3, mec="white", mew=0.5, clip_on=False)
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1], ["0", "", "1"], fontsize=7)
    axes.set_ylabel(experiment, fontsize=8)
    axes.set_xticks([])
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines["bottom"].set_bounds(residues[0] + 0.5, residues[-1] + 1.5)


def _write_letters(axes: Axes, residues: range, sequence: str) -> None:
    """The bases below the lowest axes of a line, and every tenth position below them."""
    below = axes.get_xaxis_transform()
    for p in residues:
        axes.text(
            p + 1, -0.05, sequence[p], ha="center", va="top", fontsize=7, color=COLOURS[sequence[p]],
            family="monospace", transform=below,
        )  # fmt: skip
        if (p + 1) % 10 == 0 or p == residues[0]:
            axes.text(p + 1, -0.24, str(p + 1), ha="center", va="top", fontsize=6.5, color="0.35", transform=below)


def _write_head(page: Figure, name: str, length: int, measured: bool) -> None:
    width, height = page.get_size_inches()
    left, top = MARGIN / width, 1 - 0.2 / height
    # A dollar sign in a user's name does not start a formula.
    page.text(left, top, f"{name} ({length} nt)", fontsize=10, weight="bold", va="top", parse_math=False)
    marks: list[Patch | Line2D] = [Patch(color=COLOURS[base], label=base) for base in "ACGU"]
    if measured:
        marks.append(Line2D([], [], color="black", marker="o", markersize=3, linestyle="", label="measured"))
    page.legend(
        handles=marks, loc="upper left", bbox_to_anchor=(left, 1 - 0.36 / height), ncols=5, fontsize=7.5, frameon=False,
        borderpad=0, borderaxespad=0.2, handlelength=0.9, handletextpad=0.4, columnspacing=1.2,
    )  # fmt: skip
