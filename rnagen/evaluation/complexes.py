"""RNAs of several strands in an evaluation: the chains of a prediction and of its reference, joined and matched."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
import torch
from jaxtyping import Int

from rnagen.errors import InputError
from rnagen.evaluation.pairing import ATOM, count_paired, on_reference
from rnagen.evaluation.scores import c1_atoms
from rnagen.io.complexes import join_chains, split_chains
from rnagen.metrics import tm_scores
from rnagen.metrics.rmsd import rmsd
from rnagen.metrics.tm import FAST_SEEDS
from rnagen.structure import RNAStructure

MOST = 720
"""Ways to match chains that are tried: those of six equal ones."""
CLOSEST = 24
"""Ways of the least RMSD, whose TM-scores decide: all of those of four equal chains."""


def joined_complexes(
    target: str, predictions: Sequence[RNAStructure], references: Sequence[RNAStructure]
) -> tuple[RNAStructure, RNAStructure] | None:
    """(prediction, reference) of several strands each, where all chains of the two belong together; None where they do
    not, or one of them has a single chain. A prediction in one piece, as tables have it, is cut as the reference."""
    known = [chain for reference in references for chain in split_chains(reference)]
    given = [chain for prediction in predictions for chain in split_chains(prediction)]
    if len(known) < 2:
        return None
    if len(given) == 1:
        given = _cut(given[0], known)
    if len(given) != len(known) or not all(_are_alike(chains) for chains in (given, known)):
        return None
    if next(_matches(given, known), None) is None:
        return None
    return join_chains(target, given), join_chains(target, known)


def on_complex(prediction: RNAStructure, reference: RNAStructure) -> RNAStructure:
    """As `on_reference`, chain by chain. Where chains can be matched in several ways, as equal ones can, each conformer
    is matched in the way of its best TM-score (of the `CLOSEST` ways).

    Raises:
        InputError: they are not the same RNA, a chain has no C1' atom, or there are more than `MOST` ways.
    """
    given, known = split_chains(prediction), split_chains(reference)
    ways = list(islice(_matches(given, known), MOST + 1))
    if len(ways) > MOST:
        reason = f"its chains can be matched in more than {MOST} ways: leave out some of the equal ones"
        raise InputError("", reference.name, reason)
    if not ways:
        raise InputError("", reference.name, "the chains of prediction and reference do not belong together")
    # Each chain of the prediction on each chain of the reference that it is matched with in some way.
    placed = {
        (place, k): on_reference(given[place], replace(known[k], name=reference.name))
        for k in range(len(known))
        for place in {way[k] for way in ways}
    }
    joined = {way: [placed[place, k] for k, place in enumerate(way)] for way in ways}
    best = [ways[row] for row in _best(list(joined.values()), reference)]
    coords, mask = (
        np.stack([np.concatenate([getattr(one, part)[m] for one in joined[way]]) for m, way in enumerate(best)])
        for part in ("coords", "mask")
    )
    return replace(
        prediction,
        name=reference.name,
        sequence=reference.sequence,
        residue_index=reference.residue_index,
        strands=reference.strands,
        coords=coords,
        mask=mask,
    )


def _best(joined: list[list[RNAStructure]], reference: RNAStructure) -> Int[np.ndarray, " M"]:
    """The way that suits each conformer best, of ways to put chains in the order of the reference."""
    count = joined[0][0].num_models
    if len(joined) == 1:
        return np.zeros(count, dtype=int)
    atoms = {id(one): c1_atoms(one) for chains in joined for one in chains}
    ways = [[atoms[id(one)] for one in chains] for chains in joined]
    coords, masks = (torch.cat([torch.cat([one[part] for one in way], 1) for way in ways]) for part in (0, 1))
    refs, resolved = c1_atoms(reference)
    deviations = torch.stack([rmsd(coords, ref.expand_as(coords), masks & mask) for ref, mask in zip(refs, resolved)])
    # Rows are way by way, in each of them conformer by conformer.
    few = min(CLOSEST, len(ways))
    close = deviations.amin(0).view(len(ways), count).topk(few, dim=0, largest=False).indices
    rows = (close * count + torch.arange(count)).flatten()
    scores = tm_scores(coords[rows], refs, resolved, masks[rows], FAST_SEEDS).amax(1).view(few, count)
    return close.gather(0, scores.argmax(0, keepdim=True))[0].numpy()


def _matches(given: Sequence[RNAStructure], known: Sequence[RNAStructure]) -> Iterator[tuple[int, ...]]:
    """Ways to give each known chain a chain of its own: one of its sequence, where each known chain has such a one,
    else one with residues that can be paired."""
    fits = [[_is_same(one, chain) for one in given] for chain in known]
    if not all(map(any, fits)):
        fits = [[count_paired(one, chain) > 0 for one in given] for chain in known]

    def ways(taken: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        if len(taken) == len(known):
            yield taken
            return
        for place in range(len(given)):
            if place not in taken and fits[len(taken)][place]:
                yield from ways((*taken, place))

    return ways(())


def _is_same(one: RNAStructure, other: RNAStructure) -> bool:
    pairs = zip(one.sequence, other.sequence)
    return len(one) == len(other) and all(a == b or "N" in (a, b) for a, b in pairs)


def _are_alike(chains: Sequence[RNAStructure]) -> bool:
    """Whether chains can be joined, with C1' in each."""
    first = chains[0]
    return all(
        chain.atoms == first.atoms
        and chain.num_models == first.num_models
        and bool(chain.select_atoms((ATOM,)).mask.any())
        for chain in chains
    )


def _cut(whole: RNAStructure, known: Sequence[RNAStructure]) -> list[RNAStructure]:
    """A structure cut into chains of the sequences of others, in some order of these; uncut where it cannot be."""

    def lengths(start: int, rest: list[str]) -> list[int] | None:
        if not rest:
            return [] if start == len(whole) else None
        for sequence in dict.fromkeys(rest):
            piece = whole.sequence[start : start + len(sequence)]
            if len(piece) == len(sequence) and all(a == b or "N" in (a, b) for a, b in zip(piece, sequence)):
                others = list(rest)
                others.remove(sequence)
                found = lengths(start + len(sequence), others)
                if found is not None:
                    return [len(sequence), *found]
        return None

    found = lengths(0, [chain.sequence for chain in known])
    return [whole] if found is None else split_chains(replace(whole, strands=tuple(found)))
