"""The five slots of a target: filled as the slot table asks, else by the next source; near-duplicates are replaced."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
import torch

from rnagen.metrics import tm_scores
from rnagen.metrics.tm import ALIKE_SEEDS
from rnagen.submission.candidates import Candidate, Source

DUPLICATE = 0.95
"""TM-score, matched by residue number; conformers that are more alike are one guess made twice."""


@dataclass(frozen=True)
class Filled:
    """The slots of one target."""

    candidates: list[Candidate]
    """By slot; fewer than asked for where the sources have no more."""
    notes: list[str] = field(default_factory=list)
    """What differs from the slot table, and why."""


def fill(target: str, wanted: Sequence[str], sources: Sequence[Source]) -> Filled:
    """Fill the slots of a target.

    Args:
        target: its name.
        wanted: name of the source of each slot.
        sources: all of them, in their order. A source gives its conformers in their order; where it has no further one,
            the next source does, after the last the first.
    """
    waiting = {source.name: list(source.of(target)) for source in sources}
    order = [source.name for source in sources]
    chosen: list[Candidate] = []
    notes = []
    for slot, name in enumerate(wanted, start=1):
        found = next(_offers(name, order, waiting), None)
        if found is None:
            break
        waiting[found.source].remove(found)
        if found.source != name:
            lack = "has no further conformer" if any(one.source == name for one in chosen) else "does not have it"
            notes.append(f"{target}: slot {slot}: {name} {lack}: conformer {found.number} of {found.source}")
        chosen.append(found)
    return _without_duplicates(target, Filled(chosen, notes), order, waiting)


def _offers(name: str, order: Sequence[str], waiting: dict[str, list[Candidate]]) -> Iterator[Candidate]:
    """The candidates that are left, those of the named source first, then those of the next ones."""
    place = order.index(name)
    return chain.from_iterable(waiting[other] for other in [*order[place:], *order[:place]])


def _without_duplicates(
    target: str, filled: Filled, order: Sequence[str], waiting: dict[str, list[Candidate]]
) -> Filled:
    chosen, notes = list(filled.candidates), list(filled.notes)
    for slot in range(1, len(chosen)):
        twin = _twin(chosen[slot], chosen[:slot])
        if twin is None:
            continue
        others = [*chosen[:slot], *chosen[slot + 1 :]]
        offers = _offers(chosen[slot].source, order, waiting)
        found = next((one for one in offers if _twin(one, others) is None), None)
        where = f"{target}: slot {slot + 1}: conformer {chosen[slot].number} of {chosen[slot].source}"
        alike = f"nearly that of slot {twin + 1} (TM-score over {DUPLICATE})"
        if found is None:
            notes.append(f"{where} is {alike}, and no source has another")
            continue
        waiting[found.source].remove(found)
        chosen[slot] = found
        notes.append(f"{where} is {alike}: conformer {found.number} of {found.source} in its place")
    return Filled(chosen, notes)


def _twin(one: Candidate, others: Sequence[Candidate]) -> int | None:
    """Place of the first of the others that is nearly the same; None for none."""
    if not others:
        return None
    preds = torch.from_numpy(np.stack([other.xyz for other in others]))
    everything = torch.ones(1, len(one.xyz), dtype=torch.bool)
    scores = tm_scores(preds, torch.from_numpy(one.xyz)[None], everything, seeds=ALIKE_SEEDS)[:, 0]
    alike = torch.nonzero(scores > DUPLICATE)
    return int(alike[0]) if len(alike) else None
