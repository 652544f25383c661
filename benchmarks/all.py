"""All benchmarks of speed, one after the other, as one page.

    python benchmarks/all.py                 long: 4,300 nt alone takes four to forty minutes
    python benchmarks/all.py --quick         a page in a few minutes
    python benchmarks/all.py --quick --store the same, stored in benchmarks/results
    python benchmarks/all.py --docs          the tables of docs/performance.md, of the numbers that are stored

Each part is a script, and runs in a process of its own. Ratios are within one run; compare nothing across machines.
"""

import importlib
import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import tyro

ROOT = Path(__file__).parents[1]
STORED = ROOT / "benchmarks" / "results" / "performance.json"
PAGE = ROOT / "docs" / "performance.md"
PARTS = {
    "startup": "Start-up",
    "sampling": "Sampling",
    "stages": "Share of the rate of matrix products",
    "plain_reference": "Against the plain way",
    "folding": "Base pairs",
    "search": "Search in the template library",
    "completion": "All heavy atoms",
    "preparing": "Preparing a dataset",
    "training_size": "Training",
}
"""Scripts, and titles of their tables."""


@dataclass
class Options:
    """What to do."""

    quick: bool = False
    """Fewer and smaller cases."""
    store: bool = False
    """Write the numbers to `stored`."""
    docs: bool = False
    """Measure nothing: write the stored numbers into the tables of the document."""
    stored: Path = STORED
    """File of the numbers."""
    page: Path = PAGE
    """The document."""


def measured(quick: bool) -> dict[str, Any]:
    """Machine, rows and seconds of every part."""
    found: dict[str, Any] = {"quick": quick, "parts": {}, "seconds": {}}
    for name, title in PARTS.items():
        print(f"{title} …", file=sys.stderr, flush=True)
        start = time.perf_counter()
        with TemporaryDirectory() as folder:
            out = Path(folder) / "rows.json"
            command = [sys.executable, str(ROOT / "benchmarks" / f"{name}.py"), "--out", str(out)]
            subprocess.run([*command, *(["--quick"] if quick else [])], check=True, stdout=subprocess.DEVNULL)
            result = json.loads(out.read_text())
        found["machine"], found["parts"][name] = result["machine"], result["rows"]
        found["seconds"][name] = round(time.perf_counter() - start, 1)
    return found


def tables(found: dict[str, Any]) -> dict[str, list[str]]:
    """Lines of the tables, by part; of the machine first."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    lines = {"machine": machine_lines(found)}
    return lines | {name: importlib.import_module(name).table(rows) for name, rows in found["parts"].items()}


def machine_lines(found: dict[str, Any]) -> list[str]:
    """What was measured on."""
    machine = found["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    spent = f"{sum(found['seconds'].values()):.0f} s in all"
    return [
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['threads']} threads; "
        f"{machine['system']}, Python {machine['python']}, {versions}; "
        f"{'the quick cases' if found['quick'] else 'all cases'}, {spent}."
    ]


def with_tables(page: str, found: dict[str, Any]) -> str:
    """The page with the tables between its markers, `<!-- name -->` and `<!-- end name -->`.

    Raises:
        ValueError: a part has no markers.
    """
    for name, lines in tables(found).items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
        if not pattern.search(page):
            raise ValueError(f"the page has no markers of {name}")
        page = pattern.sub(lambda match, lines=lines: match[1] + "\n".join([*lines, match[2]]), page)
    return page


def main(options: Options) -> None:
    """Measure and print, or write the document."""
    if options.docs:
        found = json.loads(options.stored.read_text(encoding="utf-8"))
        page = options.page.read_text(encoding="utf-8")
        options.page.write_text(with_tables(page, found), encoding="utf-8")
        return
    found = measured(options.quick)
    for name, lines in tables(found).items():
        print("\n".join([f"## {PARTS.get(name, 'Machine')}", "", *lines, ""]))
    if options.store:
        options.stored.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(tyro.cli(Options))
