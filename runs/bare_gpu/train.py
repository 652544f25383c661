"""A training of some minutes on one GPU of a machine without a network: a plain loop about rnagen's own data, model,
objective and moving average.

    python runs/bare_gpu/train.py COMPACT.xz --variants VARIANTS.safetensors --references REFERENCES.safetensors \
        --weights BASE.safetensors --seconds 340 --out OUT

The schedule follows the clock and not a count of steps: it ends when the time is up. Weights are stored along the way,
in half precision and in parts of 15 MiB; `join.py` makes checkpoints of them.
"""

import argparse
import atexit
import json
import shutil
import sys
import tarfile
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from checks import plan
from compact import read_compact
from pack import unpack
from safetensors.torch import load_file, save_file
from trainer import Trainer

from rnagen.config.files import load_config, load_yaml, to_plain
from rnagen.config.structure import DataConfig, LossConfig, ModelConfig, OptimConfig, RunConfig, TrainConfig
from rnagen.data.dataset import Dataset
from rnagen.version import __version__

CONFIG = TrainConfig(
    model=ModelConfig(
        embed_dim=192,
        pair_dim=64,
        trunk_layers=8,
        num_layers=8,
        mha_heads=6,
        dropout=0.15,
        secondary_structure=True,
        references=2,
        strands=True,
    ),
    dataset=DataConfig(
        crop=384,
        tokens=3584,
        copies=16,
        length_power=0.5,
        cluster_power=0.7,
        spatial_crop=0.25,
        structure_share=0.3,
    ),
    optim=OptimConfig(lr=1e-3, weight_decay=0.05, ema_decay=0.999, precision="bf16", compile=True),
    loss=LossConfig(structure_ramp=500),
    run=RunConfig(run_name="base", accelerator="gpu"),
)
STORED = (0.6, 0.8, 1.0)
"""Shares of the training after which weights are stored."""
PART = 15 * 2**20
"""Bytes of a part of the weights at most."""
LOG_EVERY = 100
CHECK_EVERY = 1000


