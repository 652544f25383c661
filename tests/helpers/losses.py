"""The loss terms of a batch under a tiny model."""

import torch

from rnagen.data.batches import Batch
from rnagen.tasks.structure.objective import StepNoise, objective
from rnagen.transport.flow import Transport
from tests.helpers.tiny import TINY, tiny_model


def losses(batch: Batch, noise_of_step: StepNoise, model=None, config=TINY) -> dict[str, torch.Tensor]:
    transport = Transport(config.transport.path_type, config.transport.prediction)
    return objective(model or tiny_model(config), transport, batch, noise_of_step, config)
