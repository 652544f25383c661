"""Which secondary structure each conformer of an RNA is to have."""

import hashlib
from dataclasses import replace

import numpy as np
import torch

from rnagen.features import RNAFeatures


def stable_seed(*parts: object) -> int:
    """A number of 63 bits that is a function of the parts alone, on every machine."""
    digest = hashlib.sha256("\x00".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def drawn_folds(
    features: RNAFeatures, sequence: str, name: str, conformers: list[int], seed: int, attempt: int = 0
) -> list[tuple[list[int], RNAFeatures]]:
    """A fold of ViennaRNA's ensemble for each conformer, a function of the seed, the target's name and the conformer's
    number alone.

    Returns:
        (conformers, features [1, L] with their fold) for each fold that was drawn.
    """
    # A machine that only trains has no ViennaRNA.
    from rnagen.secondary.vienna import drawn_partners

    partners = drawn_partners(sequence, [stable_seed("fold", seed, name, k, attempt) for k in conformers])
    folds, of_conformer = np.unique(partners, axis=0, return_inverse=True)
    groups = []
    for number, fold in enumerate(folds):
        same = [k for k, which in zip(conformers, of_conformer.ravel()) if which == number]
        groups.append((same, replace(features, partner=torch.from_numpy(fold).long()[None])))
    return groups
