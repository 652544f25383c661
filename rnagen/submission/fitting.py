"""Predicted chains on the rows of a target, in the order that the benchmark gives the residues."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from rnagen.errors import InputError
from rnagen.evaluation.pairing import count_paired, on_reference
from rnagen.io.labels import ATOM
from rnagen.structure import RNAStructure
from rnagen.submission.rows import TargetRows


def on_rows(chains: Sequence[RNAStructure], target: TargetRows) -> Float[np.ndarray, "M L 3"]:
    """C1' coordinates in Å of the conformers of a prediction on the L rows of its target; NaN where a residue is
    missing.

    Several chains follow each other in the order that gives the target's sequence, whatever their order in the file;
    chains that it does not need are left out. Where no order gives all of it, the chain that has most of it is used.

    Args:
        chains: of one prediction, the models of each are the conformers.
        target: its rows.

    Raises:
        InputError: the chains are not of this RNA.
    """
    ordered = _in_order(chains, target.sequence)
    if ordered:
        return np.concatenate([_c1(chain) for chain in ordered], axis=1)
    reference = target.structure
    best = max(chains, key=lambda chain: count_paired(chain, reference))
    if len(chains) > 1 and not count_paired(best, reference):
        lengths = ", ".join(f"{chain.chain or '?'} {len(chain)} nt" for chain in chains[:6])
        reason = f"no order of its chains ({lengths}) gives the sequence of {len(target)} nt"
        raise InputError("", target.name, reason)
    return _c1(on_reference(best, reference))


def _in_order(chains: Sequence[RNAStructure], sequence: str) -> list[RNAStructure]:
    """Chains that follow each other to the whole sequence; empty for none. Equal ones stay in their order."""
    if not sequence:
        return []
    tried: set[str] = set()
    for place, chain in enumerate(chains):
        if chain.sequence in tried or not _begins(sequence, chain.sequence):
            continue
        tried.add(chain.sequence)
        rest = sequence[len(chain) :]
        others = [*chains[:place], *chains[place + 1 :]]
        found = [] if not rest else _in_order(others, rest)
        if found or not rest:
            return [chain, *found]
    return []


def _begins(sequence: str, part: str) -> bool:
    """Whether a sequence begins with another; an unknown base (N) fits any."""
    return len(part) <= len(sequence) and all(a == b or "N" in (a, b) for a, b in zip(sequence, part))


def _c1(chain: RNAStructure) -> Float[np.ndarray, "M L 3"]:
    chosen = chain.select_atoms((ATOM,))
    return np.where(chosen.mask[:, :, 0, None], chosen.coords[:, :, 0].astype(np.float64), np.nan)
