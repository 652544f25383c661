"""A model bound to one RNA: the network that a solver calls, and its guidance."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rnagen.checkpoints.structure import Checkpoint
from rnagen.config.sampling import SamplerConfig
from rnagen.geometry import superpose
from rnagen.model.model import Context, RNAFlowModel
from rnagen.sampling.restraints import FROM, Restraints
from rnagen.transport.flow import Transport
from rnagen.transport.guidance import guided
from rnagen.transport.particles import Repulsion
from rnagen.transport.sampler import Adjustment

CHUNK_RESIDUES = 4096
"""Default for the conformers × residues computed at once."""
BANDWIDTH = 4.0
"""Å; conformers whose distances differ by less repel each other. About where a TM-score begins to distinguish two
structures of a hundred residues."""
Evaluated = Callable[[int], None]
"""Is called after so many evaluations of the model, of one conformer each."""


def nothing(evaluations: int) -> None:
    """An `Evaluated` for nobody."""


@dataclass(frozen=True)
class Flow:
    """A structure model, and what its predictions mean."""

    model: RNAFlowModel
    transport: Transport

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> "Flow":
        """The model of a checkpoint."""
        config = checkpoint.config.transport
        return cls(checkpoint.model, Transport(config.path_type, config.prediction))


def conformers_at_once(chunk: int, length: int, group: int) -> int:
    """Conformers of `length` residues that are computed at once: `chunk`, or as many as fit `CHUNK_RESIDUES` if that is
    0, but whole groups."""
    chunk = chunk or max(1, CHUNK_RESIDUES // length)
    return max(1, chunk // group) * group


class Denoiser:
    """The prediction for conformers of one RNA, a few at a time.

    Args:
        flow: the model.
        context: of the RNA, by the same model; with references of the RNA, or of each conformer.
        chunk: conformers computed at once; 0: as many as fit `CHUNK_RESIDUES`. Groups are not split.
        remembers: pass the data estimate of each call to the next (self-conditioning). The prediction then depends on
            the calls before it, which a solver that steps back, or takes conformers one by one, cannot use.
        evaluated: is called with the number of conformers after each chunk.
    """

    def __init__(
        self, flow: Flow, context: Context, chunk: int, remembers: bool, evaluated: Evaluated = nothing
    ) -> None:
        self.flow = flow
        self.context = context
        self.chunk = conformers_at_once(chunk, context.features.bases.shape[1], flow.model.config.num_conformers)
        self.remembers = remembers and flow.model.config.self_conditioning
        self.evaluated = evaluated
        self.previous: Float[Tensor, "n L A 3"] | None = None

    def __call__(self, x: Float[Tensor, "n L A 3"], t: Float[Tensor, " n"]) -> Float[Tensor, "n L A 3"]:
        parts = []
        for start in range(0, len(x), self.chunk):
            some = slice(start, start + self.chunk)
            before = None if self.previous is None else self.previous[None, some]
            parts.append(self.flow.model(x[None, some], t[None, some], self.context.some(some), before)[0])
            self.evaluated(len(parts[-1]))
        prediction = torch.cat(parts)
        if self.remembers:
            self.previous = self.flow.transport.estimate(prediction, x, t).data
        return prediction

    def data(self, x: Float[Tensor, "n L A 3"], t: Float[Tensor, " n"]) -> Float[Tensor, "n L A 3"]:
        """The data estimate x̂1."""
        return self.flow.transport.estimate(self(x, t), x, t).data


@dataclass(frozen=True)
class Fixed:
    """Parts of the structure that are known: in every estimate they take the place of what the model estimates, so that
    it completes them."""

    coords: Float[Tensor, "n L A 3"]
    """In units of the model, in any pose."""
    mask: Bool[Tensor, "n L A"]
    """Atoms that are known."""
    until: Float[Tensor, " n"]
    """Times from which on the model is free to move them; 1 for never."""

    def __call__(self, data: Float[Tensor, "n L A 3"], t: Float[Tensor, " n"]) -> Float[Tensor, "n L A 3"]:
        """The estimate with the known atoms, superposed on it."""
        flat, mask = data.flatten(1, 2), self.mask.flatten(1, 2)
        moved = superpose(self.coords.flatten(1, 2), flat, mask)
        replaced = self.stands(t).flatten(1, 2)
        return torch.where(replaced[..., None], moved, flat).view_as(data)

    def stands(self, t: Float[Tensor, " n"]) -> Bool[Tensor, "n L A"]:
        """Atoms that stand as they are known at these times."""
        return self.mask & ((t < self.until) | (self.until >= 1))[:, None, None]


def adjustment(
    denoiser: Denoiser, options: SamplerConfig, away_from: Denoiser | None, fixed: Fixed | None = None
) -> Adjustment | None:
    """What the options do to every data estimate of `denoiser`: guidance away from another denoiser, repulsion among
    conformers, known parts, and restraints of the geometry; None where they do nothing."""
    model = denoiser.flow.model
    repulsion = None
    if options.diversity:
        path = denoiser.flow.transport.path
        repulsion = Repulsion(options.diversity, BANDWIDTH / model.config.sigma_data, path)
    restraints = None
    if options.restraints:
        restraints = Restraints.of(denoiser.context.features, model.config.atoms)
    if repulsion is None and away_from is None and fixed is None and restraints is None:
        return None
    scored = model.config.atoms.index("C1'")

    def adjust(data: Tensor, x: Tensor, t: Tensor) -> Tensor:
        if away_from is not None:
            data = guided(data, away_from.data(x, t), options.cfg_scale, superpose_atoms)
        if repulsion is not None:
            # A residue moves as one, with its C1'.
            c1 = data[:, :, scored]
            data = data + (repulsion(c1, t) - c1)[:, :, None]
        data = data if fixed is None else fixed(data, t)
        if restraints is None or t[0] < FROM:
            return data
        free = None if fixed is None else ~fixed.stands(t)
        return restraints.satisfied(data * model.config.sigma_data, free) / model.config.sigma_data

    return adjust


def superpose_atoms(mobile: Float[Tensor, "n L A 3"], target: Float[Tensor, "n L A 3"]) -> Float[Tensor, "n L A 3"]:
    """Each conformer of `mobile` superposed on that of `target`, all atoms counted."""
    everything = torch.ones(mobile.flatten(1, 2).shape[:2], dtype=torch.bool, device=mobile.device)
    return superpose(mobile.flatten(1, 2), target.flatten(1, 2), everything).view_as(mobile)
