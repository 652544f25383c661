"""Chains laid end to end in a few flat tensors: what training holds in memory, and the one file it can be read from.

The file is safetensors; names, dates and benchmarks of the chains stand in its metadata as JSON. Coordinates stay in
single precision: in half precision atoms of PDB entries would be off by up to 0.5 Å, centred ones by up to 0.14 Å.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float16, Float32, Int16, Int32, Int64, UInt8
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from rnagen.errors import InputError
from rnagen.features import Chain
from rnagen.io.files import atomic_write
from rnagen.secondary.pairs import SparsePairs
from rnagen.structure import PAIR_FEATURES

FORMAT = 2


@dataclass(frozen=True)
class PackedChains:
    """N chains with the atoms that a model generates. Chain i has `lengths[i]` rows in the tensors of residues, that
    many times `num_models[i]` in those of coordinates, model by model, and `pair_counts[i]` in those of base pairs."""

    atoms: tuple[str, ...]
    names: tuple[str, ...]
    release_dates: tuple[str, ...]
    """ISO dates, empty where unknown."""
    benchmarks: tuple[str, ...]
    """Benchmark that owns the chain, empty for none."""
    clusters: Int32[Tensor, " N"]
    """Sequence cluster at 80 % identity."""
    resolved: Float32[Tensor, " N"]
    """Share of residues with C1' in at least one model."""
    resolution: Float32[Tensor, " N"]
    """Of the experiment, Å; NaN where unknown."""
    contacts: Float32[Tensor, " N"]
    """Share of residues near one far away in the sequence; see `rnagen.prepare.quality`."""
    lengths: Int32[Tensor, " N"]
    num_models: Int32[Tensor, " N"]
    pair_counts: Int32[Tensor, " N"]
    bases: UInt8[Tensor, " residues"]
    residue_index: Int32[Tensor, " residues"]
    coords: Float32[Tensor, "rows A 3"]
    """Å; zero where masked."""
    mask: Bool[Tensor, "rows A"]
    pairs: Int16[Tensor, "pairs 2"]
    """i < j, from 0, in the full sequence."""
    pair_probabilities: Float32[Tensor, " pairs"]
    pair_features: Float16[Tensor, "pairs C"]
    """By the channels of `rnagen.structure.EVIDENCE`."""
    pair_tables: Int16[Tensor, "residues 2"]
    """See `rnagen.data.store`."""

    def __len__(self) -> int:
        """Number of chains."""
        return len(self.names)

    @cached_property
    def residue_offsets(self) -> Int64[Tensor, " N"]:
        """First row of each chain in the tensors of residues."""
        return _starts(self.lengths.long())

    @cached_property
    def model_offsets(self) -> Int64[Tensor, " N"]:
        """First row of each chain in the tensors of coordinates."""
        return _starts(self.lengths.long() * self.num_models)

    @cached_property
    def pair_offsets(self) -> Int64[Tensor, " N"]:
        """First row of each chain in the tensors of base pairs."""
        return _starts(self.pair_counts.long())

    def chain(self, i: int) -> Chain:
        """Chain i as arrays, which share the memory of the tensors."""
        length, models, pairs = int(self.lengths[i]), int(self.num_models[i]), int(self.pair_counts[i])
        residues = slice(int(self.residue_offsets[i]), int(self.residue_offsets[i]) + length)
        rows = slice(int(self.model_offsets[i]), int(self.model_offsets[i]) + models * length)
        of_pairs = slice(int(self.pair_offsets[i]), int(self.pair_offsets[i]) + pairs)
        return Chain(
            name=self.names[i],
            bases=self.bases[residues].int().numpy(),
            residue_index=self.residue_index[residues].numpy(),
            coords=self.coords[rows].view(models, length, len(self.atoms), 3).numpy(),
            mask=self.mask[rows].view(models, length, len(self.atoms)).numpy(),
            pairs=SparsePairs(
                length,
                self.pairs[of_pairs].numpy(),
                self.pair_probabilities[of_pairs].numpy(),
                self.pair_features[of_pairs].float().numpy(),
            ),
            pair_tables=self.pair_tables[residues].numpy(),
        )

    def chains(self) -> list[Chain]:
        """All of them."""
        return [self.chain(i) for i in range(len(self))]

    def select(self, rows: Sequence[int]) -> "PackedChains":
        """Some of the chains, in the order given."""
        chosen = torch.tensor(rows, dtype=torch.long)
        residues = _rows(self.residue_offsets, self.lengths.long(), chosen)
        models = _rows(self.model_offsets, self.lengths.long() * self.num_models, chosen)
        pairs = _rows(self.pair_offsets, self.pair_counts.long(), chosen)
        of = dict.fromkeys(("bases", "residue_index", "pair_tables"), residues)
        of |= dict.fromkeys(("coords", "mask"), models)
        of |= dict.fromkeys(("pairs", "pair_probabilities", "pair_features"), pairs)
        changes: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, Tensor):
                changes[item.name] = value[of.get(item.name, chosen)]
            elif item.name != "atoms":
                changes[item.name] = tuple(value[row] for row in rows)
        return replace(self, **changes)

    def select_atoms(self, atoms: tuple[str, ...]) -> "PackedChains":
        """The same chains with the atoms named, in that order.

        Raises:
            KeyError: one of them was not packed.
        """
        missing = [atom for atom in atoms if atom not in self.atoms]
        if missing:
            raise KeyError(missing[0])
        columns = [self.atoms.index(atom) for atom in atoms]
        return replace(self, atoms=atoms, coords=self.coords[:, columns], mask=self.mask[:, columns])

    def followed_by(self, other: "PackedChains") -> "PackedChains":
        """These chains, then others with the same atoms.

        Raises:
            ValueError: the atoms differ.
        """
        if other.atoms != self.atoms:
            raise ValueError(f"chains with the atoms {other.atoms} do not follow chains with {self.atoms}")
        joined: dict[str, Any] = {name: torch.cat([getattr(self, name), getattr(other, name)]) for name in _TENSORS}
        joined |= {name: getattr(self, name) + getattr(other, name) for name in _TEXTS}
        return replace(self, **joined)


