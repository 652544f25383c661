"""What the benchmarks of speed share: the machine, the shortest of several times, the rate of matrix products, and one
command line."""

import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import torch
import tyro

Row = dict[str, Any]
"""One measurement, as JSON can hold it."""
ROOT = Path(__file__).parents[1]
SIZE = 1536
"""Of the matrices whose product is the rate that others are held against."""


@dataclass
class Options:
    """A benchmark of speed."""

    quick: bool = False
    """Fewer and smaller cases, in seconds."""
    out: Path | None = None
    """Write the machine and the rows as JSON too."""


def machine() -> Row:
    """What the numbers depend on beside the code."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("torch", "numpy", "ViennaRNA", "safetensors")},
    }


def _processor() -> str:
    """As Linux names it; elsewhere as Python does."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def environment(**variables: str) -> dict[str, str]:
    """Of a process that imports this checkout of rnagen, and keeps its byte code, as Python does by default."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": os.pathsep.join(paths), **variables}


def seconds(task: Callable[[], object]) -> float:
    """Time of a call."""
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


def shortest(task: Callable[[], object], repeats: int = 3) -> float:
    """Time of a call, the shortest of several: what else the machine does only adds to it."""
    return min(seconds(task) for _ in range(repeats))


def rate(dtype: torch.dtype) -> float:
    """Operations a second in the product of two large matrices, on all threads."""
    one, other = torch.randn(2, SIZE, SIZE, dtype=dtype)
    torch.mm(one, other)
    return 2 * SIZE**3 / shortest(lambda: torch.mm(one, other), 8)


def random_sequence(length: int) -> str:
    """The same for the same length."""
    generator = torch.Generator().manual_seed(length)
    return "".join("ACGU"[base] for base in torch.randint(4, (length,), generator=generator).tolist())


def markdown(header: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Lines of a table."""
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(map(str, cells)) + " |" for cells in lines]


def digits(value: float) -> str:
    """A number with three digits that count."""
    return f"{value:,.0f}" if value >= 99.5 else f"{value:.3g}"


def benchmark(measure: Callable[[bool], list[Row]], table: Callable[[list[Row]], list[str]]) -> None:
    """Measure as the command line asks for, print the table, write the rows."""
    options = tyro.cli(Options)
    rows = measure(options.quick)
    print("\n".join(table(rows)))
    if options.out is not None:
        options.out.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1) + "\n")
