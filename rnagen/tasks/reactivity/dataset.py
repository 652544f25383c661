"""Reactivity examples, padded batches of them, and the 5'↔3' flip."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int, Int64
from torch import Tensor
from torch.utils.data import Dataset

from rnagen.data.padding import pad, padded_length
from rnagen.features import RNAFeatures, collate, from_residues
from rnagen.io.reactivity_table import ReactivityTable
from rnagen.structure import encode_sequence
from rnagen.tasks.reactivity.pairs import MappedPairs

LENGTH_BUCKET = 16
"""Batches are padded to a multiple of this, so that a compiled model sees few shapes."""


@dataclass(frozen=True)
class ReactivityExample:
    """One RNA and its profiles in E experiments."""

    number: int
    """Position in the table."""
    features: RNAFeatures
    """[1, L]"""
    reactivity: Float32[np.ndarray, "L E"]
    observed: Bool[np.ndarray, "L E"]
    weight: Float32[np.ndarray, " E"]
    sn_filter: Bool[np.ndarray, " E"]


@dataclass(frozen=True)
class ReactivityBatch:
    """Examples padded to one length."""

    features: RNAFeatures
    reactivity: Float[Tensor, "B L E"]
    """As measured, not clipped; 0 where not observed."""
    observed: Bool[Tensor, "B L E"]
    """The residue is not padding and has a finite value in a profile that is used."""
    weight: Float[Tensor, "B E"]
    """See `reliability`; 1 where signal-to-noise is unknown or weights are off."""
    sn_filter: Bool[Tensor, "B E"]
    """The profile passes the data set's own filter."""
    numbers: Int[Tensor, " B"]
    """Positions in the table."""

    def to(self, device: torch.device | str) -> "ReactivityBatch":
        """The same batch on another device; Lightning moves batches by calling this."""
        return ReactivityBatch(*(value.to(device) for value in vars(self).values()))


def reliability(signal_to_noise: Float32[np.ndarray, " E"]) -> Float32[np.ndarray, " E"]:
    """Weight of a profile with signal-to-noise s: s² / (1 + s²), 0 where s ≤ 0, 1 where s is unknown (NaN).

    This is the signal's share of a profile's variance: S² / (S² + N²) with variance S² of the signal and N² of the
    noise, s = S/N, which is the gain of the Wiener filter. It is 0.5 at s = 1 and 0.9 at s = 3, and saturates, so that
    the few profiles with s over 10 do not dominate.
    """
    squared = np.square(np.maximum(signal_to_noise, 0))
    return np.where(np.isnan(signal_to_noise), 1, squared / (1 + squared)).astype(np.float32)


def trainable(table: ReactivityTable, minimum: float = -np.inf) -> Bool[np.ndarray, "N E"]:
    """The profiles with at least this signal-to-noise, and those where it is unknown."""
    return (table.rows >= 0) & ~(table.signal_to_noise < minimum)


class ReactivityDataset(Dataset[ReactivityExample]):
    """The examples of a table that have a profile in `used`; other profiles count as not observed.

    Args:
        table: the profiles.
        used: for training, `trainable(table, 1.0) & (splits != 0)[:, None]`, for instance; for evaluation,
            `table.sn_filter & (splits == 0)[:, None]`.
        pairs: base pairs of all examples of the table; without them the pair probabilities are zero.
        weights: weight profiles by their `reliability` instead of 1.
    """

    def __init__(
        self,
        table: ReactivityTable,
        used: Bool[np.ndarray, "N E"],
        pairs: MappedPairs | None = None,
        weights: bool = True,
    ) -> None:
        if used.shape != table.rows.shape:
            raise ValueError(f"used {used.shape} does not fit the table {table.rows.shape}")
        if pairs is not None and len(pairs) != len(table):
            raise ValueError(f"base pairs of {len(pairs)} sequences do not fit a table of {len(table)} examples")
        self.table = table
        self.used = used & (table.rows >= 0)
        self.pairs = pairs
        self.weights = weights
        self.numbers: Int64[np.ndarray, " examples"] = np.flatnonzero(self.used.any(axis=1))
        """Positions of the examples in the table."""
        self.lengths: Int64[np.ndarray, " examples"] = table.lengths[self.numbers]

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> ReactivityExample:
        number = int(self.numbers[index])
        bases = encode_sequence(self.table.sequence(number))
        values = self.table.reactivity(number)
        observed = np.isfinite(values) & self.used[number]
        channels = values.shape[1]
        return ReactivityExample(
            number=number,
            features=from_residues(bases, None if self.pairs is None else self.pairs[number]),
            reactivity=np.where(observed, values, np.float32(0)),
            observed=observed,
            weight=reliability(self.table.signal_to_noise[number]) if self.weights else np.ones(channels, np.float32),
            sn_filter=self.table.sn_filter[number],
        )