@dataclass(frozen=True)
class PackedData:
    """A training and a validation set, and where they come from."""

    train: PackedChains
    val: PackedChains
    synthetic: PackedChains
    """Synthetic RNA to begin with; perhaps none."""
    fingerprint: str
    """Of the dataset they were packed from."""
    source: str
    """Its name, for messages and provenance."""


def pack_chains(
    chains: Sequence[Chain],
    atoms: tuple[str, ...],
    release_dates: Sequence[str],
    benchmarks: Sequence[str],
    clusters: Sequence[int],
    resolutions: Sequence[float],
    contacts: Sequence[float],
) -> PackedChains:
    """Chains with these atoms, one after the other. Their encodings are not taken along."""
    scored = atoms.index("C1'")

    def joined(arrays: list[np.ndarray], empty: np.ndarray) -> Tensor:
        return torch.from_numpy(np.concatenate([empty, *arrays]))

    def numbers(values: Sequence[Any], dtype: torch.dtype) -> Tensor:
        return torch.tensor(values, dtype=dtype)

    count = len(atoms)
    return PackedChains(
        atoms=atoms,
        names=tuple(chain.name for chain in chains),
        release_dates=tuple(release_dates),
        benchmarks=tuple(benchmarks),
        clusters=numbers(clusters, torch.int32),
        resolution=numbers(resolutions, torch.float32),
        contacts=numbers(contacts, torch.float32),
        resolved=numbers([chain.mask[:, :, scored].any(0).mean() for chain in chains], torch.float32),
        lengths=numbers([len(chain.bases) for chain in chains], torch.int32),
        num_models=numbers([len(chain.coords) for chain in chains], torch.int32),
        pair_counts=numbers([len(chain.pairs.pairs) for chain in chains], torch.int32),
        bases=joined([chain.bases.astype(np.uint8) for chain in chains], np.zeros(0, np.uint8)),
        residue_index=joined([chain.residue_index for chain in chains], np.zeros(0, np.int32)),
        coords=joined([c.coords.reshape(-1, count, 3) for c in chains], np.zeros((0, count, 3), np.float32)),
        mask=joined([chain.mask.reshape(-1, count) for chain in chains], np.zeros((0, count), bool)),
        pairs=joined([chain.pairs.pairs for chain in chains], np.zeros((0, 2), np.int16)),
        pair_probabilities=joined([chain.pairs.probabilities for chain in chains], np.zeros(0, np.float32)),
        pair_features=joined(
            [c.pairs.pair_features.astype(np.float16) for c in chains], np.zeros((0, len(PAIR_FEATURES)), np.float16)
        ),
        pair_tables=joined([chain.pair_tables for chain in chains], np.zeros((0, 2), np.int16)),
    )


