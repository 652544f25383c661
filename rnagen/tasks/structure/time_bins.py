"""The flow loss of validation chains by flow time: where on the way from noise to data the model errs."""

import torch
from torch import Tensor

from rnagen.config.structure import TrainConfig
from rnagen.data.batches import Batch
from rnagen.features import Chain, from_chain
from rnagen.geometry import random_rotations
from rnagen.model.model import RNAFlowModel
from rnagen.structure import PAIR_FEATURES
from rnagen.tasks.structure.objective import StepNoise, objective
from rnagen.transport.flow import Transport

BINS = 4
"""Of equal width; the first is next to the noise."""
COPIES = 2
"""Noised copies of a chain in each bin."""
NAMES = tuple(f"flow_bin{number}" for number in range(1, BINS + 1))


@torch.no_grad()
def flow_by_time(
    model: RNAFlowModel, transport: Transport, chain: Chain, config: TrainConfig, device: torch.device
) -> dict[str, float]:
    """The flow loss of the first model of a chain at times in the middle of each bin; the noise is that of the seed."""
    features = from_chain(chain)
    coords, mask = torch.from_numpy(chain.coords[:1]), torch.from_numpy(chain.mask[:1])
    batch = Batch(features, coords, mask, config.run.seed).to(device)
    generator = torch.Generator().manual_seed(config.run.seed)
    rotation = random_rotations(COPIES, generator)[None].to(device)
    if config.model.num_conformers > 1:
        # They are one group: in one pose.
        rotation = rotation[:, :1].expand_as(rotation)
    noise = torch.randn(1, COPIES, *coords.shape[1:], generator=generator).to(device)

    def loss(number: int) -> Tensor:
        t = torch.full((1, COPIES), (number + 0.5) / BINS, device=device)
        nothing = torch.zeros(1, dtype=torch.bool, device=device)
        channels = nothing[:, None].expand(1, len(PAIR_FEATURES))
        step_noise = StepNoise(rotation, t, noise, nothing, channels, nothing, False)
        return objective(model, transport, batch, step_noise, config)["flow"].mean()

    return {name: float(loss(number)) for number, name in enumerate(NAMES)}
