"""How long a command takes before it works: whole commands, and the packages that a plain sample imports.

    python benchmarks/startup.py

Each command is a process of its own, the shortest of several, with all caches of the disk warm. Times of imports are
those of `python -X importtime`, which slows them; their shares are what counts.
"""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from timing import ROOT, Row, benchmark, digits, environment, markdown, random_sequence, shortest

HAIRPIN = "GGGGCUUCGGCCCC"
FAST = "small"
"""The checkpoint that takes the least time."""
LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\w+)")
"""Microseconds of a module itself, and its package."""
PACKAGES = 8
"""Listed by name."""


def sampling(sequence: str, *options: str) -> list[str]:
    """Arguments of Python for five conformers of an RNA; the folder is to follow."""
    return [str(ROOT / "sample.py"), "--sequence", sequence, "--n", "5", *options, "--out"]


def commands(quick: bool) -> dict[str, list[str]]:
    """Arguments of Python by what they are called in the table."""
    found = {
        "import numpy": ["-c", "import numpy"],
        "import torch": ["-c", "import torch"],
        "`sample.py --help`": [str(ROOT / "sample.py"), "--help"],
        "five conformers of 14 nt": sampling(HAIRPIN, "--no-report"),
        "with the page": sampling(HAIRPIN),
    }
    for length in (120,) if quick else (120, 720):
        name, sequence = f"five conformers of {length} nt, with the page", random_sequence(length)
        found[name] = sampling(sequence)
        found[f"{name}, by `{FAST}`"] = sampling(sequence, "--ckpt", FAST)
    return found


def run(arguments: list[str], flags: tuple[str, ...] = ()) -> str:
    """What a process that samples into a new folder prints on stderr."""
    with TemporaryDirectory() as folder:
        place = [str(Path(folder) / "out")] if arguments[-1] == "--out" else []
        done = subprocess.run(
            [sys.executable, *flags, *arguments, *place],
            check=True,
            capture_output=True,
            text=True,
            env=environment(),
        )
    return done.stderr


def measure(quick: bool) -> list[Row]:
    """Seconds of each command, then of each package."""
    repeats = 2 if quick else 4
    rows: list[Row] = []
    for name, arguments in commands(quick).items():
        run(arguments)
        rows.append({"command": name, "seconds": shortest(lambda arguments=arguments: run(arguments), repeats)})
    by_package: Counter[str] = Counter()
    for microseconds, package in LINE.findall(run(sampling(HAIRPIN), ("-X", "importtime"))):
        by_package[package] += int(microseconds)
    return rows + [{"package": name, "seconds": count / 1e6} for name, count in by_package.most_common()]


def table(rows: list[Row]) -> list[str]:
    """Commands against `import torch`, and the share of each package in all imports."""
    torch = next(row["seconds"] for row in rows if row.get("command") == "import torch")
    lines = markdown(
        ("command", "s", "× import torch"),
        [(row["command"], digits(row["seconds"]), f"{row['seconds'] / torch:.2f}") for row in rows if "command" in row],
    )
    packages = [row for row in rows if "package" in row]
    total = sum(row["seconds"] for row in packages)
    shares = ", ".join(f"{row['package']} {row['seconds'] / total:.0%}" for row in packages[:PACKAGES])
    return [*lines, "", f"Imports of a plain sample by package: {shares}; {len(packages)} packages in all."]


if __name__ == "__main__":
    benchmark(measure, table)
