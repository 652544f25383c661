"""One training step, as a CUDA graph where there is a GPU: no number of the host is written within it, and nothing in
it waits for the device."""

import copy
import math
from collections.abc import Iterator
from dataclasses import is_dataclass, replace
from pathlib import Path
from typing import Any

import torch
from checks import fixed_plans, similar_rows
from torch import Tensor

from rnagen.config.structure import TrainConfig
from rnagen.data.batches import Batch, DeviceChains
from rnagen.data.chains import Chains
from rnagen.data.dataset import TrainingData
from rnagen.data.filters import trainable
from rnagen.data.known import KnownStructures
from rnagen.data.mixed_plans import MixedPlans, example_weights
from rnagen.data.plans import BatchPlan
from rnagen.features import RNAFeatures
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
CHECK_COPIES = 8


class Trainer:
    """Model, optimizer, moving average and data on one device.

    Args:
        config: of the training.
        data: training and validation set.
        variants: of chains of the training set; perhaps none.
        device: to train on.
    """

    def __init__(self, config: TrainConfig, data: TrainingData, variants: Chains | None, device: str) -> None:
        torch.manual_seed(config.run.seed)
        # Everything outside autocast is in full precision: geometry, losses, layers of coordinates.
        torch.set_float32_matmul_precision("highest")
        self.config, self.device = config, torch.device(device)
        self.on_gpu = self.device.type == "cuda"
        options = config.dataset
        assert options.tokens is not None
        self.chains = trainable(data.train, options.min_length, Path(data.source))
        every = self.chains if variants is None else self.chains.followed_by(variants)
        weights = example_weights(self.chains, variants, options.length_power, options.cluster_power)
        self.plans = MixedPlans(weights, every.lengths.numpy(), options.crop, options.tokens, config.run.seed)
        shapes = dict(zip(self.plans.shapes.tolist(), self.plans.sizes.tolist()))
        known = None
        if config.model.references:
            known = KnownStructures(every, options.templates, config.model.references, self.device)
        self.data = DeviceChains(every, options.spatial_crop, self.device, options.structure_share, known=known)
        similar = similar_rows(self.chains, data.val.lengths, seed=1)
        self.checks = {
            "train": (self.data, fixed_plans(self.chains, similar, shapes, seed=2)),
            "val": (
                DeviceChains(data.val, 0.0, self.device),
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
            for block in self.model.blocks():
                block.compile(dynamic=False)
        weights = ("flow", *RAMPED, "distogram")
        self.weights = {name: getattr(config.loss, f"{name}_weight") for name in weights}
        self.sums = {name: torch.zeros((), device=self.device) for name in (*weights, "loss", "norm", "skipped")}
        """Of the steps since the last report."""
        self.graphs: dict[int, tuple[torch.cuda.CUDAGraph, list[Tensor]]] = {}
        self.step = 0

    def start_from(self, weights: dict[str, Tensor]) -> None:
        """Begin with the weights of a model that may lack parts of this one, such as the references."""
        for model in (self.model, self.average.module):
            model.load_state_dict({**model.state_dict(), **weights})

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
            self.train_step(plan, 0.0)
        self.model.load_state_dict(start)
        self.average.n_averaged.zero_()
        states = [value for state in self.optimizer.state.values() for value in state.values()]
        for value in (*states, *self.sums.values()):
            value.zero_()
        self.step = 0

    def train_step(self, plan: BatchPlan, progress: float) -> None:
        """One step; `progress` (0 to 1) of the training sets the rate."""
        self.rate.fill_(self.config.optim.lr * rate_factor(progress))
        self.ramp.fill_(min(1.0, (self.step + 1) / self.config.loss.structure_ramp))
        batch, noise = self._inputs(plan)
        if plan.length in self.graphs:
            graph, inputs = self.graphs[plan.length]
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

    def _inputs(self, plan: BatchPlan) -> tuple[Batch, StepNoise]:
        batch = self.data.batch(plan)
        return batch, draw_noise(batch, self.config, self.step)

    def _terms(self, model: RNAFlowModel, batch: Batch, noise: StepNoise, config: TrainConfig) -> dict[str, Tensor]:
        bf16 = config.optim.precision == "bf16"
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=bf16):
            return objective(model, self.transport, batch, noise, config)

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
        batch, noise = self._inputs(plan)
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
    return list(_tensors([read_by_step(batch.features), batch.coords, batch.mask, noise]))


def with_tensors(batch: Batch, noise: StepNoise, tensors: list[Tensor]) -> tuple[Batch, StepNoise]:
    """The same inputs of a step, made of other tensors."""
    rest = iter(tensors)
    features = _replaced(read_by_step(batch.features), rest)
    coords, mask = next(rest), next(rest)
    return replace(batch, features=features, coords=coords, mask=mask), _replaced(noise, rest)


def read_by_step(features: RNAFeatures) -> RNAFeatures:
    """Without the known structures of the chains: the noise holds what becomes of them."""
    return replace(features, references=None)


def _tensors(values: list[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif is_dataclass(value):
            yield from _tensors(list(vars(value).values()))


def _replaced(item: Any, rest: Iterator[Tensor]) -> Any:
    """The same with the next tensors, those of its own parts too."""
    others = {}
    for name, value in vars(item).items():
        if isinstance(value, Tensor):
            others[name] = next(rest)
        elif is_dataclass(value):
            others[name] = _replaced(value, rest)
    return replace(item, **others)
