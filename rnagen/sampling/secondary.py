"""Which secondary structure each conformer of an RNA is conditioned on."""

import hashlib
from dataclasses import replace

import numpy as np
import torch

from rnagen.features import RNAFeatures
from rnagen.structure import BASES


def stable_seed(*parts: object) -> int:
    """A number of 63 bits that is a function of the parts alone, on every machine."""
    digest = hashlib.sha256("\x00".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def sampled_secondary_structures(
    features: RNAFeatures, name: str, conformers: list[int], seed: int, attempt: int = 0
) -> list[tuple[list[int], RNAFeatures]]:
    """A secondary structure from ViennaRNA's ensemble for each conformer of the RNA of the features [1, L]: a function
    of the seed, the target's name and the conformer's number alone. The RNA has one strand: ViennaRNA samples no more.

    Returns:
        (conformers, features conditioned on their secondary structure) for each structure that was sampled.
    """
    # A machine that only trains has no ViennaRNA.
    from rnagen.secondary.vienna import sampled_pair_tables

    sequence = "".join(BASES[code] for code in features.bases[0].tolist())
    seeds = [stable_seed("fold", seed, name, k, attempt) for k in conformers]
    structures, of_conformer = np.unique(sampled_pair_tables(sequence, seeds), axis=0, return_inverse=True)
    groups = []
    for number, structure in enumerate(structures):
        same = [k for k, which in zip(conformers, of_conformer.ravel()) if which == number]
        groups.append((same, replace(features, pair_table=torch.from_numpy(structure).long()[None])))
    return groups
