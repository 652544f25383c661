"""A structure for the query, copied from a template: aligned residues as they stand there, the others around them."""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64

from rnagen.aform import beads_on_backbone
from rnagen.geometry import a_form_helix, kabsch, rotate
from rnagen.templates.library import C1
from rnagen.templates.match import Match

STEP = 6.0
"""Å between C1' of neighbours along an arc."""
ANCHORS = 5
"""Residues of a chain end that an A-form strand is laid on."""
BISECTIONS = 52
"""As many as a double has digits."""
_BULGE = 0.3
"""Å; how far the middle of a stretched gap stands out. Three residues in line have no frame."""


@dataclass(frozen=True)
class Transferred:
    """A structure that was copied from a template."""

    coords: Float32[np.ndarray, "L 4 3"]
    """Beads in Å, of all residues."""
    known: Bool[np.ndarray, "L 4"]
    """Beads that stand as in the template."""


def transfer(match: Match) -> Transferred:
    """The query's structure after a template: beads of aligned residues are copied; where the base differs, the
    glycosidic nitrogen takes the place of the template's. Inner gaps become arcs that turn away from the molecule, ends
    go on as A-form strands, and beads that the template lacks stand as in the ideal helix.

    Raises:
        ValueError: too few residues are aligned (`Match.can_be_copied`).
    """
    length, copied = len(match.positions), match.positions >= 0
    if not match.can_be_copied:
        raise ValueError(f"{copied.sum()} residues are aligned with {match.chain.info.name}")
    beads = np.zeros((length, *match.chain.coords.shape[1:]))
    known = np.zeros(beads.shape[:2], dtype=bool)
    beads[copied] = match.chain.coords[match.positions[copied]]
    known[copied] = match.chain.mask[match.positions[copied]]
    trace = _filled(beads[:, C1], copied)
    beads = np.where(known[..., None], beads, beads_on_backbone(trace))
    return Transferred(beads.astype(np.float32), known)


def _filled(c1: Float64[np.ndarray, "L 3"], known: Bool[np.ndarray, " L"]) -> Float64[np.ndarray, "L 3"]:
    """The trace with all residues."""
    trace, rows = c1.copy(), np.flatnonzero(known)
    centre = c1[known].mean(0)
    for a, b in pairwise(rows):
        if b - a > 1:
            trace[a + 1 : b] = _arc(c1[a], c1[b], int(b - a) - 1, centre)
    first, last = int(rows[0]), int(rows[-1])
    trace[last + 1 :] = _strand(trace[first : last + 1], len(c1) - 1 - last)
    trace[:first] = _strand(trace[first : last + 1][::-1], first)[::-1]
    return trace


def _arc(
    start: Float64[np.ndarray, " 3"], stop: Float64[np.ndarray, " 3"], between: int, centre: Float64[np.ndarray, " 3"]
) -> Float64[np.ndarray, "between 3"]:
    """Points between two others, on a circle through them that bulges away from the centre, in steps of `STEP`; on a
    shallow arc where they are too far apart for that."""
    chord = stop - start
    distance = max(float(np.linalg.norm(chord)), 1e-3)
    along = chord / distance
    out = (start + stop) / 2 - centre
    out -= (out @ along) * along
    if np.linalg.norm(out) < 1e-3:
        out = np.cross(along, np.eye(3)[np.abs(along).argmin()])
    out /= np.linalg.norm(out)
    steps = between + 1
    fractions = np.arange(1, steps) / steps
    if distance > 0.98 * STEP * steps:
        height = _BULGE * np.sin(np.pi * fractions)
        return start + fractions[:, None] * chord + height[:, None] * out
    angle = _turn(steps, distance / STEP)
    radius = STEP / (2 * np.sin(angle / 2))
    turned = angle * (np.arange(1, steps) - steps / 2)
    middle = (start + stop) / 2 - radius * np.cos(steps * angle / 2) * out
    return middle + radius * (np.sin(turned)[:, None] * along + np.cos(turned)[:, None] * out)


def _turn(steps: int, long: float) -> float:
    """Angle in radians between neighbouring chords of a regular polygon of which so many are together `long` times as
    long as one: sin(steps·θ/2) / sin(θ/2) = long, by bisection, because it falls all the way to 2π / steps."""
    low, high = 0.0, 2 * math.pi / steps
    for _ in range(BISECTIONS):
        angle = (low + high) / 2
        too_long = math.sin(steps * angle / 2) > long * math.sin(angle / 2)
        low, high = (angle, high) if too_long else (low, angle)
    return high


def _strand(trace: Float64[np.ndarray, "N 3"], number: int) -> Float64[np.ndarray, "number 3"]:
    """Residues behind the last of the trace, as the A-form strand goes on from it."""
    if number == 0:
        return np.zeros((0, 3))
    anchors = torch.from_numpy(trace[-ANCHORS:].copy())
    helix = a_form_helix(len(anchors) + number).double()
    rotation, translation = kabsch(helix[: len(anchors)], anchors, torch.ones(len(anchors), dtype=torch.bool))
    return (rotate(helix, rotation) + translation)[len(anchors) :].numpy()