def reactivity_batch(examples: list[ReactivityExample]) -> ReactivityBatch:
    """Pad examples to the longest of them, rounded up to a multiple of `LENGTH_BUCKET`."""
    length = padded_length([len(e.reactivity) for e in examples], LENGTH_BUCKET)

    def padded(name: str, axes: int) -> Tensor:
        return pad([getattr(e, name) for e in examples], length, axes)

    return ReactivityBatch(
        features=collate([example.features for example in examples], length),
        reactivity=padded("reactivity", 1),
        observed=padded("observed", 1),
        weight=padded("weight", 0),
        sn_filter=padded("sn_filter", 0),
        numbers=torch.tensor([e.number for e in examples]),
    )


def reversal(mask: Bool[Tensor, "B L"], which: Bool[Tensor, " B"] | None = None) -> Int[Tensor, "B L"]:
    """For each position the position that replaces it: residues of a flipped row in reverse order, padding in place.

    It is its own inverse, so it also restores the original order of a prediction for a flipped batch:
    `prediction.gather(1, order[..., None].expand_as(prediction))`.

    Args:
        mask: False on padding, which follows the residues.
        which: the rows to flip; all by default.
    """
    positions = torch.arange(mask.shape[1], device=mask.device)
    moved = mask if which is None else mask & which[:, None]
    return torch.where(moved, mask.sum(dim=1, keepdim=True) - 1 - positions, positions)


def flipped_features(features: RNAFeatures, which: Bool[Tensor, " B"] | None = None) -> RNAFeatures:
    """The features of the reversed sequences: bases and both axes of the pair probabilities are reversed.

    `residue_index` still increases, and its jumps stay between the same residues: first + last − index.
    """
    mask = features.mask
    order = reversal(mask, which)
    index = features.residue_index
    last = index.gather(1, (mask.sum(dim=1, keepdim=True) - 1).clamp(min=0))
    mirrored = (index[:, :1] + last - index).gather(1, order)
    turned = mask if which is None else mask & which[:, None]
    length = mask.shape[1]
    rows = order[:, :, None].expand(-1, -1, length)
    columns = order[:, None, :].expand(-1, length, -1)
    return replace(
        features,
        bases=features.bases.gather(1, order),
        residue_index=torch.where(turned, mirrored, index),
        pair_probabilities=features.pair_probabilities.gather(1, rows).gather(2, columns),
    )


def flipped(batch: ReactivityBatch, which: Bool[Tensor, " B"] | None = None) -> ReactivityBatch:
    """The batch with the rows in `which` (by default all) read from the 3' end; two flips give the batch itself.

    A flipped sequence is another molecule, but most of its base pairs and open loops stay: it serves as augmentation in
    training and as a second reading in prediction.
    """
    order = reversal(batch.features.mask, which)[..., None].expand_as(batch.reactivity)
    return replace(
        batch,
        features=flipped_features(batch.features, which),
        reactivity=batch.reactivity.gather(1, order),
        observed=batch.observed.gather(1, order),
    )
