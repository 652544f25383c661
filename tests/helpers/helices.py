"""Ideal double helices as beads."""

import numpy as np

from rnagen.aform import helix
from rnagen.structure import BEADS, RNAStructure

COMPLEMENT = {"A": "U", "C": "G", "G": "C", "U": "A"}


def double_helix(sequence: str = "GACUGCAU", models: int = 1) -> RNAStructure:
    """Both strands, one after the other; the numbers jump between them."""
    pairs = len(sequence)
    first, second = helix(pairs)
    other = "".join(COMPLEMENT[base] for base in reversed(sequence))
    coords = np.repeat(np.concatenate([first, second[::-1]])[None], models, axis=0).astype(np.float32)
    index = np.concatenate([np.arange(1, pairs + 1), np.arange(101, pairs + 101)]).astype(np.int32)
    mask = np.ones(coords.shape[:3], dtype=bool)
    return RNAStructure("helix", sequence + other, coords, mask, BEADS, residue_index=index)
