"""The error of predicted profiles: one exact mean over all observed values."""

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor
from torchmetrics import Metric


class ObservedMean(Metric):
    """Mean of a value over everything observed, by experiment and over all: not a mean of the means of batches.

    Sums and counts are kept in double precision and added up over processes, so that neither the number of batches nor
    of processes changes the mean.
    """

    total: Tensor
    count: Tensor

    def __init__(self, experiments: int) -> None:
        super().__init__()
        self.add_state("total", torch.zeros(experiments, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros(experiments, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, values: Float[Tensor, "*shape E"], observed: Bool[Tensor, "*shape E"]) -> None:
        """Add the values where they were observed."""
        seen = torch.where(observed, values.double(), 0.0)
        self.total += seen.flatten(0, -2).sum(dim=0)
        self.count += observed.flatten(0, -2).sum(dim=0)

    def compute(self) -> Float64[Tensor, " means"]:
        """The mean over all experiments, then that of each (1 + E numbers); NaN where nothing was observed."""
        return torch.cat([(self.total.sum() / self.count.sum())[None], self.total / self.count])
