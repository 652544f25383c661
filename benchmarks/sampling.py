"""Conformers a second and peak memory of sampling, against length and number of conformers.

    python benchmarks/sampling.py

Random sequences, shipped weights, without templates; the time is that of base pairs, trunk and solver. Cases that
compute as many conformers at once share a process, and with it the peak memory beyond what the loaded model takes; it
is held against the estimate that refuses too long RNAs. A large case (≈) is put together of its parts, each measured
once: trunk, and one call of the latent model. What the estimate refuses on this machine is left out.
"""

import json
import math
import resource
import subprocess
import sys
import time
from tempfile import TemporaryDirectory

import torch
from timing import Row, benchmark, digits, environment, markdown, random_sequence

from rnagen.caches import CACHE
from rnagen.checkpoints.structure import DEFAULT_CHECKPOINT, Checkpoint, load_checkpoint
from rnagen.config.sampling import SamplerConfig, SamplingPlan
from rnagen.features import RNAFeatures, from_sequence
from rnagen.memory import available_memory
from rnagen.sampling.conformers import draw_conformers
from rnagen.sampling.denoiser import Flow, conformers_at_once
from rnagen.sampling.memory import estimated_memory

LENGTHS = (30, 70, 120, 250, 500, 1000, 2000, 4300)
QUICK = (30, 120, 250)
NUMBERS = (1, 5, 50)
WHOLE = 6000
"""Residues of all conformers up to which a case is sampled as it stands."""


def measure(quick: bool) -> list[Row]:
    """Rows of all cases."""
    rows: list[Row] = []
    with TemporaryDirectory() as folder:
        for length in QUICK if quick else LENGTHS:
            for numbers in together(length):
                request = json.dumps({"length": length, "numbers": numbers})
                done = subprocess.run(
                    [sys.executable, __file__, "--child", request],
                    stdout=subprocess.PIPE,
                    text=True,
                    check=True,
                    env=environment(**{CACHE: folder}),
                )
                rows += json.loads(done.stdout.splitlines()[-1])
    return rows


def together(length: int) -> list[list[int]]:
    """Numbers of conformers, those that compute as many at once in one list."""

    groups: dict[int, list[int]] = {}
    for n in NUMBERS:
        groups.setdefault(min(n, conformers_at_once(0, length, 1)), []).append(n)
    return list(groups.values())


def child(length: int, numbers: list[int]) -> list[Row]:
    """Rows of the numbers of conformers of one length."""

    checkpoint = load_checkpoint(DEFAULT_CHECKPOINT)
    config = checkpoint.config.model
    estimate, free = estimated_memory(length, max(numbers), config, SamplerConfig()), available_memory()
    rows: list[Row] = [{"length": length, "n": n, "estimate": estimate} for n in numbers]
    if estimate > free:
        return [{**row, "free": free} for row in rows]
    from_sequence(config, "GGGAAACCC")  # ViennaRNA reads its parameters
    before = peak()
    start = time.perf_counter()
    features = from_sequence(config, random_sequence(length))
    folding = time.perf_counter() - start
    whole = [n for n in numbers if n * length <= WHOLE]
    taken = {n: sampled(checkpoint, features, n) for n in whole}
    if whole != numbers:
        trunk, call, copies = parts(checkpoint, features, max(numbers))
        calls = {n: SamplerConfig().steps * math.ceil(n / copies) for n in numbers if n not in taken}
        taken |= {n: trunk + count * call for n, count in calls.items()}
    used = peak() - before
    return [
        {**row, "folding": folding, "seconds": taken[row["n"]], "whole": row["n"] in whole, "peak": used}
        for row in rows
    ]


def sampled(checkpoint: Checkpoint, features: RNAFeatures, n: int) -> float:
    """Seconds of n conformers."""

    start = time.perf_counter()
    draw_conformers(Flow.of(checkpoint), features, "benchmark", SamplingPlan(n))
    return time.perf_counter() - start


def parts(checkpoint: Checkpoint, features: RNAFeatures, n: int) -> tuple[float, float, int]:
    """Seconds of the trunk and of a call of the latent model, and the conformers that one call computes."""

    model, length = checkpoint.model, features.bases.shape[1]
    copies = min(n, conformers_at_once(0, length, 1))
    with torch.no_grad():
        start = time.perf_counter()
        context = model.condition(features)
        conditioned = time.perf_counter()
        x, t = torch.randn(1, copies, length, len(model.config.atoms), 3), torch.full((1, copies), 0.5)
        model(x, t, context)  # the first call allocates
        ready = time.perf_counter()
        model(x, t, context)
    return conditioned - start, time.perf_counter() - ready, copies


def peak() -> int:
    """Bytes that this process has held at most."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def table(rows: list[Row]) -> list[str]:
    """A line for each case."""
    cells = []
    for row in rows:
        estimate = digits(row["estimate"] / 2**20)
        if "free" in row:
            left_out = f"left out: {row['free'] / 2**20:,.0f} MiB are free"
            cells.append((row["length"], row["n"], left_out, "", "", "", "", estimate))
            continue
        alone = next(one for one in rows if one["length"] == row["length"] and one["n"] == 1)
        # The others read the base pairs that the first case has computed.
        taken = alone["folding"] + row["seconds"]
        each = taken / row["n"]
        cells.append(
            (
                row["length"],
                row["n"],
                ("" if row["whole"] else "≈ ") + digits(taken),
                digits(1 / each),
                f"{(alone['folding'] + alone['seconds']) / each:.1f}",
                digits(row["folding"]) if row["n"] == 1 else "",
                digits(row["peak"] / 2**20),
                estimate,
            )
        )
    header = ("nt", "n", "s", "conformers a second", "× n = 1", "of it base pairs, s", "peak, MiB", "estimate, MiB")
    return markdown(header, cells)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(child(**json.loads(sys.argv[2]))))
    else:
        benchmark(measure, table)
