"""How long `sample.py --help` takes, beside an empty Python: the goal is under a second.

python benchmarks/help_time.py
"""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
REPEATS = 5


def best_of(command: list[str]) -> float:
    """Shortest of several runs, in seconds."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    empty = best_of([sys.executable, "-c", "pass"])
    for script in ("sample.py", "train.py"):
        seconds = best_of([sys.executable, str(ROOT / script), "--help"])
        print(f"{script} --help: {seconds:.2f} s ({seconds / empty:.0f} × an empty Python)")
