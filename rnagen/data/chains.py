"""Chains laid end to end in a few flat tensors: what a dataset holds, in memory or mapped from its file."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float16, Float32, Int16, Int32, Int64, UInt8
from torch import Tensor

from rnagen.features import Chain
from rnagen.secondary.pairs import SparsePairs
from rnagen.structure import BASES, RNAStructure


@dataclass(frozen=True)
class ChainInfo:
    """What a dataset records about one chain, apart from its arrays. Strings are empty where nothing is known."""

    name: str
    """PDB entry in lower case, underscore, chain; the name alone where there is no chain."""
    entry: str
    """PDB entry in lower case, or the name of the file or target."""
    chain: str = ""
    """Author chain, case preserved."""
    kind: str = "full"
    """'full' for all heavy atoms, 'c1' for C1' only."""
    release_date: str = ""
    """ISO date."""
    method: str = ""
    """Experiment."""
    resolution: float = float("nan")
    """Å; NaN where unknown."""
    title: str = ""
    """Of the entry."""
    cluster: int = -1
    """Sequence cluster at 80 % identity."""
    benchmark: str = ""
    """Benchmark that owns the chain, which then never trains."""
    target: bool = False
    """The chain is a target of that benchmark, not only a reference structure of one."""
    source: str = ""
    """File it was read from."""
    split: str = ""
    """'train', 'val' or 'synthetic' in a file that carries its own splits; empty where tables list them."""
    resolved: float = 1.0
    """Share of residues with C1' in at least one model; see `rnagen.preparation.quality` for the following columns."""
    breaks: float = 0.0
    """Gaps in the chain."""
    bond_outliers: float = 0.0
    """Share of bead distances within residues that no RNA has."""
    clashes: float = 0.0
    """Pairs of C1' atoms closer than two stacked bases allow, per residue."""
    contacts: float = 1.0
    """Share of residues that touch a residue far away in the sequence."""
    radius_of_gyration: float = 0.0
    """Å, C1'."""


