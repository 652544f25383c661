"""Options of the path between noise and data."""

from dataclasses import dataclass
from typing import Literal

from rnagen.config.files import Basic

PathType = Literal["Linear", "GVP", "VP", "Sqrt"]
Prediction = Literal["velocity", "noise", "score", "data"]
LossWeight = Literal["none", "velocity", "likelihood"]
TimeDistribution = Literal["uniform", "logit-normal", "beta"]


@dataclass(frozen=True)
class TransportConfig:
    """Path between noise and data, and what the model predicts on it."""

    path_type: Basic[PathType] = "Linear"
    """Interpolant between noise (t = 0) and data (t = 1)."""
    prediction: Basic[Prediction] = "velocity"
    """What the latent model predicts."""
    time_distribution: TimeDistribution = "logit-normal"
    """Distribution of the training times; stratified over the copies of an RNA."""
    loss_weight: LossWeight = "none"
    """Weighting of the flow loss over time, for noise and score predictions: velocity gives that of the velocity."""
