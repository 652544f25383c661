"""A model bound to one RNA: the network that a sampler sees, and the guidance of it."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from rnagen.config.sampling import SamplerConfig
from rnagen.features import RNAFeatures
from rnagen.geometry import superpose
from rnagen.model.model import RNAFlowModel
from rnagen.sampling.recycling import recycled
from rnagen.transport.flow import Transport
from rnagen.transport.guidance import guided
from rnagen.transport.particles import Repulsion
from rnagen.transport.solvers.sampler import Adjustment

CHUNK_RESIDUES = 4096
"""Conformers × residues computed at once unless told otherwise."""
BANDWIDTH = 4.0
"""Å; conformers whose distances differ by less repel each other. About where a TM-score begins to tell two folds of a
hundred residues apart."""


@dataclass(frozen=True)
class Guide:
    """A worse model whose estimates the sampled one is pushed away from."""

    model: RNAFlowModel
    transport: Transport


class Denoiser:
    """The prediction for conformers of one RNA, a few at a time; the trunk runs here alone.

    Args:
        model: moved to where it computes.
        transport: what its prediction means.
        features: of the RNA, [1, L].
        chunk: conformers computed at once; 0: as many as fit `CHUNK_RESIDUES`.
        remembers: hand the data estimate of each call to the next (self-conditioning). The prediction then depends on
            the calls before it: not for a solver that steps back or goes through the conformers one by one.
        draft_noise: what a model with recycling makes its draft from, unless the features carry a reference.
    """

    def __init__(
        self,
        model: RNAFlowModel,
        transport: Transport,
        features: RNAFeatures,
        chunk: int,
        remembers: bool,
        draft_noise: Float[Tensor, "L A 3"],
    ) -> None:
        self.model = model
        self.transport = transport
        device = next(model.parameters()).device
        features, self.draft_noise = features.to(device), draft_noise.to(device)
        if model.config.recycling and features.reference is None:
            features = recycled(model, transport, features, self.draft_noise[None])
        _, self.context = model.encode(features)
        self.chunk = chunk or max(1, CHUNK_RESIDUES // features.bases.shape[1])
        self.remembers = remembers and model.config.self_conditioning
        self.previous: Float[Tensor, "n L A 3"] | None = None

    def __call__(self, x: Float[Tensor, "n L A 3"], t: Float[Tensor, " n"]) -> Float[Tensor, "n L A 3"]:
        parts = []
        for start in range(0, len(x), self.chunk):
            some = slice(start, start + self.chunk)
            before = None if self.previous is None else self.previous[None, some]
            parts.append(self.model(x[None, some], t[None, some], self.context, before)[0])
        prediction = torch.cat(parts)
        if self.remembers:
            self.previous = self.transport.data(prediction, x, t)
        return prediction

    def data(self, x: Float[Tensor, "n L A 3"], t: Float[Tensor, " n"]) -> Float[Tensor, "n L A 3"]:
        """The data estimate x̂1."""
        return self.transport.data(self(x, t), x, t)


def adjustment(
    denoiser: Denoiser, features: RNAFeatures, options: SamplerConfig, guide: Guide | None
) -> Adjustment | None:
    """What the options ask to be done to every data estimate of `denoiser`; None where that is nothing."""
    repulsion = None
    if options.diversity:
        repulsion = Repulsion(options.diversity, BANDWIDTH / denoiser.model.config.sigma_data, denoiser.transport.path)
    away_from = None
    if options.cfg_scale != 1:
        model, transport, seen = denoiser.model, denoiser.transport, features.without_condition()
        if guide is not None:
            model, transport, seen = guide.model, guide.transport, features
        away_from = Denoiser(model, transport, seen, options.chunk, denoiser.remembers, denoiser.draft_noise)
    if repulsion is None and away_from is None:
        return None
    scored = denoiser.model.config.atoms.index("C1'")

    def adjust(data: Tensor, x: Tensor, t: Tensor) -> Tensor:
        if away_from is not None:
            data = guided(data, away_from.data(x, t), options.cfg_scale, superpose_atoms)
        if repulsion is not None:
            # A residue moves as one, with its C1'.
            c1 = data[:, :, scored]
            data = data + (repulsion(c1, t) - c1)[:, :, None]
        return data

    return adjust


def superpose_atoms(mobile: Float[Tensor, "n L A 3"], target: Float[Tensor, "n L A 3"]) -> Float[Tensor, "n L A 3"]:
    """Each conformer of `mobile` superposed on that of `target`, all atoms counted."""
    everything = torch.ones(mobile.flatten(1, 2).shape[:2], dtype=torch.bool, device=mobile.device)
    return superpose(mobile.flatten(1, 2), target.flatten(1, 2), everything).view_as(mobile)