@dataclass(frozen=True)
class Chains:
    """N chains. Chain i has `lengths[i]` rows in the tensors of residues, that many times `num_models[i]` in those of
    coordinates, model by model, and `pair_counts[i]` in those of base pairs."""

    atoms: tuple[str, ...]
    infos: tuple[ChainInfo, ...]
    lengths: Int32[Tensor, " N"]
    num_models: Int32[Tensor, " N"]
    pair_counts: Int32[Tensor, " N"]
    bases: UInt8[Tensor, " residues"]
    """Codes over `rnagen.structure.BASES`."""
    residue_index: Int32[Tensor, " residues"]
    coords: Float32[Tensor, "rows A 3"]
    """Å; zero where masked. In half precision, atoms of PDB entries would be off by up to 0.5 Å."""
    mask: Bool[Tensor, "rows A"]
    pairs: Int16[Tensor, "pairs 2"]
    """i < j, from 0, in the full sequence."""
    pair_probabilities: Float32[Tensor, " pairs"]
    pair_features: Float16[Tensor, "pairs C"]
    """By the channels of `rnagen.structure.PAIR_FEATURES`."""
    pair_tables: Int16[Tensor, "residues 2"]
    """Paired residue in the structure, and in the nearest of some secondary structures sampled by ViennaRNA; −1 for
    unpaired, −2 where unknown."""

    @classmethod
    def stack(cls, atoms: tuple[str, ...], infos: Sequence[ChainInfo], chains: Sequence[Chain]) -> "Chains":
        """One or more chains with these atoms, end to end. Their encodings are left out."""
        parts = [flat_arrays(chain) for chain in chains]
        tensors = {name: torch.from_numpy(np.concatenate([part[name] for part in parts])) for name in parts[0]}
        return cls(atoms, tuple(infos), **tensors)

    def __len__(self) -> int:
        """Number of chains."""
        return len(self.infos)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Identifiers of the chains."""
        return tuple(info.name for info in self.infos)

    @cached_property
    def rows(self) -> dict[str, int]:
        """Row number of each chain by its name."""
        return {name: row for row, name in enumerate(self.names)}

    @cached_property
    def clusters(self) -> Int64[Tensor, " N"]:
        """Sequence cluster of each chain."""
        return torch.tensor([info.cluster for info in self.infos], dtype=torch.long)

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
        """Chain i as arrays that share the memory of the tensors; of a mapped file, nothing else is read."""
        length, models, pairs = int(self.lengths[i]), int(self.num_models[i]), int(self.pair_counts[i])
        residues = slice(int(self.residue_offsets[i]), int(self.residue_offsets[i]) + length)
        rows = slice(int(self.model_offsets[i]), int(self.model_offsets[i]) + models * length)
        of_pairs = slice(int(self.pair_offsets[i]), int(self.pair_offsets[i]) + pairs)
        return Chain(
            name=self.infos[i].name,
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

    def sequence(self, i: int) -> str:
        """Full sequence of chain i."""
        start = int(self.residue_offsets[i])
        return "".join(BASES[code] for code in self.bases[start : start + int(self.lengths[i])].tolist())

    def structure(self, i: int) -> RNAStructure:
        """Chain i with all its models and atoms."""
        chain, info = self.chain(i), self.infos[i]
        return RNAStructure(
            name=info.name,
            sequence=chain.sequence,
            coords=chain.coords,
            mask=chain.mask,
            atoms=self.atoms,
            residue_index=chain.residue_index,
            entry=info.entry,
            chain=info.chain,
            release_date=info.release_date,
            method=info.method,
            resolution=info.resolution,
            title=info.title,
        )

    def select(self, rows: Sequence[int], atoms: tuple[str, ...] | None = None) -> "Chains":
        """Some of the chains, in the order given, in memory.

        Args:
            rows: row numbers.
            atoms: those to select, in this order; all by default. `N` is the glycosidic nitrogen of each residue.

        Raises:
            KeyError: an atom that the chains do not have.
        """
        chosen = torch.tensor(rows, dtype=torch.long)
        residues = _rows(self.residue_offsets, self.lengths.long(), chosen)
        models = _rows(self.model_offsets, self.lengths.long() * self.num_models, chosen)
        pairs = _rows(self.pair_offsets, self.pair_counts.long(), chosen)
        of = dict.fromkeys(("lengths", "num_models", "pair_counts"), chosen)
        of |= dict.fromkeys(("bases", "residue_index", "pair_tables"), residues)
        of |= dict.fromkeys(("pairs", "pair_probabilities", "pair_features"), pairs)
        tensors = {name: getattr(self, name)[index] for name, index in of.items()}
        infos = tuple(self.infos[row] for row in rows)
        if atoms is None or atoms == self.atoms:
            return replace(self, infos=infos, coords=self.coords[models], mask=self.mask[models], **tensors)
        columns = self._columns(atoms, chosen)
        coords, mask = self.coords[models[:, None], columns], self.mask[models[:, None], columns]
        return replace(self, atoms=atoms, infos=infos, coords=coords, mask=mask, **tensors)

    def _columns(self, atoms: tuple[str, ...], chosen: Int64[Tensor, " n"]) -> Int64[Tensor, "rows A"]:
        """Column of each atom in each row of the coordinates of the chosen chains."""
        lengths, counts = self.lengths[chosen].long(), (self.lengths.long() * self.num_models)[chosen]
        within = torch.arange(int(counts.sum())) - _starts(counts).repeat_interleave(counts)
        residue = self.residue_offsets[chosen].repeat_interleave(counts) + within % lengths.repeat_interleave(counts)
        is_purine = torch.isin(self.bases[residue], torch.tensor([BASES.index("A"), BASES.index("G")]))
        place = {name: column for column, name in enumerate(self.atoms)}
        columns = [
            torch.where(is_purine, place["N9"], place["N1"])
            if atom == "N" and "N" not in place
            else torch.full_like(residue, place[atom])
            for atom in atoms
        ]
        return torch.stack(columns, dim=1)

    def followed_by(self, other: "Chains") -> "Chains":
        """These chains, then others with the same atoms.

        Raises:
            ValueError: the atoms differ.
        """
        if other.atoms != self.atoms:
            raise ValueError(f"chains with the atoms {other.atoms} cannot follow chains with {self.atoms}")
        joined: dict[str, Any] = {name: torch.cat([getattr(self, name), getattr(other, name)]) for name in TENSORS}
        return replace(self, infos=self.infos + other.infos, **joined)


TENSORS = tuple(item.name for item in fields(Chains) if item.name not in ("atoms", "infos"))
"""Names of the tensors of `Chains`."""


def flat_arrays(chain: Chain) -> dict[str, np.ndarray]:
    """The rows of one chain in each tensor of `Chains`."""
    pairs, atoms = chain.pairs, chain.mask.shape[2]
    return {
        "lengths": np.array([len(chain.bases)], dtype=np.int32),
        "num_models": np.array([len(chain.coords)], dtype=np.int32),
        "pair_counts": np.array([len(pairs.pairs)], dtype=np.int32),
        "bases": chain.bases.astype(np.uint8),
        "residue_index": chain.residue_index,
        "coords": chain.coords.reshape(-1, atoms, 3),
        "mask": chain.mask.reshape(-1, atoms),
        "pairs": pairs.pairs,
        "pair_probabilities": pairs.probabilities,
        "pair_features": pairs.pair_features.astype(np.float16),
        "pair_tables": chain.pair_tables,
    }


def _starts(counts: Int64[Tensor, " N"]) -> Int64[Tensor, " N"]:
    return counts.cumsum(0) - counts


def _rows(
    starts: Int64[Tensor, " N"], counts: Int64[Tensor, " N"], chosen: Int64[Tensor, " n"]
) -> Int64[Tensor, " rows"]:
    """Rows of the chosen chains in a flat tensor."""
    counts = counts[chosen]
    within = torch.arange(int(counts.sum())) - _starts(counts).repeat_interleave(counts)
    return starts[chosen].repeat_interleave(counts) + within