class Run:
    """The loop, its log and the weights that it stores in a folder."""

    def __init__(self, trainer: Trainer, out: Path, described: dict[str, Any]) -> None:
        self.trainer, self.out, self.described = trainer, out, described
        self.examples = 0
        self.log: list[dict[str, Any]] = []
        self.weights: list[dict[str, Any]] = []
        self.logged = 0
        self.started = 0.0

    def warm_up(self) -> None:
        """Compile and record a step of every shape."""
        started = time.monotonic()
        rng, count = np.random.default_rng(0), len(self.trainer.chains)
        plans = self.trainer.plans
        shapes = zip(plans.shapes.tolist(), plans.sizes.tolist())
        self.trainer.prepare({shape: plan(rng.integers(count, size=size), shape, rng) for shape, size in shapes})
        print(f"compiled in {time.monotonic() - started:.0f} s", flush=True)

    def train(self, seconds: float, steps: int | None) -> None:
        """Train until the time is up, or for a number of steps."""
        self.started = time.monotonic()
        trainer, stored = self.trainer, list(STORED)
        while True:
            progress = (time.monotonic() - self.started) / seconds if steps is None else trainer.step / steps
            if stored and progress >= stored[0]:
                self.store(f"w{round(100 * stored.pop(0))}")
            if progress >= 1 and not stored:
                break
            plan = trainer.plans.at(trainer.step)
            self.examples += len(plan.rows)
            trainer.train_step(plan, min(progress, 1.0))
            if trainer.on_gpu and trainer.step % 8 == 0:
                # The clock of the host must not run ahead of the device.
                torch.cuda.synchronize()
            if trainer.step % LOG_EVERY == 0:
                self.report()
        self.report()
        self.write()

    def report(self) -> None:
        """Log the mean losses since the last report, now and then with those of the averaged weights."""
        trainer = self.trainer
        count = max(1, trainer.step - self.logged)
        record: dict[str, Any] = {"step": trainer.step, "seconds": round(time.monotonic() - self.started, 1)}
        record |= {"examples": self.examples}
        record |= {name: round(float(value) / count, 4) for name, value in trainer.sums.items()}
        if trainer.step % CHECK_EVERY == 0 or len(self.weights) == len(STORED):
            record |= trainer.check("train") | trainer.check("val")
        for value in trainer.sums.values():
            value.zero_()
        self.logged = trainer.step
        self.log.append(record)
        print(json.dumps(record), flush=True)

    def store(self, name: str) -> None:
        """Store the averaged weights in half precision."""
        hours = round((time.monotonic() - self.started) / 3600, 4)
        self.weights.append({"name": name, "step": self.trainer.step, "hours": hours})
        parts: list[dict[str, torch.Tensor]] = [{}]
        size = 0
        for key, tensor in self.trainer.average.module.state_dict().items():
            half = tensor.half().cpu().contiguous()
            size += half.nbytes
            if parts[-1] and size > PART:
                parts.append({})
                size = half.nbytes
            parts[-1][key] = half
        for number, part in enumerate(parts):
            save_file(part, self.out / f"{name}_{number}.safetensors")
        self.write()

    def write(self) -> None:
        """Write the description of the run, its weights and its log."""
        run = {"metadata": self.described, "weights": self.weights, "log": self.log}
        (self.out / "run.json").write_text(json.dumps({"config": to_plain(self.trainer.config), **run}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="file of compact.py, or of pack.py with all parts")
    parser.add_argument("--variants", type=Path, help="file of variants.py")
    parser.add_argument("--references", type=Path, help="file of runs/references.py")
    parser.add_argument("--weights", type=Path, help="to begin with, of a model that may lack parts of this one")
    parser.add_argument("--seconds", type=float, default=340, help="of training, after the compilation")
    parser.add_argument("--until", type=float, help="seconds from the start of the program, compilation included")
    parser.add_argument("--steps", type=int, help="of training, instead of the time")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batch", type=float, default=1.0, help="RNAs of a batch, as a share of those of the training")
    parser.add_argument("--config", type=Path, help="YAML file of options that replace those of the training")
    options = parser.parse_args()
    started = time.monotonic()
    if tarfile.is_tarfile(options.data):
        unpacked = Path(tempfile.mkdtemp())
        atexit.register(shutil.rmtree, unpacked, ignore_errors=True)
        for name, path in unpack(options.data, unpacked).items():
            setattr(options, name, path)
    config = CONFIG if options.config is None else load_config(CONFIG, load_yaml(options.config), str(options.config))
    data = read_compact(options.data, config.dataset.cutoff, config.model.atoms)
    variants = None if options.variants is None else Dataset.open(options.variants).chains
    assert config.dataset.tokens is not None
    batches = replace(config.dataset, tokens=round(options.batch * config.dataset.tokens), templates=options.references)
    config = replace(config, dataset=batches)
    trainer = Trainer(config, data, variants, options.device)
    if options.weights is not None:
        trainer.start_from({name: value.float() for name, value in load_file(options.weights).items()})
    examples = len(trainer.data.lengths)
    print(f"{trainer.model.num_parameters:,} parameters, {len(trainer.chains)} chains, {examples} with variants")
    described = {
        "cutoff": config.dataset.cutoff,
        "data": {"source": data.source, "fingerprint": data.fingerprint, "chains": len(trainer.chains)},
        "parameters": trainer.model.num_parameters,
        "command": " ".join(sys.argv),
        "versions": {"rnagen": __version__, "torch": torch.__version__},
    }
    options.out.mkdir(parents=True, exist_ok=True)
    run = Run(trainer, options.out, described)
    run.warm_up()
    if options.until is not None:
        # What is left: the schedule follows the clock.
        options.seconds = max(1.0, options.until - (time.monotonic() - started))
    run.train(options.seconds, options.steps)


if __name__ == "__main__":
    main()
