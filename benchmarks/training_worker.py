"""Some training steps of one way to train: what benchmarks/training.py compares, one process each.

python benchmarks/training_worker.py options.json STEPS [THREADS]     on the rnagen in PYTHONPATH
"""

import json
import resource
import sys
import time
from itertools import islice
from pathlib import Path

import torch

from rnagen.config.files import load_config
from rnagen.config.structure import TrainConfig
from rnagen.data.batches import Batch, DeviceChains
from rnagen.data.plans import PlanStream, chain_weights
from rnagen.memory import keep_freed_memory
from rnagen.tasks.structure.data import RNADataModule
from rnagen.tasks.structure.module import FlowModule
from rnagen.tasks.structure.objective import draw_noise, objective, total

BATCHES = 4
"""Different batches, taken in turn."""
SEARCHED = 10_000
"""Batches among which full ones are looked for."""


def full_batches(config: TrainConfig) -> list[Batch]:
    """The first batches whose longest crop is as long as a crop can be: one shape, one compilation."""
    data = RNADataModule(config)
    data.prepare_data()
    data.setup("fit")
    options, chains = config.dataset, data.train_chains
    lengths = chains.lengths.numpy()
    weights = chain_weights(lengths, chains.clusters.numpy(), options.length_power, options.cluster_power)
    plans = PlanStream(weights, lengths, options.crop, options.batch_size, config.run.seed)
    full = (plan for plan in map(plans.at, range(SEARCHED)) if plan.length == options.crop)
    source = DeviceChains(chains, options.spatial_crop)
    return [source.batch(plan) for plan in islice(full, BATCHES)]


class Training:
    """The training loop of `FlowModule` without Lightning."""

    def __init__(self, config: TrainConfig) -> None:
        torch.manual_seed(config.run.seed)
        self.config = config
        self.module = FlowModule(config)
        self.module.setup("fit")
        chosen = self.module.configure_optimizers()
        self.optimizer, self.schedule = chosen["optimizer"], chosen["lr_scheduler"]["scheduler"]

    def loss(self, batch: Batch, step: int) -> torch.Tensor:
        """Forward."""
        config, bf16 = self.config, self.config.optim.precision == "bf16"
        torch.manual_seed(step)
        noise = draw_noise(batch, config, step)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            terms = objective(self.module.model, self.module.transport, batch, noise, config)
        return total(terms, config.loss, step)

    def step(self, batch: Batch, step: int) -> float:
        """Forward, backward, clipping, optimizer, average."""
        loss = self.loss(batch, step)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.module.model.parameters(), self.config.optim.grad_clip)
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad()
        self.module.ema.update(self.module.model, torch.tensor(True))
        return float(loss.detach())


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    torch.set_float32_matmul_precision("high")
    keep_freed_memory()
    config = load_config(TrainConfig(), json.loads(Path(sys.argv[1]).read_text()), sys.argv[1])
    batches, training = full_batches(config), Training(config)
    seconds, wall, losses = [], [], []
    for step in range(int(sys.argv[2])):
        started, clock = time.process_time(), time.perf_counter()
        losses.append(training.step(batches[step % len(batches)], step))
        seconds.append(time.process_time() - started)
        wall.append(time.perf_counter() - clock)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"seconds": seconds, "wall": wall, "losses": losses, "gib": most}))
