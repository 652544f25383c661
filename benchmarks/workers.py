"""How much faster several workers sample than one process, each with one thread; and whether the files are the same.

    python benchmarks/workers.py --rnas 64 --length 70 --workers 2

needs a core for each worker that does nothing else. The rate counts from the RNA at which all workers have begun to the
last one; the whole time has the start too, which the RNAs of a short run do not make up for.
"""

import argparse
import os
import random
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
SEED = 1
"""Of the sequences."""


@dataclass(frozen=True)
class Timed:
    """A run of sample.py."""

    seconds: float
    """From the command to its end."""
    rate: float
    """RNAs a second once all workers have begun."""
    files: dict[str, bytes]
    """What it wrote, but for the summaries, which hold times."""


def sampled(fasta: Path, out: Path, workers: int) -> Timed:
    """Sample with so many workers; one: without a cluster."""
    command = [sys.executable, str(ROOT / "sample.py"), "--fasta", str(fasta), "--out", str(out), "--no-report"]
    command += [] if workers == 1 else ["--cluster", f"local:{workers}"]
    # A cluster shares the threads of one process out.
    threads = {**os.environ, "OMP_NUM_THREADS": str(workers), "RNAGEN_CACHE": str(out.parent / f"cache{workers}")}
    started = time.monotonic()
    subprocess.run(command, env=threads, check=True, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - started
    ends = sorted(path.stat().st_mtime for path in out.glob("*/summary.json"))
    files = {
        str(path.relative_to(out)): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and path.name != "summary.json"
    }
    return Timed(seconds, (len(ends) - workers) / (ends[-1] - ends[workers - 1]), files)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rnas", type=int, default=64)
    parser.add_argument("--length", type=int, default=70)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    letters = random.Random(SEED)
    with TemporaryDirectory() as folder:
        fasta = Path(folder, "in.fasta")
        sequences = ["".join(letters.choices("ACGU", k=given.length)) for _ in range(given.rnas)]
        fasta.write_text("".join(f">rna{k}\n{sequence}\n" for k, sequence in enumerate(sequences)))
        one, several = (sampled(fasta, Path(folder, f"out{number}"), number) for number in (1, given.workers))
    print(
        f"{given.rnas} RNAs of {given.length} nt, {os.cpu_count()} cores; files identical: {one.files == several.files}"
    )
    print("| workers | seconds | RNAs a second | × |")
    print("|---|---|---|---|")
    for number, timed in ((1, one), (given.workers, several)):
        print(f"| {number} | {timed.seconds:.1f} | {timed.rate:.2f} | {timed.rate / one.rate:.2f} |")


if __name__ == "__main__":
    main()
