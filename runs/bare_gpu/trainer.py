"""One training step, as a CUDA graph where there is a GPU: no number of the host is written within it, and nothing in
it waits for the device."""

import copy
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from mixture import fixed_plans, similar_rows
from torch import Tensor

from rnagen.config.structure import TrainConfig
from rnagen.data.batches import Batch, DeviceChains
from rnagen.data.chains import Chains
from rnagen.data.dataset import TrainingData
from rnagen.data.filters import trainable
from rnagen.data.plans import BatchPlan
from rnagen.geometry import center
from rnagen.model.model import RNAFlowModel
from rnagen.tasks.structure.objective import StepNoise, draw_noise, objective
from rnagen.training.average import MovingAverage
from rnagen.training.optim import decay_groups
from rnagen.transport.flow import Transport

WARM_UP = 0.05
"""Share of the training with a rising rate."""
LAST_RATE = 0.01
"""Rate at the end, as a share of the peak."""
RAMPED = ("lddt", "drmsd", "aligned_mae")
RADIUS = 25.0
"""Å; from this radius of gyration on, about that of a tRNA, the flow loss is relative to the size of the RNA."""
CHECK_COPIES = 8


class Trainer:
    """Model, optimizer, moving average and data on one device.

    Args:
        config: of the training.
        data: training and validation set.
        variants: of chains of the training set; perhaps none.
        shapes: residues of a batch: RNAs in it.
        device: to train on.
    """

    def __init__(
        self, config: TrainConfig, data: TrainingData, variants: Chains | None, shapes: dict[int, int], device: str
    ) -> None:
        torch.manual_seed(config.run.seed)
        # Everything outside autocast is in full precision: geometry, losses, layers of coordinates.
        torch.set_float32_matmul_precision("highest")
        self.config, self.shapes, self.device = config, shapes, torch.device(device)
        self.on_gpu = self.device.type == "cuda"
        options = config.dataset
        self.chains = trainable(data.train, options.min_length, Path(data.source))
        every = self.chains if variants is None else self.chains.followed_by(variants)
        place = max(shapes), options.spatial_crop, self.device, options.structure_share
        self.data = DeviceChains(every, *place)
        similar = similar_rows(self.chains, data.val.lengths, seed=1)
        self.checks = {
            "train": (self.data, fixed_plans(self.chains, similar, shapes, seed=2)),
            "val": (
                DeviceChains(data.val, max(shapes), 0.0, self.device),
                fixed_plans(data.val, torch.arange(len(data.val)).numpy(), shapes, seed=3),
            ),
        }
        self.model = RNAFlowModel(config.model).to(self.device).train()
        self.average = MovingAverage(self.model, config.optim.ema_decay).to(self.device)
        self.transport = Transport("Linear", "velocity")
        self.rate = torch.tensor(config.optim.lr, device=self.device)
        self.ramp = torch.ones((), device=self.device)
        self.optimizer = torch.optim.AdamW(
            decay_groups(self.model.parameters(), config.optim.weight_decay),
            lr=self.rate,
            betas=(0.9, 0.99),
            fused=True,
            capturable=self.on_gpu,
        )
        if config.optim.compile:
            torch._dynamo.config.cache_size_limit = 64
            for block in (*self.model.trunk.blocks, *self.model.latent.blocks):
                block.compile(dynamic=False)
        weights = ("flow", *RAMPED, "distogram")
        self.weights = {name: getattr(config.loss, f"{name}_weight") for name in weights}
        self.sums = {name: torch.zeros((), device=self.device) for name in (*weights, "loss", "norm", "skipped")}
        """Of the steps since the last report."""
        self.graphs: dict[int, tuple[torch.cuda.CUDAGraph, list[Tensor]]] = {}
        self.step = 0

    def prepare(self, plans: dict[int, BatchPlan]) -> None:
        """Compile the steps of all shapes, the largest first, and record them; afterwards the state is as before."""
        start = copy.deepcopy(self.model.state_dict())
        for shape, plan in sorted(plans.items(), reverse=True):
            if self.on_gpu:
                try:
                    self._record(shape, plan)
                except RuntimeError as error:
                    # The same training, but slower.
                    print(f"shape {shape}: no CUDA graph: {error}", flush=True)
            self.train_step(shape, plan, 0.0)
        self.model.load_state_dict(start)
        self.average.n_averaged.zero_()
        states = [value for state in self.optimizer.state.values() for value in state.values()]
        for value in (*states, *self.sums.values()):
            value.zero_()
        self.step = 0

    def train_step(self, shape: int, plan: BatchPlan, progress: float) -> None:
        """One step; `progress` (0 to 1) of the training sets the rate."""
        self.rate.fill_(self.config.optim.lr * rate_factor(progress))
        self.ramp.fill_(min(1.0, (self.step + 1) / self.config.loss.structure_ramp))
        batch, noise = self._inputs(shape, plan)
        if shape in self.graphs:
            graph, inputs = self.graphs[shape]
            for old, new in zip(inputs, tensors_of(batch, noise), strict=True):
                old.copy_(new)
            graph.replay()
        else:
            self._step(batch, noise)
        self.step += 1

    @torch.no_grad()
    def check(self, which: str) -> dict[str, float]:
        """Losses of the averaged weights on the fixed batches, mean over the RNAs."""
        source, plans = self.checks[which]
        config = replace(self.config, dataset=replace(self.config.dataset, copies=CHECK_COPIES))
        model = self.average.module.eval()
        sums: dict[str, float] = dict.fromkeys(self.weights, 0.0)
        for plan in plans:
            batch = source.batch(plan)
            batch = replace(batch, features=replace(batch.features, pair_table=None))
            for name, value in self._terms(model, batch, draw_noise(batch, config, 0), config).items():
                sums[name] += float(value.sum())
        count = sum(len(plan.rows) for plan in plans)
        return {f"{which}/{name}": round(value / count, 4) for name, value in sums.items()}

    def _inputs(self, shape: int, plan: BatchPlan) -> tuple[Batch, StepNoise]:
        cropped = copy.copy(self.data)
        cropped.crop = shape
        batch = cropped.batch(plan)
        return batch, draw_noise(batch, self.config, self.step)

    def _terms(self, model: RNAFlowModel, batch: Batch, noise: StepNoise, config: TrainConfig) -> dict[str, Tensor]:
        bf16 = config.optim.precision == "bf16"
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=bf16):
            terms = objective(model, self.transport, batch, noise, config)
        c1 = config.model.atoms.index("C1'")
        coords, mask = batch.coords[:, :, c1], batch.mask[:, :, c1]
        square = center(coords, mask).square().sum((-2, -1)) / mask.sum(1).clamp(min=1)
        return terms | {"flow": terms["flow"] / (square / RADIUS**2).clamp(min=1)}

    def _step(self, batch: Batch, noise: StepNoise) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        means = {name: value.mean() for name, value in self._terms(self.model, batch, noise, self.config).items()}
        ramps = {name: self.ramp if name in RAMPED else 1.0 for name in means}
        loss = sum(self.weights[name] * ramps[name] * mean for name, mean in means.items())
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.optim.grad_clip)
        finite = torch.isfinite(norm)
        self.optimizer.found_inf = (~finite).float()  # type: ignore[attr-defined]
        self.optimizer.step()
        self.average.update(self.model, finite)
        self.sums["skipped"] += ~finite
        for name, value in {**means, "loss": loss, "norm": norm}.items():
            self.sums[name] += value.detach().nan_to_num(0.0, 0.0, 0.0) * finite

    def _record(self, shape: int, plan: BatchPlan) -> None:
        """Record the step of a shape as a CUDA graph."""
        batch, noise = self._inputs(shape, plan)
        inputs = [tensor.clone() for tensor in tensors_of(batch, noise)]
        batch, noise = with_tensors(batch, noise, inputs)
        stream, memory = torch.cuda.Stream(), next((graph.pool() for graph, _ in self.graphs.values()), None)
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                self._step(batch, noise)
        torch.cuda.current_stream().wait_stream(stream)
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=memory, stream=stream):
            self._step(batch, noise)
        self.graphs[shape] = graph, inputs


def rate_factor(progress: float) -> float:
    """Learning rate as a share of its peak: a linear rise, then a cosine."""
    if progress < WARM_UP:
        return max(progress, 1e-4) / WARM_UP
    share = min(1.0, (progress - WARM_UP) / (1 - WARM_UP))
    return LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * share))


def tensors_of(batch: Batch, noise: StepNoise) -> list[Tensor]:
    """All tensors that a step reads, in the order of `with_tensors`."""
    values = [*vars(batch.features).values(), batch.coords, batch.mask, *vars(noise).values()]
    return [value for value in values if isinstance(value, Tensor)]


def with_tensors(batch: Batch, noise: StepNoise, tensors: list[Tensor]) -> tuple[Batch, StepNoise]:
    """The same inputs of a step, made of other tensors."""
    rest = iter(tensors)

    def others(item: Any) -> dict[str, Tensor]:
        return {name: next(rest) for name, value in vars(item).items() if isinstance(value, Tensor)}

    features = replace(batch.features, **others(batch.features))
    batch = replace(batch, features=features, coords=next(rest), mask=next(rest))
    return batch, replace(noise, **others(noise))
