"""Training speed on one thread of a CPU: seconds per step of several ways to train, and their losses.

    python benchmarks/training.py --config configs/base.yaml --data DATA --crop 256 --batch-size 2
    python benchmarks/training.py --against OLD --config configs/base.yaml --data DATA

A step is forward, backward, clipping, optimizer and average, for batches of full crops. Each way is a process of its
own; seconds are those that it computed, so that other work on the machine changes them little. All begin with the same
weights and see the same batches and noise: their losses can be compared, but for dropout, which compiled networks draw
in another order. OLD is another checkout of rnagen with this benchmark, measured beside this one. The share of the
peak counts the matrix products of a step (torch.utils.flop_counter) against one large product in the same precision.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).parent))
from training_worker import Training, full_batches

from rnagen.cli.options import parse
from rnagen.config.files import to_plain
from rnagen.config.structure import TrainConfig
from rnagen.devices import multiplies_bfloat16

WAYS: dict[str, tuple[bool, Literal["32", "bf16"]]] = {
    "plain": (False, "32"),
    "compiled": (True, "32"),
    "compiled, bf16": (True, "bf16"),
}
"""Whether networks are compiled, and the precision."""
FIRST, STEPS = 3, 10
"""Steps that are not timed, because networks are compiled in them; all steps."""
SIZE, PRODUCTS = 1536, 10
"""Of the large matrix product, and how often it is measured."""


@dataclass(frozen=True)
class Measured:
    """The steps of one way to train."""

    precision: str
    seconds: list[float]
    losses: list[float]
    gib: float

    @property
    def typical(self) -> float:
        """Seconds per step."""
        return median(self.seconds[FIRST:])


def measure(root: Path, config: TrainConfig, folder: Path) -> Measured:
    """Train with the rnagen of a checkout, in a process of its own."""
    options = folder / "options.json"
    options.write_text(json.dumps(to_plain(config)))
    worker = root / "benchmarks" / "training_worker.py"
    places = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(worker), str(options), str(STEPS)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=places, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    return Measured(config.optim.precision, found["seconds"], found["losses"], found["gib"])


def trained(config: TrainConfig, compiled: bool, precision: Literal["32", "bf16"]) -> TrainConfig:
    """The configuration of one way to train."""
    return replace(config, optim=replace(config.optim, compile=compiled, precision=precision))


def products_of_triangles(projected: torch.Size, *other: torch.Size, out_shape: torch.Size, **_: Any) -> int:
    """Forward makes a quarter of its channels; backward two products for each of them."""
    channels, rnas, length = projected[:3]
    return (4 if other else 2) * (channels if other else channels // 4) * rnas * length**3


def products(config: TrainConfig) -> int:
    """Floating-point operations in the matrix products of one step."""
    training = Training(trained(config, False, "32"))
    triangles = torch.ops.rnagen.gated_triangles, torch.ops.rnagen.gated_triangles_backward
    known = dict.fromkeys(triangles, products_of_triangles)
    with FlopCounterMode(display=False, custom_mapping=known) as counter:
        training.loss(full_batches(config)[0], 0).backward()
    return int(counter.get_total_flops())


def peak(dtype: torch.dtype) -> float:
    """Floating-point operations a second of a large matrix product."""
    matrix = torch.randn(SIZE, SIZE, dtype=dtype)
    taken = []
    for _ in range(PRODUCTS):
        started = time.process_time()
        matrix @ matrix
        taken.append(time.process_time() - started)
    return 2 * SIZE**3 / min(taken)


def main(arguments: list[str]) -> None:
    """Measure and print."""
    roots = {"": Path(__file__).parents[1]}
    if "--against" in arguments:
        place = arguments.index("--against")
        old, arguments = Path(arguments[place + 1]), arguments[:place] + arguments[place + 2 :]
        roots = {"before: ": old.resolve(), **roots}
    config = parse(TrainConfig(), arguments, "benchmarks/training.py")
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision("high")
    ways: dict[str, Measured] = {}
    with TemporaryDirectory() as folder:
        # In this order, so that what is compared stands close together in time.
        for name, way in WAYS.items():
            if way[1] == "bf16" and not multiplies_bfloat16("cpu"):
                print(f"{name}: left out, this processor has no instructions for it")
                continue
            for label, root in roots.items():
                ways[label + name] = measure(root, trained(config, *way), Path(folder))
    report(ways, products(config))


def report(ways: dict[str, Measured], counted: int) -> None:
    """A table: ratios are those to the first way."""
    kinds: dict[str, torch.dtype] = {"32": torch.float32, "bf16": torch.bfloat16}
    peaks = {name: peak(kinds[name]) for name in dict.fromkeys(way.precision for way in ways.values())}
    print("; ".join(f"peak {name}: {rate / 1e9:,.0f} GFLOP/s" for name, rate in peaks.items()))
    first = next(iter(ways.values()))
    print("| | seconds per step | × | share of the peak | GiB | mean of the losses |")
    print("|---|---|---|---|---|---|")
    for name, way in ways.items():
        share = counted / way.typical / peaks[way.precision]
        print(
            f"| {name} | {way.typical:.3f} | {first.typical / way.typical:.2f} | {share:.0%} | {way.gib:.1f} |"
            f" {mean(way.losses):.4f} |"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
