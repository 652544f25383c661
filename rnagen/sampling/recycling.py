"""Recycling: the trunk reads a draft that the model has made itself (Jumper et al. 2021, supplement 1.10).

There the trunk runs several times. Here it runs twice: once to make the draft, by a single evaluation of the latent
model from noise, and once with the draft as reference structure. One draft serves all conformers of an RNA.
"""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from rnagen.features import Reference, RNAFeatures
from rnagen.geometry import center
from rnagen.model.model import Context, RNAFlowModel
from rnagen.sampling.denoiser import Flow
from rnagen.transport.flow import Transport
from rnagen.transport.interpolants import clamp_time


@torch.no_grad()
def draft(
    model: RNAFlowModel, transport: Transport, features: RNAFeatures, noise: Float[Tensor, "B L A 3"]
) -> Reference:
    """The structure that the model estimates from noise alone: x̂1 at the beginning of sampling.

    Args:
        model: runs as it is, in training or evaluation mode.
        transport: what its prediction means.
        features: on the device of the model.
        noise: standard normal, one draw for each RNA.
    """
    atoms = features.mask[..., None].expand(noise.shape[:-1])
    t = clamp_time(noise.new_full((len(noise),), transport.start))
    start = center(noise.flatten(1, 2), atoms.flatten(1, 2)).view_as(noise)
    x_t = transport.coefficients(t).expand_to(start).sigma * start
    context = model.condition(features)
    clean = transport.estimate(model(x_t[:, None], t[:, None], context)[:, 0], x_t, t).data
    c1 = clean[:, :, model.config.atoms.index("C1'")] * model.config.sigma_data
    return Reference(c1, features.mask)


def recycled(
    model: RNAFlowModel, transport: Transport, features: RNAFeatures, noise: Float[Tensor, "B L A 3"] | None
) -> RNAFeatures:
    """The features with a draft as reference; without noise, with an empty reference."""
    if noise is None:
        return replace(features, reference=Reference.nothing(features.mask))
    return replace(features, reference=draft(model, transport, features, noise))


def conditioned(flow: Flow, features: RNAFeatures, draft_noise: Float[Tensor, "L A 3"]) -> Context:
    """The context of one RNA (features [1, L]) for sampling: with a draft made from the noise, for a model with
    recycling and features without reference."""
    model = flow.model
    device = next(model.parameters()).device
    features = features.to(device)
    if model.config.recycling and features.reference is None:
        features = recycled(model, flow.transport, features, draft_noise[None].to(device))
    return model.condition(features)
