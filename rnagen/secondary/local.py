"""Base pairs of RNAs that are too long to be folded as a whole: ViennaRNA's local folding, window by window."""

import numpy as np
import RNA

from rnagen.secondary.pairs import MINIMUM_PROBABILITY, SparsePairs

WINDOW = 600
"""nt that are folded together, about a domain of a ribosomal RNA. Time grows with the length and with the square of the
window."""
SPAN = 400
"""Most nt from one residue of a pair to the other: a pair of this span still has half a window of windows around it."""
LONGEST = int(np.iinfo(np.int16).max)
"""nt; pairs are stored as 16-bit positions."""


def local_base_pairs(sequence: str) -> SparsePairs:
    """Probabilities of the pairs within `SPAN`, each the mean over all windows of `WINDOW` nt that hold it, at 37 °C.

    Windows reach over both ends: there too, a pair of span s is in `WINDOW` − s of them. Otherwise a hairpin at an end
    would be whole in one window, and cut by all the others that hold its inner residues. Different windows pair a
    residue differently, so that its probabilities can add up to more than 1; they are scaled to what the whole-length
    partition function guarantees. Pairs under `MINIMUM_PROBABILITY` are left out.

    Raises:
        ValueError: the sequence is longer than `LONGEST`.
    """
    length = len(sequence)
    if length > LONGEST:
        raise ValueError(f"a sequence of {length} nt is not supported (1 to {LONGEST} nt)")
    window = min(WINDOW, length)
    # Nothing pairs with N. A sequence of one window is folded as a whole.
    before = window if length > window else 0
    padding = "N" * before
    found = RNA.pfl_fold(padding + sequence + padding, window, min(SPAN, window), MINIMUM_PROBABILITY)
    listed = sorted((pair.i - 1 - before, pair.j - 1 - before, pair.p) for pair in found if pair.i)
    pairs = np.array([pair[:2] for pair in listed], dtype=np.int16).reshape(-1, 2)
    probabilities = np.array([pair[2] for pair in listed])
    i, j = pairs.T
    paired = np.bincount(i, probabilities, length) + np.bincount(j, probabilities, length)
    scaled = probabilities / np.maximum(1, paired[pairs].max(axis=1, initial=0))
    enough = scaled >= MINIMUM_PROBABILITY
    return SparsePairs(length, pairs[enough], scaled[enough].astype(np.float32))
