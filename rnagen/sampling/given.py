"""Parts of an RNA that the user fixes, and two states that the conformers are to lie between."""

from pathlib import Path

import numpy as np
import torch

from rnagen.errors import InputError
from rnagen.geometry import superpose
from rnagen.structure import BASES
from rnagen.templates.files import read_template_files
from rnagen.templates.match import MINIMUM, Match
from rnagen.templates.query import Query
from rnagen.templates.search import align_with
from rnagen.templates.transfer import Transferred, transfer


def beyond_the_end(where: slice, length: int) -> str:
    """Why residues of an RNA of this length cannot be fixed; empty if it has them."""
    return f"--fix: there are no residues up to {where.stop}, the RNA has {length}" if where.stop > length else ""


def fixed_part(query: Query, where: slice, path: Path) -> Match:
    """The residues of a range as they stand in a structure file.

    The chain of the file that aligns best with them counts: that of the fragment alone, or of a longer RNA with it.

    Raises:
        InputError: the file cannot be read, or has other residues.
    """
    length, last = len(query), where.stop
    if beyond := beyond_the_end(where, length):
        raise InputError(path, None, beyond)
    library = read_template_files([path]).library
    best = align_with(query.part(where), [library.chain(row) for row in range(len(library))])[0]
    positions = np.full(length, -1, dtype=np.int64)
    positions[where] = best.positions
    aligned = np.flatnonzero(positions >= 0)
    equal = query.bases[aligned] == best.chain.bases[positions[aligned]]
    named = f"residues {where.start + 1} to {last}"
    if len(aligned) < MINIMUM or not equal.all():
        reason = f"a fixed part must have the same bases: {int(equal.sum())} of the {named} have them in chain "
        reason += f"{best.chain.info.name}, which fits best"
        for residue in aligned[~equal][:1]:
            here, there = query.bases[residue], best.chain.bases[positions[residue]]
            reason += f"; {BASES[here]}{residue + 1} of the RNA is {BASES[there]} there"
        raise InputError(path, None, reason)
    return Match(best.chain, positions, best.score, 1.0, len(aligned) / length, best.pairs, best.paired)


def between(start: Match, end: Match, shares: list[float]) -> list[Transferred]:
    """Structures on straight lines from one state to the other, superposed: 0 is the one, 1 the other. Only residues
    that both have are known.

    Raises:
        ValueError: too few residues are aligned with one of them.
    """
    one, other = transfer(start), transfer(end)
    known = one.known & other.known
    first, second = torch.from_numpy(one.coords), torch.from_numpy(other.coords)
    moved = superpose(second.flatten(0, 1)[None], first.flatten(0, 1)[None], torch.from_numpy(known).flatten()[None])
    second = moved[0].view_as(first)
    return [Transferred(((1 - share) * first + share * second).numpy(), known) for share in shares]
