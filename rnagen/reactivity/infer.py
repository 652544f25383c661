"""Reactivity predicted by trained models: the one place where validation, benchmarks and the command line get it."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from rnagen.features import RNAFeatures
from rnagen.reactivity.flip import flipped_features, reversal
from rnagen.reactivity.model import ReactivityModel


@torch.no_grad()
def predict(models: Sequence[ReactivityModel], features: RNAFeatures, flip: bool) -> Float[Tensor, "B L E"]:
    """Mean reactivity over the models, clipped to [0, 1] as the targets of their training are; zero on padding.

    The mode of the models (`eval()`) and autocast are the caller's.

    Args:
        models: models of the same experiments, on the device of the features.
        features: the RNAs.
        flip: let each model also read the RNAs from the 3' end, and take the mean of both readings.

    Raises:
        ValueError: no model, or models of different experiments.
    """
    if len({model.experiments for model in models}) != 1:
        raise ValueError(f"no common experiments: {[model.experiments for model in models]}")
    predictions = [model(features) for model in models]
    if flip:
        turned = flipped_features(features)
        back = reversal(features.mask)[..., None].expand_as(predictions[0])
        predictions += [model(turned).gather(1, back) for model in models]
    return torch.stack(predictions).mean(dim=0).clamp(0, 1)
