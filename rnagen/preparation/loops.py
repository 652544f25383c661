"""A secondary structure as stems and loops, and loops as flat rings: the plan by which synthetic RNA is built."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.optimize import brentq

STEP = 5.8
"""Å between C1' of neighbours in a loop."""


@dataclass(frozen=True)
class Stem:
    """Stacked base pairs (i, j), (i+1, j-1) … and the loop that the last of them closes."""

    pairs: tuple[tuple[int, int], ...]
    loop: "Loop"


@dataclass(frozen=True)
class Loop:
    """Unpaired residues and the stems that leave a loop, in the order of the chain."""

    elements: tuple["int | Stem", ...]

    @property
    def residues(self) -> list[int]:
        """All residues on the ring: the unpaired ones and the first pair of each stem."""
        return [r for e in self.elements for r in (e.pairs[0] if isinstance(e, Stem) else (e,))]


def exterior_loop(pairs: list[tuple[int, int]], length: int) -> Loop:
    """The loop that holds both ends of the chain, and through its stems everything else.

    `pairs` (i < j, from 0) are nested, as in a minimum-free-energy structure.
    """
    pair_table = dict(pairs)
    return _loop(0, length, pair_table)


def _loop(start: int, stop: int, pair_table: dict[int, int]) -> Loop:
    elements: list[int | Stem] = []
    i = start
    while i < stop:
        if i in pair_table:
            elements.append(_stem(i, pair_table))
            i = pair_table[i]
        else:
            elements.append(i)
        i += 1
    return Loop(tuple(elements))


def _stem(i: int, pair_table: dict[int, int]) -> Stem:
    pairs = [(i, pair_table[i])]
    while pair_table.get(i + 1) == pair_table[i] - 1:
        i += 1
        pairs.append((i, pair_table[i]))
    return Stem(tuple(pairs), _loop(i + 1, pair_table[i], pair_table))


def ring(chords: list[float]) -> tuple[Float64[np.ndarray, "N 2"], Float64[np.ndarray, " 2"]]:
    """Corners and centre of a polygon with these sides (Å) whose corners are on a circle.

    The last side runs from the last corner back to the first; it lies on the x axis with the first corner in the
    origin, and the polygon is above it.

    Raises:
        ValueError: one side is so long that the centre would lie outside.
    """
    sides = np.array(chords)
    shortest = sides.max() / 2

    def excess(radius: float) -> float:
        return float(2 * np.arcsin(np.minimum(sides / (2 * radius), 1)).sum() - 2 * np.pi)

    if excess(shortest) < -1e-9:
        raise ValueError(f"a side of {sides.max()} Å is too long for a ring of {sides.tolist()}")
    radius = brentq(excess, shortest, sides.sum()) if excess(shortest) > 0 else shortest
    angles = 2 * np.arcsin(np.minimum(sides / (2 * radius), 1))
    centre = np.array([sides[-1] / 2, radius * np.cos(angles[-1] / 2)])
    at = -np.pi / 2 - angles[-1] / 2 - np.concatenate([[0.0], np.cumsum(angles[:-1])])
    return centre + radius * np.stack([np.cos(at), np.sin(at)], axis=-1), centre