def save_packed(path: Path, data: PackedData, cutoff: str) -> None:
    """Write all sets to one file, whole or not at all; `cutoff` is the date that the training set was held against.

    Raises:
        OSError: the folder cannot be written or the disk is full.
    """
    tensors: dict[str, Tensor] = {}
    described: dict[str, Any] = {"format": FORMAT, "fingerprint": data.fingerprint, "source": data.source}
    described |= {"cutoff": cutoff, "atoms": data.train.atoms}
    for part in _PARTS:
        chains = getattr(data, part)
        described[part] = {name: getattr(chains, name) for name in _TEXTS}
        tensors |= {f"{part}.{name}": getattr(chains, name).contiguous() for name in _TENSORS}
    with atomic_write(path) as file:
        file.write(save(tensors, {"rnagen": json.dumps(described)}))


def load_packed(path: Path) -> PackedData:
    """Read what `save_packed` wrote.

    Raises:
        InputError: the file is damaged, of another format, or its parts do not fit.
    """
    try:
        with safe_open(path, "pt") as file:
            described = json.loads((file.metadata() or {})["rnagen"])
            if described["format"] != FORMAT:
                raise InputError(path, None, f"packed in format {described['format']!r}, this version reads {FORMAT}")
            parts: dict[str, Any] = {}
            for part in _PARTS:
                values: dict[str, Any] = {name: tuple(described[part][name]) for name in _TEXTS}
                values |= {name: file.get_tensor(f"{part}.{name}") for name in _TENSORS}
                parts[part] = PackedChains(atoms=tuple(described["atoms"]), **values)
            fingerprint, source = str(described["fingerprint"]), str(described["source"])
    except (SafetensorError, OSError) as error:
        raise InputError(path, None, f"cannot be read as safetensors (truncated?): {error}") from error
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise InputError(path, None, f"was not made by `rnagen pack`: {error!r}") from error
    for chains in parts.values():
        _check(chains, path)
    return PackedData(fingerprint=fingerprint, source=source, **parts)


_PARTS = ("train", "val", "synthetic")
_TEXTS = ("names", "release_dates", "benchmarks")
_TENSORS = tuple(item.name for item in fields(PackedChains) if item.name not in ("atoms", *_TEXTS))


def _check(chains: PackedChains, path: Path) -> None:
    of_chains = ("clusters", "resolved", "resolution", "contacts", "lengths", "num_models", "pair_counts")
    rows = {name: len(chains) for name in (*_TEXTS, *of_chains)}
    residues, models = int(chains.lengths.sum()), int((chains.lengths.long() * chains.num_models).sum())
    rows |= {"bases": residues, "residue_index": residues, "pair_tables": residues, "coords": models, "mask": models}
    rows |= dict.fromkeys(("pairs", "pair_probabilities", "pair_features"), int(chains.pair_counts.sum()))
    for name, expected in rows.items():
        if len(getattr(chains, name)) != expected:
            raise InputError(path, name, f"{len(getattr(chains, name))} rows, but the chains have {expected}")


def _starts(counts: Int64[Tensor, " N"]) -> Int64[Tensor, " N"]:
    return counts.cumsum(0) - counts


def _rows(
    starts: Int64[Tensor, " N"], counts: Int64[Tensor, " N"], chosen: Int64[Tensor, " n"]
) -> Int64[Tensor, " rows"]:
    """Rows of the chosen chains in a flat tensor."""
    counts = counts[chosen]
    within = torch.arange(int(counts.sum())) - _starts(counts).repeat_interleave(counts)
    return starts[chosen].repeat_interleave(counts) + within
