"""What a dataset knows of the structure of a training chain besides the structure that is to be predicted: templates,
and the other models of its entry."""

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from rnagen.data.chains import Chains
from rnagen.data.crops import scaled
from rnagen.data.references import ChainReferences
from rnagen.features import References
from rnagen.structure import BEADS

TEMPLATE_SHARE = 0.8
"""How often a template is chosen for a chain that has both templates and other models."""


class KnownStructures:
    """Templates and other models of the chains of a training set, on its device.

    Args:
        chains: the training set.
        file: of `runs/references.py`; None for other models alone.
        number: structures of each example.
        device: of the training set.
    """

    def __init__(self, chains: Chains, file: Path | None, number: int, device: torch.device | str) -> None:
        self.number = number
        templates = _none() if file is None else ChainReferences.open(file)
        parents = [_parent(name) for name in chains.names]
        known = [templates.of(name) for name, _ in parents]
        self.count = torch.tensor([len(some) for some in known]).to(device)
        self.first = (self.count.cumsum(0) - self.count).to(device)
        self.start = torch.tensor([start for _, start in parents]).to(device)
        chosen = torch.tensor([k for some in known for k in some], dtype=torch.long)
        self.offsets = templates.offsets[chosen].to(device)
        columns = [BEADS.index(atom) for atom in chains.atoms] if len(templates) else list(range(len(chains.atoms)))
        self.coords, self.mask = templates.coords[:, columns].to(device), templates.mask[:, columns].to(device)
        self.trust = _per_known_residue(templates)[chosen].to(device)

    def references(
        self,
        rows: Int64[Tensor, " B"],
        residues: Int64[Tensor, "B L"],
        inside: Bool[Tensor, "B L"],
        other: tuple[Float32[Tensor, "B L A 3"], Bool[Tensor, "B L A"]],
        u: Float32[Tensor, "B 2 R"],
    ) -> References:
        """Known structures of crops, each in a pose of its own; empty where there is none. Trust is NaN in other
        models.

        Args:
            rows: of the chains.
            residues: of the crops, as places in the chains.
            inside: which places of a crop are residues.
            other: another model of each chain, masked where there is one model.
            u: numbers in [0, 1) that choose.
        """
        count = self.count[rows, None]
        which = torch.where(count > 0, self.first[rows, None] + scaled(u[:, 0], count), 0)
        coords, mask = (values[:, None].expand(-1, self.number, *values.shape[1:]) for values in other)
        trust = torch.full_like(u[:, 0], torch.nan)
        if len(self.offsets):
            is_template = (count > 0) & ((u[:, 1] < TEMPLATE_SHARE) | ~mask.flatten(2).any(-1))
            first = self.offsets[which] + self.start[rows, None]
            place = torch.where(inside[:, None], first[..., None] + residues[:, None], 0)
            known = self.mask[place] & inside[:, None, :, None]
            mask = torch.where(is_template[..., None, None], known, mask)
            coords = torch.where(is_template[..., None, None, None], self.coords[place], coords)
            trust = torch.where(is_template, self.trust[which], trust)
        coords = torch.where(mask[..., None], coords, 0.0)
        return References(coords, mask, trust[..., None].expand(-1, -1, residues.shape[1]))


def _parent(name: str) -> tuple[str, int]:
    """The chain that a variant (PARENT/START/NUMBER) stands for, and where it starts there; a chain itself, from 0."""
    parts = name.rsplit("/", 2)
    if len(parts) == 3 and parts[1].isdigit():
        return parts[0], int(parts[1])
    return name, 0


def _per_known_residue(templates: ChainReferences) -> Float32[Tensor, " N"]:
    """Predicted TM-scores count the residues that a template lacks: what they are for those that it has."""
    has = templates.mask.any(1).float()
    known: Sequence[Tensor] = has.split(templates.lengths.tolist()) if len(templates) else []
    coverage = torch.tensor([float(one.mean()) for one in known])
    return (templates.trust / coverage.clamp(min=1e-3)).clamp(max=1.0) if len(templates) else coverage


def _none() -> ChainReferences:
    empty = torch.zeros(0)
    beads = len(BEADS)
    return ChainReferences(
        (), (), empty, empty.long(), torch.zeros(0, beads, 3), torch.zeros(0, beads, dtype=torch.bool)
    )
