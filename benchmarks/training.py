"""Training speed of the whole loop, plain and compiled: steps, tokens, and share of the matrix-product peak.

    python benchmarks/training.py --config configs/small.yaml --data train.safetensors

A token is a residue of a copy, padding not counted. The peak is that of one large matrix product in the same precision
in the same run; products are counted by torch.utils.flop_counter, forward and backward. On a CPU, seconds are those
that the process computed, all threads together: other work on the machine does not change them.
"""

import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import lightning as L
import torch
from torch.utils.flop_counter import FlopCounterMode

from rnagen.cli.options import parse
from rnagen.config.structure import TrainConfig
from rnagen.data.batches import Batch
from rnagen.data.plans import WINDOW
from rnagen.tasks.structure.data import RNADataModule
from rnagen.tasks.structure.module import FlowModule
from rnagen.tasks.structure.objective import draw_noise, objective, total
from rnagen.training.trainer import make_trainer

WARM_UP, STEPS = WINDOW, 2 * WINDOW
"""The first window of batches has the lengths that are compiled for."""
PRODUCTS = 10


def seconds(device: torch.device) -> float:
    """Of computing, so far."""
    if device.type == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


class Stopwatch(L.Callback):
    """Times all but the first steps, from batch to average, and keeps what they were made of."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.visible: list[torch.Tensor] = []
        self.lengths: Counter[int] = Counter()
        self.examples: dict[int, Batch] = {}
        """A batch of each padded length."""

    def on_train_batch_start(self, trainer: L.Trainer, module: L.LightningModule, batch: Batch, batch_idx: int) -> None:
        if batch_idx == WARM_UP:
            self.seconds -= seconds(module.device)
        if batch_idx >= WARM_UP:
            length = batch.mask.shape[1]
            self.visible.append(batch.features.mask.sum())
            self.lengths[length] += 1
            self.examples[length] = batch

    def on_train_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self.seconds += seconds(module.device)


def timed_run(config: TrainConfig, folder: Path) -> tuple[Stopwatch, FlowModule, torch.device]:
    """A training run of `WARM_UP + STEPS` steps."""
    torch.manual_seed(config.run.seed)
    data, module, watch = RNADataModule(config), FlowModule(config), Stopwatch()
    data.prepare_data()
    trainer = make_trainer(config, folder, WARM_UP + STEPS, False, None, [watch])
    trainer.fit(module, data)
    return watch, module, trainer.strategy.root_device


def products(config: TrainConfig, module: FlowModule, batch: Batch) -> int:
    """Floating-point operations in the matrix products of one step."""
    with FlopCounterMode(display=False) as counter:
        terms = objective(module.model, module.transport, batch, draw_noise(batch, config, 0), config)
        total(terms, config.loss, 0).backward()
    return counter.get_total_flops()


def peak(precision: str, device: torch.device) -> float:
    """Floating-point operations a second of a large matrix product."""
    size = 1536 if device.type == "cpu" else 8192
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    matrix = torch.randn(size, size, device=device, dtype=dtype)
    matrix @ matrix
    start = seconds(device)
    for _ in range(PRODUCTS):
        matrix @ matrix
    return PRODUCTS * 2 * size**3 / (seconds(device) - start)


def with_flags(config: TrainConfig, **optim: Any) -> TrainConfig:
    """The configuration as one epoch without log lines."""
    run = replace(config.run, train_batches=WARM_UP + STEPS, print_freq=10**6)
    return replace(config, run=run, optim=replace(config.optim, **optim))


if __name__ == "__main__":
    config = parse(TrainConfig(), sys.argv[1:], "benchmarks/training.py")
    torch.set_float32_matmul_precision("high")
    size = config.dataset
    with TemporaryDirectory() as folder:
        counted: dict[int, int] = {}
        for name, compiled in (("plain", False), ("compiled", True)):
            watch, module, device = timed_run(with_flags(config, compile=compiled), Path(folder))
            visible, padded = int(sum(watch.visible)), sum(n * size.batch_size * k for n, k in watch.lengths.items())
            if not counted:
                top = peak(config.optim.precision, device)
                module.to(device)
                counted = {length: products(config, module, batch) for length, batch in watch.examples.items()}
                shape = f"{size.batch_size} RNAs × {size.copies} copies × {size.crop}"
                print(f"{device}, {config.optim.precision}, {shape}")
                print(
                    f"peak {top / 1e12:.3f} TFLOP/s, padding {1 - visible / padded:.1%}, batches {dict(watch.lengths)}"
                )
                plain = watch.seconds
            share = sum(k * counted[n] for n, k in watch.lengths.items()) / watch.seconds / top
            tokens = visible * size.copies / watch.seconds
            print(
                f"{name:>9}: {STEPS / watch.seconds:7.3f} steps/s {tokens:10,.0f} tokens/s"
                f"  {share:6.1%} of the peak  {plain / watch.seconds:5.2f} ×"
            )
