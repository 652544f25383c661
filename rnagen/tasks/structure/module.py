"""The LightningModule: one training step, validation that samples, averaged weights, non-finite steps skipped."""

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torchmetrics import MeanMetric

from rnagen.config.sampling import SamplingPlan
from rnagen.config.structure import OptimConfig, TrainConfig
from rnagen.data.batches import Batch
from rnagen.data.plans import BUCKETS
from rnagen.features import Chain, from_chain
from rnagen.model.conditioning import freeze_unread
from rnagen.model.model import RNAFlowModel
from rnagen.report.structures import SampledRNA, draw_structures
from rnagen.sampling.conformers import draw_conformers
from rnagen.sampling.denoiser import Flow
from rnagen.tasks.structure.encoder import STATE_KEY, Pretrained
from rnagen.tasks.structure.objective import draw_noise, objective, total
from rnagen.tasks.structure.time_bins import NAMES, flow_by_time
from rnagen.tasks.structure.validation import score_names, validate_conformers
from rnagen.training.average import MovingAverage
from rnagen.training.compiling import compile_in_place
from rnagen.training.module import MeasuredModule, spared
from rnagen.training.optim import clipped_step, decay_groups
from rnagen.training.schedule import Curve, Schedule
from rnagen.transport.flow import Transport

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LOWEST_RATE = 0.01
"""The cosine decay ends at this share of the peak rate."""
MOST_PICTURED = 4
"""Validation chains in the picture: the first ones."""


