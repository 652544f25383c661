"""Chains of a complex <-> one structure of several strands."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rnagen.strands import CHAIN_NAMES, bounds, lengths_of
from rnagen.structure import RNAStructure


def join_chains(name: str, chains: Sequence[RNAStructure]) -> RNAStructure:
    """Chains with the same atoms and equally many models, as the strands of one structure in their order; a chain alone
    stays as it is. The residue index goes on from strand to strand.

    Raises:
        ValueError: they differ in atoms or in the number of models.
    """
    first, *others = chains
    if not others:
        return first
    if any(chain.atoms != first.atoms or chain.num_models != first.num_models for chain in others):
        raise ValueError(f"{name}: its chains differ in atoms or in the number of models")
    index: list[np.ndarray] = []
    for chain in chains:
        before = index[-1][-1] if index else 0
        index.append(chain.residue_index - chain.residue_index[0] + 1 + before)
    return replace(
        first,
        name=name,
        sequence="".join(chain.sequence for chain in chains),
        coords=np.concatenate([chain.coords for chain in chains], axis=1),
        mask=np.concatenate([chain.mask for chain in chains], axis=1),
        residue_index=np.concatenate(index).astype(np.int32),
        strands=lengths_of([chain.sequence for chain in chains]),
    )


def split_chains(structure: RNAStructure) -> list[RNAStructure]:
    """One chain for each strand, named A, B …, numbered from 1; a structure of one strand stays as it is."""
    if not structure.strands:
        return [structure]
    return [
        replace(
            structure,
            name=f"{structure.name}_{chain}",
            chain=chain,
            sequence=structure.sequence[start:stop],
            coords=structure.coords[:, start:stop],
            mask=structure.mask[:, start:stop],
            residue_index=structure.residue_index[start:stop] - structure.residue_index[start] + 1,
            strands=(),
        )
        for chain, (start, stop) in zip(CHAIN_NAMES, bounds(structure.strands, len(structure)))
    ]
