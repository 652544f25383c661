"""Base pairs of sequences, from rnagen's cache where they were predicted before."""

import hashlib
import logging
from pathlib import Path

import numpy as np
import RNA

from rnagen.caches import cache_folder
from rnagen.io.arrays import NOT_ARRAYS
from rnagen.io.files import atomic_write
from rnagen.io.pair_matrix import PairMatrix
from rnagen.secondary import vienna
from rnagen.secondary.pairs import MINIMUM_PROBABILITY, SparsePairs, joined
from rnagen.strands import SEPARATOR
from rnagen.structure import ENERGIES

LOCAL = "local 2"
"""Which local folding a file is of; a new number makes those of long sequences anew."""
SHORTEST = 100
"""nt; a shorter sequence is folded in about the time that a file takes."""


def base_pairs(sequence: str, other_models: bool = False, given: PairMatrix | None = None) -> SparsePairs:
    """`rnagen.secondary.vienna.sparse_base_pairs`, with `other_models` those of `with_other_models`. Those that are
    given replace the probabilities under the standard energies, and are not cached.

    Strands have `&` between them, which makes their file another than that of the joined sequence.
    A cache that cannot be read is made anew; one that cannot be written is done without, with a warning.

    Raises:
        ValueError: as `sparse_base_pairs`.
    """
    if given is not None:
        own = SparsePairs.of(given)
        return joined(own, base_pairs(sequence, other_models)) if other_models else own
    if len(sequence) < SHORTEST:
        return _predicted(sequence, other_models)
    path = pairs_file(sequence, other_models)
    try:
        with np.load(path, allow_pickle=False) as stored:
            length = len(sequence) - sequence.count(SEPARATOR)
            return SparsePairs(length, stored["pairs"], stored["probabilities"], stored["pair_features"])
    except (OSError, *NOT_ARRAYS):
        found = _predicted(sequence, other_models)
    try:
        with atomic_write(path) as file:
            np.savez(file, pairs=found.pairs, probabilities=found.probabilities, pair_features=found.pair_features)
    except OSError as error:
        logging.getLogger(__name__).warning("base pairs are not cached: %s", error)
    return found


def pairs_file(sequence: str, other_models: bool) -> Path:
    """File that holds, or will hold, the base pairs of a sequence; in many folders, because there may be very many."""
    energies = ENERGIES if other_models else ()
    local = f"{LOCAL} " if vienna.is_local(sequence) else ""
    text = f"{RNA.__version__} {MINIMUM_PROBABILITY} {energies} {local}{sequence}"
    key = hashlib.sha256(text.encode()).hexdigest()[:32]
    return cache_folder() / "base_pairs" / key[:2] / f"{key}.npz"


def _predicted(sequence: str, other_models: bool) -> SparsePairs:
    pairs = vienna.sparse_base_pairs(sequence)
    return vienna.with_other_models(pairs, sequence) if other_models else pairs
