"""Short trainings at equal compute: paths, predictions and other choices of the flow, side by side.

    python benchmarks/trainings.py --data data

Trains every variant that `runs` does not hold yet with the same steps, seed, data and model size (some five minutes
each on two cores; eleven of them), samples the validation chains by SDE and ODE, and ends with a table.
"""

import csv
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro
from validation import Row, as_json, helix_baseline, print_table, score, validation_chains

from rnagen.checkpoints.structure import load_checkpoint
from rnagen.config.sampling import SamplerConfig

VARIANTS = {
    "Linear-velocity": "",
    "GVP-velocity": "--path-type GVP",
    "VP-velocity": "--path-type VP",
    "Sqrt-velocity": "--path-type Sqrt",
    "Linear-noise": "--prediction noise",
    "Linear-score": "--prediction score",
    "Linear-data": "--prediction data",
    "Sqrt-noise": "--path-type Sqrt --prediction noise",
    "selfcond": "--self-conditioning",
    "consistency": "--consistency-weight 0.5",
    "dropout": "--condition-dropout 0.1",
}
"""Flags of each variant; the first is what the others are compared with."""
COMMON = (
    "--crop 64 --copies 4 --batch-size 4 --no-validate --lr-warmup 100 --structure-ramp 300 --ema-decay 0.995 "
    "--train-batches 150 --ckpt-freq 5 --seed 0"
)
SAMPLERS = {
    "SDE": SamplerConfig(steps=10),
    "ODE": SamplerConfig(sampling_method="euler", steps=10),
    "DDPM": SamplerConfig(sampling_method="ddpm", steps=10),
    "DDIM": SamplerConfig(sampling_method="ddim", steps=10),
}


@dataclass
class Options:
    """What to train and where."""

    data: Path = Path("data")
    """Prepared dataset."""
    splits: Path = Path("splits")
    """Folder with train.csv and val.csv."""
    runs: Path = Path("runs/trainings")
    """Folder of the runs; a run that is there is not trained again."""
    steps: int = 1500
    """Optimizer steps of each variant, a multiple of 150."""
    variants: tuple[str, ...] = tuple(VARIANTS)
    """Which of them."""
    max_length: int = 120
    """Residues of the longest chain that is scored: the trainings see crops of 64."""
    out: Path | None = None
    """Write the rows as JSON too."""


def train(name: str, options: Options) -> Path:
    """Weights of a variant, trained where they are not there yet.

    Raises:
        CalledProcessError: the training failed.
    """
    weights = options.runs / name / "last.safetensors"
    if not weights.is_file():
        flags = f"{COMMON} --lr-decay {options.steps} --epochs {options.steps // 150} {VARIANTS[name]}".split()
        where = ("--data", options.data, "--splits", options.splits, "--run-dir", options.runs, "--run-name", name)
        subprocess.run([sys.executable, "train.py", *map(str, where), *flags], check=True)
    return weights


def losses(folder: Path) -> tuple[float, float]:
    """Mean flow loss of the first and of the last fifth of a run."""
    with next(folder.glob("log/*/metrics.csv")).open() as file:
        values = [float(row["train/flow"]) for row in csv.DictReader(file) if row.get("train/flow")]
    fifth = max(1, len(values) // 5)
    return sum(values[:fifth]) / fifth, sum(values[-fifth:]) / fifth


def run(options: Options) -> None:
    """Train, sample, score, print."""
    rows: dict[str, Row] = {}
    flow: dict[str, Any] = {}
    for name in options.variants:
        checkpoint = load_checkpoint(train(name, options))
        atoms = checkpoint.config.model.atoms
        chains = validation_chains(options.data, options.splits, atoms, options.max_length)
        transport = checkpoint.config.transport
        discrete = transport.path_type == "Sqrt" and transport.prediction == "noise"
        for sampler in ("SDE", "ODE", "DDPM", "DDIM") if discrete else ("SDE", "ODE"):
            row = score(checkpoint, chains, SAMPLERS[sampler], f"{name} {sampler}")
            rows[f"{name} {sampler}"] = row
            print(f"{name} {sampler}: best of 5 {row.best5:.3f}", flush=True)
        first, last = losses(options.runs / name)
        flow[name] = {"step": checkpoint.metadata["step"], "flow_first": round(first, 4), "flow_last": round(last, 4)}
    baseline = helix_baseline(chains, atoms)
    for name, value in flow.items():
        print(f"{name}: {value['step']} steps, flow loss {value['flow_first']} → {value['flow_last']}")
    print_table(rows, baseline, len(chains))
    if options.out is not None:
        result = {"chains": len(chains), "helix": round(baseline, 4), "training": flow, "rows": as_json(rows)}
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    run(tyro.cli(Options))
