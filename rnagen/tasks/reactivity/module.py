"""The LightningModule of the reactivity task, its loss and its metric."""

import math

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64
from torch import Tensor
from torchmetrics import Metric

from rnagen.config.reactivity import ReactivityConfig
from rnagen.model.reactivity import ReactivityModel
from rnagen.tasks.reactivity.dataset import ReactivityBatch, flipped
from rnagen.tasks.reactivity.infer import predict
from rnagen.training.compiling import compile_in_place
from rnagen.training.module import spared
from rnagen.training.one_cycle import OneCycleModule


class ReactivityModule(OneCycleModule):
    """Trains a `ReactivityModel` on the absolute error of the observed values.

    Args:
        config: the options of the run.
        experiments: the outputs of the model.
        steps: optimizer steps of the whole run, the length of the one-cycle schedule.
    """

    def __init__(self, config: ReactivityConfig, experiments: tuple[str, ...], steps: int) -> None:
        super().__init__(config.optim, steps)
        self.config = config
        self.model = ReactivityModel(config.model, experiments)
        self.errors, self.filtered_errors = ObservedMean(len(experiments)), ObservedMean(len(experiments))
        self.held_out: dict[int, Float32[np.ndarray, "L E"]] = {}
        """Predictions of the last validation by position in the table; this process's share."""

    @property
    def network(self) -> ReactivityModel:
        """The model."""
        return self.model

    def setup(self, stage: str) -> None:
        if self.config.optim.compile and stage == "fit":
            compile_in_place([self.model.encoder])

    @spared
    def training_step(self, batch: ReactivityBatch, batch_idx: int) -> Tensor:
        # Flips and dropout do not change after a resume: they are a function of seed, step, process and batch index.
        place = (self.config.run.seed, self.global_step, self.global_rank, batch_idx)
        torch.manual_seed(int(np.random.SeedSequence(place).generate_state(1, np.uint64)[0] >> 1))
        # Sampled on the CPU: the same on every device.
        turned = torch.rand(len(batch.numbers)) < self.config.dataset.flip
        batch = flipped(batch, turned.to(batch.numbers.device))
        loss = weighted_error(self.model(batch.features), batch)
        several = self.trainer.world_size > 1
        self.log("train/loss", loss.detach(), batch_size=len(turned), prog_bar=True, sync_dist=several)
        return loss

    def validation_step(self, batch: ReactivityBatch, batch_idx: int) -> None:
        predicted = predict([self.model], batch.features, self.config.run.flip_validation)
        errors = (predicted.double() - batch.reactivity.double().clamp(0, 1)).abs()
        self.errors.update(errors, batch.observed)
        lengths = batch.features.mask.sum(dim=1).tolist()
        rows = zip(batch.numbers.tolist(), predicted.cpu().numpy(), lengths)
        self.held_out |= {number: values[:length] for number, values, length in rows}
        self.filtered_errors.update(errors, batch.observed & batch.sn_filter[:, None])

    def on_validation_epoch_start(self) -> None:
        self.held_out = {}

    def on_validation_epoch_end(self) -> None:
        """Means in double precision: over all values, by experiment, and over the profiles with SN_filter."""
        self.val_means = {}
        for name, metric in (("val/mae", self.errors), ("val/mae_sn_filter", self.filtered_errors)):
            means = zip(("", *(f"/{experiment}" for experiment in self.model.experiments)), metric.compute().tolist())
            self.val_means |= {name + experiment: mean for experiment, mean in means if not math.isnan(mean)}
            metric.reset()


def weighted_error(predicted: Float[Tensor, "B L E"], batch: ReactivityBatch) -> Float[Tensor, ""]:
    """Mean |predicted − observed| over the observed values, targets clipped to [0, 1], each profile weighted.

    Zero if every weight is zero.
    """
    weight = batch.weight[:, None] * batch.observed
    errors = (predicted - batch.reactivity.clamp(0, 1)).abs()
    return (weight * errors).sum() / weight.sum().clamp(min=1e-6)


class ObservedMean(Metric):
    """Exact mean over all observed values, by experiment and in total: not a mean of the means of batches.

    Sums and counts are in double precision and added up over processes, so that the mean depends neither on the number
    of batches nor on that of processes.
    """

    total: Tensor
    count: Tensor

    def __init__(self, experiments: int) -> None:
        super().__init__()
        self.add_state("total", torch.zeros(experiments, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros(experiments, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, values: Float[Tensor, "*shape E"], observed: Bool[Tensor, "*shape E"]) -> None:
        """Add the observed values."""
        seen = torch.where(observed, values.double(), 0.0)
        self.total += seen.flatten(0, -2).sum(dim=0)
        self.count += observed.flatten(0, -2).sum(dim=0)

    def compute(self) -> Float64[Tensor, " means"]:
        """The mean over all experiments, then by experiment (1 + E numbers); NaN where nothing was observed."""
        return torch.cat([(self.total.sum() / self.count.sum())[None], self.total / self.count])
