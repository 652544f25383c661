"""What a training step costs by the size of the model: parameters, memory and seconds, on one thread of a CPU.

    python benchmarks/sizes.py --data DATA --crop 96 --copies 4 --batch-size 1

The presets small, base and large with the same batches of full crops, each in a process of its own. The state (weights,
gradients, both moments of AdamW and the average) is computed, 20 bytes a parameter; peak memory, which has it and what
the backward pass needs, and the seconds of computing are measured.
"""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from rnagen.cli.options import parse
from rnagen.config.files import load_config, load_yaml, to_plain
from rnagen.config.structure import ModelConfig, TrainConfig
from rnagen.model.model import RNAFlowModel

ROOT = Path(__file__).parents[1]
SIZES = ("small", "base", "large")
"""Presets, by their files in configs/."""
BYTES = 4 * 5
"""Of the state, for each parameter in single precision."""
STEPS = 3
"""Of which the fastest counts."""


def sized(config: TrainConfig, size: str) -> TrainConfig:
    """The options with the model of a preset."""
    preset = load_config(TrainConfig(), load_yaml(ROOT / "configs" / f"{size}.yaml"), size)
    return replace(config, model=replace(preset.model, grad_checkpointing=config.model.grad_checkpointing))


def parameters(model: ModelConfig) -> int:
    """Number of parameters; no memory is taken."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in RNAFlowModel(model).parameters())


def measure(config: TrainConfig, folder: Path) -> dict[str, Any]:
    """Seconds of each step and peak memory in GiB."""
    options = folder / "options.json"
    options.write_text(json.dumps(to_plain(config)))
    command = [sys.executable, str(Path(__file__).with_name("training_worker.py")), str(options), str(STEPS)]
    places = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=places, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main(arguments: list[str]) -> None:
    """Measure and print a table."""
    config = parse(TrainConfig(), arguments, "benchmarks/sizes.py")
    options = config.dataset
    print(f"{options.batch_size} × {options.copies} copies of {options.crop} residues, {config.optim.precision}\n")
    print("| | parameters | state | peak memory | seconds per step |")
    print("|---|---|---|---|---|")
    with TemporaryDirectory() as folder:
        for size in SIZES:
            chosen = sized(config, size)
            number, found = parameters(chosen.model), measure(chosen, Path(folder))
            state = BYTES * number / 2**30
            print(
                f"| {size} | {number / 1e6:.1f} M | {state:.2f} GiB | {found['gib']:.2f} GiB | "
                f"{min(found['seconds']):.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1:])
