"""The plane drawing of a secondary structure as SVG."""

import numpy as np
from jaxtyping import Float

from rnagen.report.page.pairs import PlanePairs, plane_layout
from rnagen.strands import bounds

RADIUS = 5.5
"""Of a residue; residues that follow each other are 15 apart."""
MARGIN = 14
EVERY = 10
"""Residues between two numbers."""
FOUND = 0.5
"""Share of the conformers from which a pair of theirs that the structure lacks is dashed."""
STYLE = (
    "text{font:7px sans-serif;text-anchor:middle;dominant-baseline:central;fill:#111}"
    ".number{fill:#777;font-size:7px}.chain{fill:none;stroke:#999;stroke-width:1.2}"
    ".pair{stroke-width:2.6;stroke-linecap:round}.found{fill:none;stroke:#cc79a7;stroke-width:1.4;stroke-dasharray:3 2}"
    ".A{fill:#f2c078}.C{fill:#8ec3ea}.G{fill:#f0a196}.U{fill:#8ed1b5}.N{fill:#cccccc}circle{stroke:#555;stroke-width:.5}"
)


def diagram(
    sequence: str,
    plane: PlanePairs,
    shares: dict[tuple[int, int], float],
    strands: tuple[int, ...] = (),
    standalone: bool = False,
) -> str:
    """Residues as circles, coloured by base; pairs as lines, the darker the more probable; pairs that most conformers
    have and the structure has not, dashed.

    Args:
        sequence: over the bases, without `&`.
        plane: the structure.
        shares: of the conformers, by pair.
        strands: lengths, for several.
        standalone: an SVG file; by default one for a page of HTML, without an address of its name space.
    """
    points = plane_layout(plane.pair_table)
    low, high = points.min(0) - MARGIN - RADIUS, points.max(0) + MARGIN + RADIUS
    width, height = high - low
    head = ' xmlns="http://www.w3.org/2000/svg"' if standalone else ""
    size = f' width="{width:.0f}" height="{height:.0f}"' if standalone else ""
    parts = [f'<svg{head}{size} class="plane" role="img" viewBox="{low[0]:.1f} {low[1]:.1f} {width:.1f} {height:.1f}">']
    parts += [f"<title>Secondary structure of {len(sequence)} residues</title><style>{STYLE}</style>"]
    for start, stop in bounds(strands, len(sequence)):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points[start:stop])
        parts.append(f'<polyline class="chain" points="{path}"/>')
    parts += _pairs(points, plane, shares)
    parts += _residues(points, sequence)
    return "".join([*parts, "</svg>"])


def _pairs(points: Float[np.ndarray, "L 2"], plane: PlanePairs, shares: dict[tuple[int, int], float]) -> list[str]:
    table, parts = plane.pair_table.tolist(), []
    for i, j in enumerate(table):
        if j <= i:
            continue
        probability, share = plane.probability(i, j), shares.get((i, j), 0.0)
        colour = "#8888" if probability is None else blue(probability)
        known = "" if probability is None else f"probability {probability:.2f}, "
        (x, y), (u, v) = points[i], points[j]
        title = f"<title>{i + 1}-{j + 1}: {known}in {share:.0%} of the conformers</title>"
        ends = f'x1="{x:.1f}" y1="{y:.1f}" x2="{u:.1f}" y2="{v:.1f}"'
        parts.append(f'<line class="pair" style="stroke:{colour}" {ends}>{title}</line>')
    for (i, j), share in shares.items():
        if share >= FOUND and table[i] != j:
            (x, y), (u, v) = points[i], points[j]
            (a, b) = (points[i] + points[j]) / 2 + np.array([y - v, u - x]) / 5
            title = f"<title>{i + 1}-{j + 1}: in {share:.0%} of the conformers</title>"
            parts.append(f'<path class="found" d="M{x:.1f} {y:.1f}Q{a:.1f} {b:.1f} {u:.1f} {v:.1f}">{title}</path>')
    return parts


def _residues(points: Float[np.ndarray, "L 2"], sequence: str) -> list[str]:
    parts, middle = [], points.mean(0)
    for k, (base, (x, y)) in enumerate(zip(sequence, points), 1):
        parts.append(f'<circle class="{base}" cx="{x:.1f}" cy="{y:.1f}" r="{RADIUS}"><title>{base}{k}</title></circle>')
        parts.append(f'<text x="{x:.1f}" y="{y:.1f}">{base}</text>')
        if k == 1 or k % EVERY == 0:
            before, after = points[max(k - 2, 0)], points[min(k, len(points) - 1)]
            across = np.array([before[1] - after[1], after[0] - before[0]])
            across = across / max(float(np.linalg.norm(across)), 1e-6)
            across = across if across @ (points[k - 1] - middle) >= 0 else -across
            u, v = points[k - 1] + across * 2.2 * RADIUS
            parts.append(f'<text class="number" x="{u:.1f}" y="{v:.1f}">{k}</text>')
    return parts


def blue(probability: float) -> str:
    """From grey (0) to dark blue (1)."""
    light, dark = np.array([200, 200, 205]), np.array([20, 70, 160])
    red, green, blue_part = (light + (dark - light) * min(max(probability, 0.0), 1.0)).astype(int)
    return f"#{red:02x}{green:02x}{blue_part:02x}"
