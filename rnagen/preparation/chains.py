"""A structure and the secondary structures of its sequence as a chain of the dataset."""

import numpy as np

from rnagen.features import Chain
from rnagen.secondary.native import canonical_pair_table, nearest_pair_table
from rnagen.secondary.pairs import SecondaryStructures, SparsePairs, joined, no_pair_features
from rnagen.structure import ALIGNED, HEAVY_ATOMS, RNAStructure, encode_sequence


def as_chain(structure: RNAStructure, structures: SecondaryStructures, aligned: SparsePairs | None = None) -> Chain:
    """The chain with all heavy atoms, all channels of pair features and both of its pair tables.

    Args:
        structure: of any atoms.
        structures: secondary structures of its sequence.
        aligned: pair features of its alignment, where there is one.
    """
    full = structure if structure.atoms == HEAVY_ATOMS else structure.select_atoms(HEAVY_ATOMS)
    native = canonical_pair_table(full)
    aligned = no_pair_features(len(full), len(ALIGNED)) if aligned is None else aligned
    return Chain(
        name=full.name,
        bases=encode_sequence(full.sequence),
        residue_index=full.residue_index,
        coords=full.coords,
        mask=full.mask,
        pairs=joined(structures.pairs, aligned),
        pair_tables=np.stack([native, nearest_pair_table(native, structures.sampled)], axis=-1),
    )
