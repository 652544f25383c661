"""The training set on the training device: batches are gathered there, without any work per example in Python."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor

from rnagen.data.chains import Chains
from rnagen.data.crops import contiguous_crops, scaled, spatial_crops
from rnagen.data.encodings import encoded_crops
from rnagen.data.known import KnownStructures
from rnagen.data.plans import BatchPlan
from rnagen.encoded import EncodedFile
from rnagen.features import RNAFeatures
from rnagen.geometry import superpose
from rnagen.structure import UNKNOWN


@dataclass(frozen=True)
class Batch:
    """Crops padded to one length: every `world`-th of a global batch, from its `rank`-th on."""

    features: RNAFeatures
    coords: Float[Tensor, "B L A 3"]
    """Å; zero where masked."""
    mask: Bool[Tensor, "B L A"]
    seed: int
    """Of everything random about the global batch."""
    rank: int = 0
    world: int = 1
    models: tuple[Float[Tensor, "B T L A 3"], Bool[Tensor, "B T L A"]] | None = None
    """T experimental models of each crop and their masks, for a model that samples conformers in groups: `coords`
    first, the others superposed on it."""

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on another device; Lightning moves batches by calling this."""
        features, coords, mask = self.features.to(device), self.coords.to(device), self.mask.to(device)
        models = None if self.models is None else (self.models[0].to(device), self.models[1].to(device))
        return Batch(features, coords, mask, self.seed, self.rank, self.world, models)


