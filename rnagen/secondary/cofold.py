"""Which strands of an RNA form a complex: ViennaRNA takes only strands that can all bind to each other."""

from collections.abc import Callable
from itertools import combinations

import numpy as np
from jaxtyping import Int

from rnagen.strands import SEPARATOR

Binds = Callable[[str], bool]
"""Whether strands, with `&` between them, can all bind to each other; one strand alone always can."""


def complexes(sequence: str, binds: Binds) -> list[tuple[str, Int[np.ndarray, " n"]]]:
    """(strands with `&` between them, places of their residues among all) of each complex: one of all strands, where
    they can bind; else the groups of strands that can, in the order of the strands; and of a group that cannot as a
    whole, each strand alone."""
    if binds(sequence):
        return [(sequence, np.arange(len(sequence) - sequence.count(SEPARATOR)))]
    strands = sequence.split(SEPARATOR)
    starts = np.cumsum([0, *map(len, strands)])
    found = []
    for group in _groups(strands, binds):
        together = binds(SEPARATOR.join(strands[number] for number in group))
        for numbers in [group] if together else [[number] for number in group]:
            places = np.concatenate([np.arange(starts[number], starts[number + 1]) for number in numbers])
            found.append((SEPARATOR.join(strands[number] for number in numbers), places))
    return found


def _groups(strands: list[str], binds: Binds) -> list[list[int]]:
    """Strands that are bound to each other, directly or by others, two by two."""
    group = list(range(len(strands)))
    for first, second in combinations(range(len(strands)), 2):
        if group[first] != group[second] and binds(SEPARATOR.join((strands[first], strands[second]))):
            group = [group[first] if one == group[second] else one for one in group]
    return [[number for number, one in enumerate(group) if one == name] for name in dict.fromkeys(group)]