class FlowModule(MeasuredModule):
    """Trains an `RNAFlowModel` and maintains the exponential moving average of its weights.

    A pretrained encoder is frozen, or trained where `encoder_rate` is above 0. Average and model share a frozen one.

    Args:
        config: options of the run.
        pretrained: the encoder.
        steps: optimizer steps of the whole run.
    """

    def __init__(self, config: TrainConfig, pretrained: Pretrained | None = None, steps: int = 1) -> None:
        super().__init__()
        self.config = config
        self.steps = steps
        encoder = None if pretrained is None else pretrained.encoder
        self.encoder_source = None if pretrained is None else pretrained.source
        if encoder is not None:
            encoder.requires_grad_(config.pretrained.encoder_rate > 0)
            if config.pretrained.encoder_rate:
                freeze_unread(encoder)
        self.model = RNAFlowModel(config.model, encoder).train()
        if config.optim.freeze != "nothing":
            self.model.freeze_trunk(whole=config.optim.freeze == "trunk")
        self.ema = MovingAverage(self.model, config.optim.ema_decay)
        if encoder is not None and not self.model.encoder_trains:
            self.ema.module.encoder = encoder
        self.transport = Transport(
            config.transport.path_type, config.transport.prediction, config.transport.loss_weight
        )
        names = (*score_names(config.run.val_repeat), *NAMES)
        self.val_metrics = torch.nn.ModuleDict({name: MeanMetric() for name in names})
        self.pictured: list[SampledRNA] = []

    @property
    def network(self) -> RNAFlowModel:
        """The model."""
        return self.model

    @property
    def shipped_model(self) -> RNAFlowModel:
        """The weights that validate and are saved for sampling."""
        model = self.ema.module if self.config.optim.ema else self.model
        assert isinstance(model, RNAFlowModel)
        return model

    def load_weights(self, other: RNAFlowModel) -> None:
        """Start from the weights of another model; parts that it lacks stay as they are."""
        for model in (self.model, self.ema.module):
            model.load_state_dict({**model.state_dict(), **other.state_dict()})

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Describe the encoder in the state, so that it can be resumed without the encoder's file."""
        if self.encoder_source is not None:
            checkpoint[STATE_KEY] = self.encoder_source.to_plain()

    def setup(self, stage: str) -> None:
        if self.config.optim.compile and stage == "fit":
            model = self.model
            # Block by block: equal blocks share what is compiled. Graphs a length: with gradient, and without it
            # (self-conditioning).
            compile_in_place((*model.blocks(), model.latent.bias, model.distogram), 2 * BUCKETS)

    @spared
    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        # Dropout too must be the same after a resume; the seed itself is that of the noise.
        torch.manual_seed(batch.seed + 1 + batch.rank)
        noise_of_step = draw_noise(batch, self.config, self.global_step)
        terms = objective(self.model, self.transport, batch, noise_of_step, self.config)
        loss = total(terms, self.config.loss, self.global_step, self.current_epoch)
        if self.reports:
            size, several = len(batch.mask), self.trainer.world_size > 1
            means = {f"train/{name}": value.detach().mean() for name, value in terms.items()}
            self.log_dict(means, batch_size=size, sync_dist=several)
            self.log("train/loss", loss.detach(), batch_size=size, prog_bar=True, sync_dist=several)
        return loss

    @property
    def reports(self) -> bool:
        """Whether this step is one whose losses are logged: collecting them takes time that others need not spend."""
        step = self.global_step + 1
        return step % self.config.run.print_freq == 0 or step == self.steps

    def optimizer_step(self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None) -> None:
        """A step, then the average: in this order, and only if the gradient is finite."""
        norm, taken = clipped_step(optimizer, optimizer_closure, self.model.parameters(), self.config.optim.grad_clip)
        self.ema.update(self.model, taken)
        self.skipped_steps += ~taken
        if self.reports:
            self.log("train/grad_norm", norm)
            self.log_skipped()

    def on_before_zero_grad(self, optimizer: Any) -> None:
        if self.config.optim.check_grad and self.reports:
            for name, part in self.model.named_children():
                gradients = [p.grad.norm() for p in part.parameters() if p.grad is not None]
                if gradients:
                    self.log(f"grad_norm/{name}", torch.stack(gradients).norm())

    def configure_optimizers(self) -> Any:
        options, rate = self.config.optim, self.config.pretrained.encoder_rate
        own = [p for name, p in self.model.named_parameters() if not name.startswith("encoder.")]
        groups = decay_groups(own, options.weight_decay)
        if self.model.encoder is not None and self.model.encoder_trains:
            trained = [p for p in self.model.encoder.parameters() if p.requires_grad]
            groups += [{**group, "lr": rate * options.lr} for group in decay_groups(trained, options.weight_decay)]
        kind = torch.optim.AdamW if options.adamW else torch.optim.Adam
        optimizer = kind(groups, lr=options.lr, fused=True)
        schedule = Schedule(optimizer, self.steps, rate_factor(options, self.steps / self.config.run.epochs))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def validation_step(self, chain: Chain, batch_idx: int) -> None:
        """Sample a whole chain with the averaged weights and score it against all its models; its loss by time."""
        config = self.config
        plan = SamplingPlan(config.run.val_repeat, seed=config.run.seed, options=config.sampler)
        flow = Flow(self.shipped_model, self.transport)
        conformers = draw_conformers(flow, from_chain(chain), chain.name, plan)
        validated = validate_conformers(conformers.coords, chain, config.model.atoms)
        row = {
            **validated.scores,
            **flow_by_time(self.shipped_model, self.transport, chain, config, self.device),
        }
        if len(self.pictured) < MOST_PICTURED and validated.sampled.mask.any():
            self.pictured.append(validated.sampled)
        for name, value in row.items():
            self.mean(name).update(value)
        self.val_table.append({"id": chain.name, "length": len(chain.bases), **row})

    def mean(self, name: str) -> MeanMetric:
        """Mean over the validation RNAs of all processes."""
        metric = self.val_metrics[name]
        assert isinstance(metric, MeanMetric)
        return metric

    def on_validation_epoch_end(self) -> None:
        self.val_means = {f"val/{name}": round(float(self.mean(name).compute()), 4) for name in self.val_metrics}
        scores = {name: value for name, value in self.val_means.items() if "/tm_" in name}
        self.log_dict(scores, prog_bar=True, logger=False)
        for name in self.val_metrics:
            self.mean(name).reset()

    def on_validation_epoch_start(self) -> None:
        self.val_table, self.pictured = [], []

    def validation_picture(self) -> "Figure | None":
        """The first chains of the last validation with their conformers."""
        return draw_structures(self.pictured) if self.pictured else None


def rate_factor(options: OptimConfig, per_epoch: float = 1.0) -> Curve:
    """Linear warm-up, then cosine decay to `LOWEST_RATE`, constant before and afterwards; a factor on the peak rate.

    Args:
        options: of the optimizer.
        per_epoch: steps of an epoch.
    """

    def factor(step: int, steps: int) -> float:
        if step < options.lr_warmup:
            return (step + 1) / options.lr_warmup
        start, end = options.lr_warmup, options.lr_decay
        if options.lr_decay_start is not None:
            start, end = max(start, round(options.lr_decay_start * per_epoch)), steps
        progress = min(1.0, max(0, step - start) / max(1, end - start))
        return LOWEST_RATE + (1 - LOWEST_RATE) * 0.5 * (1 + math.cos(math.pi * progress))

    return factor
