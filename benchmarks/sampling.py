"""Time and peak memory of sampling against length; checks the memory estimate that refuses too long RNAs.

    python benchmarks/sampling.py --lengths 60 120 240 480 720

Each length runs in a process of its own, so that its peak memory is its own.
"""

import json
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import tyro


@dataclass
class Options:
    """What to measure."""

    lengths: tuple[int, ...] = (60, 120, 240, 480, 720)
    """Residues."""
    n: int = 5
    """Conformers."""
    steps: int = 20
    """Solver steps."""
    ckpt: Path | None = None
    """Weights; the shipped ones by default."""
    out: Path | None = None
    """Write the rows as JSON too."""


def measure(length: int, options: Options) -> dict[str, float]:
    """One row: seconds of each part, peak memory beyond what the loaded model takes, and its estimate."""
    import torch

    from rnagen.checkpoints.structure import DEFAULT_CHECKPOINT, load_checkpoint
    from rnagen.config.sampling import SamplerConfig, SamplingPlan
    from rnagen.features import from_sequence
    from rnagen.sampling.conformers import draw_conformers
    from rnagen.sampling.denoiser import Flow
    from rnagen.sampling.memory import estimated_memory

    checkpoint = load_checkpoint(options.ckpt or DEFAULT_CHECKPOINT)
    encoder = None if checkpoint.encoder is None else checkpoint.encoder.config
    generator = torch.Generator().manual_seed(length)
    sequence = "".join("ACGU"[i] for i in torch.randint(4, (length,), generator=generator))
    plan, shape = SamplingPlan(options.n, options=SamplerConfig(steps=options.steps)), checkpoint.config.model
    from_sequence(shape, "GGGAAACCC")  # ViennaRNA reads its parameters
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    features = from_sequence(shape, sequence)
    folded = time.perf_counter()
    draw_conformers(Flow.of(checkpoint), features, "benchmark", plan)
    finished = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "length": length,
        "folding_s": round(folded - start, 2),
        "sampling_s": round(finished - folded, 2),
        "peak_mib": round((peak - before) / 1024),
        "estimate_mib": round(estimated_memory(length, options.n, shape, plan.options, encoder) / 2**20),
    }


def main() -> None:
    """Run every length in a child process and print the table."""
    if len(sys.argv) == 3 and sys.argv[1] == "--child":
        request = json.loads(sys.argv[2])
        ckpt = Path(request["ckpt"]) if request["ckpt"] else None
        options = Options(n=request["n"], steps=request["steps"], ckpt=ckpt)
        print(json.dumps(measure(request["length"], options)))
        return
    options = tyro.cli(Options)
    rows = []
    for length in options.lengths:
        request = {"length": length, "n": options.n, "steps": options.steps, "ckpt": str(options.ckpt or "")}
        command = [sys.executable, __file__, "--child", json.dumps(request)]
        rows.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    print(f"{options.n} conformers, {options.steps} steps")
    print(f"{'nt':>6}{'folding s':>12}{'sampling s':>12}{'peak MiB':>12}{'estimate MiB':>14}")
    for row in rows:
        print("{length:>6}{folding_s:>12}{sampling_s:>12}{peak_mib:>12}{estimate_mib:>14}".format(**row))
    if options.out:
        options.out.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
