"""Secondary structure from ViennaRNA: base-pair probabilities, the minimum-free-energy fold, and a cache on disk."""

import hashlib
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import RNA
from jaxtyping import Float32

from rnagen.data.files import atomic_write
from rnagen.data.pairs import MINIMUM_PROBABILITY, SparsePairs

MAXIMUM_LENGTH = 4500
"""Longest sequence that is folded: time grows with the cube of the length (about 80 s at 2,900 nt), memory with its
square (0.25 GB at 2,900 nt)."""


def sparse_base_pairs(sequence: str) -> SparsePairs:
    """Pairs of the Boltzmann ensemble of a sequence at 37 °C (McCaskill's partition function, ViennaRNA's energies).

    Residues `N` stay unpaired. Pairs under `MINIMUM_PROBABILITY` are left out.

    Raises:
        ValueError: the sequence is empty or longer than `MAXIMUM_LENGTH`.
    """
    compound = _fold_compound(sequence)
    # The partition function of a long RNA overflows unless it is scaled by the minimum free energy.
    compound.exp_params_rescale(compound.mfe()[1])
    compound.pf()
    found = sorted((p.i - 1, p.j - 1, p.p) for p in compound.plist_from_probs(MINIMUM_PROBABILITY) if p.type == 0)
    return SparsePairs(
        length=len(sequence),
        pairs=np.array([pair[:2] for pair in found], dtype=np.int16).reshape(-1, 2),
        probabilities=np.array([pair[2] for pair in found], dtype=np.float32),
    )


def base_pair_probabilities(sequence: str) -> Float32[np.ndarray, "L L"]:
    """Symmetric base-pair probabilities [L, L] with a zero diagonal; see `sparse_base_pairs`."""
    return sparse_base_pairs(sequence).dense()


def mfe_dot_bracket(sequence: str) -> str:
    """The minimum-free-energy fold in dot-bracket notation (no pseudoknots).

    Raises:
        ValueError: the sequence is empty or longer than `MAXIMUM_LENGTH`.
    """
    return str(_fold_compound(sequence).mfe()[0])


def mfe_pairs(sequence: str) -> list[tuple[int, int]]:
    """The base pairs (i < j, from 0, sorted by i) of the minimum-free-energy fold."""
    opened: list[int] = []
    pairs = []
    for j, symbol in enumerate(mfe_dot_bracket(sequence)):
        if symbol == "(":
            opened.append(j)
        elif symbol == ")":
            pairs.append((opened.pop(), j))
    return sorted(pairs)


class BasePairCache:
    """Base pairs on disk, one file per (sequence, ViennaRNA version, probability kept); safe to share between
    processes, because a file appears whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, sequence: str) -> Path:
        """File that holds, or will hold, the pairs of this sequence."""
        key = f"{RNA.__version__} {MINIMUM_PROBABILITY} {sequence}"
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"

    def load(self, sequence: str) -> SparsePairs | None:
        """The stored pairs; None where there are none or the file is damaged."""
        try:
            with np.load(self.path(sequence), allow_pickle=False) as stored:
                return SparsePairs(len(sequence), stored["pairs"], stored["probabilities"])
        except (FileNotFoundError, BadZipFile, KeyError, ValueError, EOFError):
            return None

    def get(self, sequence: str) -> SparsePairs:
        """The pairs of a sequence, folded once.

        Raises:
            ValueError: as `sparse_base_pairs`.
        """
        found = self.load(sequence)
        if found is None:
            found = sparse_base_pairs(sequence)
            with atomic_write(self.path(sequence)) as file:
                np.savez(file, pairs=found.pairs, probabilities=found.probabilities)
        return found


def _fold_compound(sequence: str) -> RNA.fold_compound:
    if not 0 < len(sequence) <= MAXIMUM_LENGTH:
        raise ValueError(f"a sequence of {len(sequence)} nt cannot be folded: 1 to {MAXIMUM_LENGTH} nt can")
    return RNA.fold_compound(sequence)
