"""Random features, and the same with padding that holds garbage."""

import torch

from rnagen.features import RNAFeatures
from rnagen.structure import PAIR_FEATURES, UNKNOWN


def random_features(length: int, batch: int = 2, seed: int = 0) -> RNAFeatures:
    generator = torch.Generator().manual_seed(seed)
    probabilities = torch.rand(batch, length, length, generator=generator) / length
    return RNAFeatures(
        bases=torch.randint(0, 4, (batch, length), generator=generator),
        residue_index=torch.arange(1, length + 1).expand(batch, length),
        mask=torch.ones(batch, length, dtype=torch.bool),
        pair_probabilities=(probabilities + probabilities.mT) / 2,
    )


def padded(features: RNAFeatures, extra: int) -> RNAFeatures:
    """The same RNAs with `extra` padded residues that hold garbage."""
    batch, length = features.bases.shape
    junk = random_features(length + extra, batch, seed=9)
    real = torch.zeros(batch, length + extra, dtype=torch.bool)
    real[:, :length] = True
    both = real[:, :, None] & real[:, None, :]

    def pad(name: str, keep: torch.Tensor) -> torch.Tensor:
        out = getattr(junk, name).clone()
        out[keep] = getattr(features, name).reshape(-1)
        return out

    # Base-pair probabilities of padding are zero by construction of the batch.
    probabilities = torch.zeros_like(junk.pair_probabilities)
    probabilities[both] = features.pair_probabilities.reshape(-1)
    pair_features = pair_table = None
    if features.pair_features is not None:
        pair_features = probabilities.new_zeros(*probabilities.shape, len(PAIR_FEATURES))
        pair_features[both] = features.pair_features.flatten(0, 2)
    if features.pair_table is not None:
        pair_table = torch.full_like(junk.bases, UNKNOWN)
        pair_table[real] = features.pair_table.flatten()
    bases, residue_index = pad("bases", real), pad("residue_index", real)
    return RNAFeatures(bases, residue_index, real, probabilities, pair_features=pair_features, pair_table=pair_table)