class DeviceChains:
    """Chains in the memory of a device, and the crops of them that a plan names.

    Tensor sizes come from counts on the host, so that the host never waits for the device.

    Args:
        chains: the training set.
        spatial_share: share of crops that take the residues nearest to a random one.
        device: where the batches are wanted.
        structure_share: share of examples with a secondary structure: for half of them their own, for half a sampled
            one.
        pair_features: whether batches carry pair features.
        encodings: output of a frozen encoder for each chain, read from its file example by example.
        labels: number of the category of each chain, for a model that reads it.
        known: further structures of the chains, for a model that reads references.
    """

    def __init__(
        self,
        chains: Chains,
        spatial_share: float,
        device: torch.device | str = "cpu",
        structure_share: float = 0.0,
        pair_features: bool = False,
        encodings: Sequence[EncodedFile] | None = None,
        labels: Int64[Tensor, " N"] | None = None,
        known: KnownStructures | None = None,
    ) -> None:
        self.known = known
        self.conformers = 1
        """Models of each chain in a batch; set to more for a model that samples conformers in groups."""
        self.most_models = int(chains.num_models.max()) if len(chains) else 1
        self.spatial_share = spatial_share
        self.device = device
        self.structure_share = structure_share
        self.encodings = encodings
        self.scored_atom = chains.atoms.index("C1'")
        self.host_lengths, self.host_pair_counts = chains.lengths.numpy(), chains.pair_counts.numpy()
        self.lengths, self.num_models, self.pair_counts = (
            counts.long().to(device) for counts in (chains.lengths, chains.num_models, chains.pair_counts)
        )
        self.residue_offsets, self.model_offsets, self.pair_offsets = (
            offsets.to(device) for offsets in (chains.residue_offsets, chains.model_offsets, chains.pair_offsets)
        )
        self.bases, self.residue_index = chains.bases.to(device), chains.residue_index.to(device)
        self.coords, self.mask = chains.coords.to(device), chains.mask.to(device)
        self.pairs, self.pair_probabilities = chains.pairs.to(device), chains.pair_probabilities.to(device)
        self.pair_features = chains.pair_features.to(device) if pair_features else None
        self.pair_tables = chains.pair_tables.to(device)
        self.labels = None if labels is None else labels.to(device)

    def batch(self, plan: BatchPlan, rank: int = 0, world: int = 1) -> Batch:
        """A process's share of a global batch: every `world`-th example from the `rank`-th on."""
        host_rows = plan.rows[rank::world]
        rows = torch.from_numpy(host_rows).to(self.device, non_blocking=True)
        choices = torch.from_numpy(plan.choices[rank::world]).to(self.device, non_blocking=True)
        lengths = self.lengths[rows]
        models = self.model_offsets[rows] + lengths * scaled(choices[:, 0], self.num_models[rows])
        visible = self._crop(models, lengths, int(self.host_lengths[host_rows].max()), choices, plan.length)

        # Place of each residue in its crop; residues outside it share a place that is cut off.
        place = torch.where(visible, visible.cumsum(1) - 1, plan.length)
        position = torch.arange(visible.shape[1], device=self.device).expand_as(place)
        residues = position.new_zeros(len(rows), plan.length + 1).scatter(1, place, position)[:, : plan.length]
        mask = torch.arange(plan.length, device=self.device) < visible.sum(1, keepdim=True)
        of_chain, of_model = self.residue_offsets[rows, None] + residues, models[:, None] + residues
        encoded = None
        if self.encodings is not None:
            files = [self.encodings[row] for row in host_rows]
            encoded = encoded_crops(files, residues, mask)
        where, pairs = self._visible_pairs(rows, int(self.host_pair_counts[host_rows].max()), place, plan.length)
        features = RNAFeatures(
            bases=torch.where(mask, self.bases[of_chain].int(), 0),
            residue_index=torch.where(mask, self.residue_index[of_chain], 0),
            mask=mask,
            pair_probabilities=matrix(self.pair_probabilities[pairs], where, plan.length),
            encoded=encoded,
            pair_features=None
            if self.pair_features is None
            else matrix(self.pair_features[pairs].float(), where, plan.length),
            label=None if self.labels is None else self.labels[rows],
            pair_table=self._pair_table(choices[:, 5], of_chain, place, mask) if self.structure_share else None,
        )
        coords, atoms = self._model(of_model, mask)
        if self.known is not None:
            other = self.model_offsets[rows] + lengths * self._other_models(rows, choices[:, 0])
            known, there = self._model(other[:, None] + residues, mask)
            there = there & (self.num_models[rows] > 1)[:, None, None]
            # On the CPU, for the global batch: the same numbers on every device, in any number of processes.
            generator = torch.Generator().manual_seed(plan.seed + 1)
            u = torch.rand(len(plan.rows), 2, self.known.number, generator=generator)[rank::world].to(self.device)
            references = self.known.references(rows, residues, mask, (known, there), u)
            features = replace(features, references=references)
        together = None
        if self.conformers > 1:
            keys = torch.rand(len(plan.rows), self.most_models, generator=torch.Generator().manual_seed(plan.seed + 2))
            which = self._models_together(rows, choices[:, 0], keys[rank::world].to(self.device))
            starts = self.model_offsets[rows, None] + lengths[:, None] * which
            every = [self._model(start[:, None] + residues, mask) for start in starts.unbind(1)]
            together = superposed([(coords, atoms), *every[1:]])
        return Batch(features, coords, atoms, plan.seed, rank, world, together)

    def _model(
        self, rows: Int64[Tensor, "B L"], inside: Bool[Tensor, "B L"]
    ) -> tuple[Float32[Tensor, "B L A 3"], Bool[Tensor, "B L A"]]:
        """Coordinates in these rows, and which of them are known."""
        atoms = self.mask[rows] & inside[..., None]
        return torch.where(atoms[..., None], self.coords[rows], 0.0), atoms

    def _other_models(self, rows: Int64[Tensor, " B"], u: Float32[Tensor, " B"]) -> Int64[Tensor, " B"]:
        """Any model of each chain but the one that `u` chooses, where it has several; which one depends on `u`."""
        count = self.num_models[rows]
        further = 1 + scaled((u * 7919) % 1, (count - 1).clamp(min=1))
        return (scaled(u, count) + further) % count

    def _models_together(
        self, rows: Int64[Tensor, " B"], u: Float32[Tensor, " B"], keys: Float32[Tensor, "B most"]
    ) -> Int64[Tensor, "B T"]:
        """Models of each chain in an order that `keys` choose, the one that `u` chooses first; from the start again
        where there are fewer than T."""
        count = self.num_models[rows, None]
        numbers = torch.arange(keys.shape[1], device=keys.device)
        keys = torch.where(numbers < count, keys, 2.0)
        order = torch.where(numbers == scaled(u, self.num_models[rows])[:, None], -1.0, keys).argsort(dim=1)
        return order.gather(1, torch.arange(self.conformers, device=keys.device) % count)

    def _crop(
        self,
        models: Int64[Tensor, " B"],
        lengths: Int64[Tensor, " B"],
        width: int,
        choices: Float32[Tensor, "B n"],
        size: int,
    ) -> Bool[Tensor, "B {width}"]:
        """The residues that are in the crop, at most `size`."""
        position = torch.arange(width, device=self.device)
        inside = position < lengths[:, None]
        rows = torch.where(inside, models[:, None] + position, 0)
        resolved = self.mask[rows, self.scored_atom] & inside
        stretch = contiguous_crops(resolved, lengths, size, choices[:, 2:4])
        if not self.spatial_share:
            return stretch
        near = spatial_crops(self.coords[rows, self.scored_atom], resolved, size, choices[:, 4])
        is_near = (choices[:, 1] < self.spatial_share) & resolved.any(1)
        return torch.where(is_near[:, None], near, stretch)

    def _visible_pairs(
        self, rows: Int64[Tensor, " B"], most: int, place: Int64[Tensor, "B W"], length: int
    ) -> tuple[tuple[Int64[Tensor, "B P"], ...], Int64[Tensor, "B P"]]:
        """(example, i, j) of up to `most` pairs in each crop, and their rows in the flat tensors; i or j is `length`
        for pairs outside the crop."""
        number = torch.arange(most, device=self.device)
        selected = number < self.pair_counts[rows, None]
        index = torch.where(selected, self.pair_offsets[rows, None] + number, 0)
        pairs = torch.where(selected[..., None], self.pairs[index].long(), 0)
        i, j = (torch.where(selected, place.gather(1, end), length) for end in pairs.unbind(-1))
        example = torch.arange(len(rows), device=self.device)[:, None].expand_as(i)
        return (example, i, j), index

    def _pair_table(
        self,
        choice: Float32[Tensor, " B"],
        of_chain: Int64[Tensor, "B L"],
        place: Int64[Tensor, "B W"],
        mask: Bool[Tensor, "B L"],
    ) -> Int64[Tensor, "B L"]:
        """Pair tables as positions in the crop; unknown for RNAs that are not conditioned on a secondary structure, and
        where the paired residue is outside the crop."""
        which = (choice < self.structure_share / 2).long()
        pair_table = self.pair_tables[of_chain, which[:, None]].long()
        seen = place.gather(1, pair_table.clamp(min=0, max=place.shape[1] - 1))
        pair_table = torch.where(pair_table >= 0, torch.where(seen < mask.shape[1], seen, UNKNOWN), pair_table)
        return torch.where(mask & (choice < self.structure_share)[:, None], pair_table, UNKNOWN)


def superposed(
    models: list[tuple[Float32[Tensor, "B L A 3"], Bool[Tensor, "B L A"]]],
) -> tuple[Float32[Tensor, "B T L A 3"], Bool[Tensor, "B T L A"]]:
    """Models and their masks, each model superposed on the first by the atoms that both have."""
    coords, mask = (torch.stack(part, dim=1) for part in zip(*models))
    first, others = coords[:, :1], coords[:, 1:].flatten(2, 3)
    both = (mask[:, 1:] & mask[:, :1]).flatten(2, 3)
    moved = superpose(others, first.flatten(2, 3).expand_as(others), both).view_as(coords[:, 1:])
    return torch.cat([first, torch.where(mask[:, 1:, ..., None], moved, 0.0)], dim=1), mask


def matrix(
    values: Float32[Tensor, "B P *C"], where: tuple[Int64[Tensor, "B P"], ...], length: int
) -> Float32[Tensor, "B L L *C"]:
    """Symmetric matrices that hold the values at (example, i, j), i < j; those at `length` are cut off."""
    filled = values.new_zeros(len(values), length + 1, length + 1, *values.shape[2:])
    filled[where] = values
    filled = filled[:, :length, :length]
    return filled + filled.transpose(1, 2)
