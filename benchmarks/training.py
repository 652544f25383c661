"""Training speed: steps and residues per second, plain and compiled, as ratios within one run.

    python benchmarks/training.py --config configs/small.yaml

The batch is made of synthetic RNA of the crop's length, so that nothing but the step is timed.
"""

import sys
import time

import numpy as np
import torch

from rnagen.cli.options import parse
from rnagen.config import TrainConfig
from rnagen.data.dataset import Batch, Chain, CropDataset, Draw, collate
from rnagen.data.pairs import SparsePairs
from rnagen.training.module import FlowModule
from rnagen.training.objective import draw, objective, total

WARM_UP, STEPS = 3, 10


def random_batch(config: TrainConfig) -> Batch:
    """A full batch of random chains of the crop's length."""
    crop, atoms = config.dataset.crop, config.model.atoms
    rng = np.random.default_rng(0)
    pairs = np.array([[i, crop - 1 - i] for i in range(crop // 3)], dtype=np.int16)
    chain = Chain(
        name="random",
        bases=rng.integers(0, 4, crop).astype(np.int32),
        residue_index=np.arange(1, crop + 1, dtype=np.int32),
        coords=rng.normal(scale=20, size=(1, crop, len(atoms), 3)).astype(np.float32),
        mask=np.ones((1, crop, len(atoms)), dtype=bool),
        pairs=SparsePairs(crop, pairs, np.full(len(pairs), 0.9, dtype=np.float32)),
    )
    dataset = CropDataset([chain], atoms, crop, 0.0)
    return collate([dataset[Draw(0, seed)] for seed in range(config.dataset.batch_size)])


def seconds_per_step(config: TrainConfig, compiled: bool, device: str) -> float:
    """Mean time of a forward and backward pass and an optimizer step."""
    torch.manual_seed(0)
    module = FlowModule(config).to(device)
    if compiled:
        module.model.trunk.compile(dynamic=False)
        module.model.latent.compile(dynamic=False)
    optimizer = module.configure_optimizers()["optimizer"]
    batch = random_batch(config).to(device)

    def step() -> None:
        draws = draw(batch, config.dataset.copies, config.transport.time_distribution)
        with torch.autocast(device, torch.bfloat16, enabled=config.optim.precision == "bf16"):
            terms = objective(module.model, module.transport, batch, draws, config)
            loss = total(terms, config.loss, 10_000)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        loss.item()  # waits for the device

    for _ in range(WARM_UP):
        step()
    start = time.perf_counter()
    for _ in range(STEPS):
        step()
    return (time.perf_counter() - start) / STEPS


if __name__ == "__main__":
    config = parse(TrainConfig(), sys.argv[1:], "benchmarks/training.py")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    residues = config.dataset.batch_size * config.dataset.copies * config.dataset.crop
    plain = seconds_per_step(config, False, device)
    compiled = seconds_per_step(config, True, device)
    size = config.dataset
    print(f"{device}, {size.batch_size} RNAs × {size.copies} copies × {size.crop} residues")
    for name, seconds in (("plain", plain), ("compiled", compiled)):
        print(f"{name:>9}: {1 / seconds:6.2f} steps/s {residues / seconds:10,.0f} residues/s {plain / seconds:5.2f} ×")
