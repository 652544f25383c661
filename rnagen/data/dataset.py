"""Training examples: chains of a prepared dataset, resident in memory, cropped and padded.

An example is named by (row, seed), which fixes conformer, crop, pose, times and noise: what is drawn depends neither on
worker processes nor on what was drawn before.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int, Int32
from torch import Tensor
from torch.utils.data import Dataset

from rnagen.data.crops import contiguous_crop, spatial_crop
from rnagen.data.encodings import EncodedFile, EncodedRNA
from rnagen.data.padding import pad, padded_length
from rnagen.data.pairs import SparsePairs
from rnagen.data.store import StructureStore
from rnagen.features import Encoded, RNAFeatures
from rnagen.structure import BASES, encode_sequence

LENGTH_BUCKET = 32
"""Batches are padded to a multiple of this, so that a compiled model sees few shapes."""


class Draw(NamedTuple):
    """One example to be made: a row of the training set and the seed of everything random about it."""

    row: int
    seed: int


@dataclass(frozen=True)
class Chain:
    """One chain with the atoms that the model generates."""

    name: str
    bases: Int32[np.ndarray, " L"]
    residue_index: Int32[np.ndarray, " L"]
    coords: Float32[np.ndarray, "M L A 3"]
    mask: Bool[np.ndarray, "M L A"]
    pairs: SparsePairs
    encoded: EncodedFile | None = None
    """What a frozen encoder says of it."""

    @property
    def sequence(self) -> str:
        """Over `BASES`."""
        return "".join(BASES[code] for code in self.bases)


@dataclass(frozen=True)
class Example:
    """A crop of one conformer."""

    seed: int
    bases: Int32[np.ndarray, " L"]
    residue_index: Int32[np.ndarray, " L"]
    coords: Float32[np.ndarray, "L A 3"]
    mask: Bool[np.ndarray, "L A"]
    pair_probabilities: Float32[np.ndarray, "L L"]
    encoded: EncodedRNA | None


@dataclass(frozen=True)
class Batch:
    """Examples padded to one length."""

    features: RNAFeatures
    coords: Float[Tensor, "B L A 3"]
    """Å; zero where masked."""
    mask: Bool[Tensor, "B L A"]
    seeds: Int[Tensor, " B"]

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on another device; Lightning moves batches by calling this."""
        return Batch(self.features.to(device), self.coords.to(device), self.mask.to(device), self.seeds)


def load_chains(store: StructureStore, rows: Iterable[int], atoms: tuple[str, ...]) -> list[Chain]:
    """Read chains into memory, reduced to `atoms`."""
    chains = []
    for row in rows:
        structure = store.structure(row).select_atoms(atoms)
        chains.append(
            Chain(
                name=structure.name,
                bases=encode_sequence(structure.sequence),
                residue_index=np.array(structure.residue_index),
                coords=structure.coords,
                mask=structure.mask,
                pairs=store.sparse_base_pairs(row),
            )
        )
    return chains


class CropDataset(Dataset[Example]):
    """Random crops of random conformers."""

    def __init__(self, chains: list[Chain], atoms: tuple[str, ...], crop: int, spatial_share: float) -> None:
        self.chains = chains
        self.scored_atom = atoms.index("C1'")
        self.crop = crop
        self.spatial_share = spatial_share

    def __len__(self) -> int:
        return len(self.chains)

    def __getitem__(self, draw: Draw) -> Example:
        chain = self.chains[draw.row]
        rng = np.random.default_rng(draw.seed)
        model = rng.integers(len(chain.coords))
        coords, mask = chain.coords[model], chain.mask[model]
        resolved = mask[:, self.scored_atom]
        if rng.random() < self.spatial_share and resolved.any():
            residues = spatial_crop(coords[:, self.scored_atom], resolved, self.crop, rng)
        else:
            residues = contiguous_crop(resolved, self.crop, rng)
        return Example(
            seed=draw.seed,
            bases=chain.bases[residues],
            residue_index=chain.residue_index[residues],
            coords=coords[residues],
            mask=mask[residues],
            pair_probabilities=crop_pairs(chain.pairs, residues),
            encoded=None if chain.encoded is None else chain.encoded.crop(residues),
        )


def crop_pairs(pairs: SparsePairs, residues: Int[np.ndarray, " crop"]) -> Float32[np.ndarray, "crop crop"]:
    """Rows and columns `residues` of the symmetric probability matrix, without making the whole of it."""
    position = np.full(pairs.length, -1)
    position[residues] = np.arange(len(residues))
    i, j = position[pairs.pairs.T]
    inside = (i >= 0) & (j >= 0)
    matrix = np.zeros((len(residues), len(residues)), dtype=np.float32)
    matrix[i[inside], j[inside]] = pairs.probabilities[inside]
    return matrix + matrix.T


def collate(examples: list[Example]) -> Batch:
    """Pad examples to the next length bucket. All or none of them have an encoding, of one encoder."""
    length = padded_length([len(e.bases) for e in examples], LENGTH_BUCKET)

    def padded(name: str, axes: int = 1) -> Tensor:
        return pad([getattr(e, name) for e in examples], length, axes)

    lengths = torch.tensor([len(e.bases) for e in examples])
    features = RNAFeatures(
        bases=padded("bases"),
        residue_index=padded("residue_index"),
        mask=torch.arange(length) < lengths[:, None],
        pair_probabilities=padded("pair_probabilities", axes=2),
        encoded=_collate_encoded([e.encoded for e in examples if e.encoded is not None], length),
    )
    return Batch(features, padded("coords"), padded("mask"), torch.tensor([e.seed for e in examples]))


def _collate_encoded(encoded: list[EncodedRNA], length: int) -> Encoded | None:
    if not encoded:
        return None
    pairs = [e.pair for e in encoded if e.pair is not None]
    return Encoded(pad([e.layers for e in encoded], length), pad(pairs, length, axes=2) if pairs else None)
