"""Stereochemistry of experimental structures and of the conformers of runs, measured alike.

    python benchmarks/geometry.py --data data --runs out/all --write rnagen/assets/geometry.json

Prints a row for each range of resolution and for each folder of a run of sample.py. `--write` saves the rows of the
experiments, which summary.json and report.html are held against. `rnagen/metrics/all_atom.py` has what is counted.
"""

import itertools
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from rnagen.data.dataset import Dataset
from rnagen.metrics.all_atom import AllAtomGeometry, added, all_atom_geometry
from rnagen.report.page.folder import RunFolder
from rnagen.sampling.overview import MANY_CLASHES
from rnagen.structure import RNAStructure

RESOLUTIONS = (0.0, 2.0, 2.5, 3.2)
"""Å; bounds of the ranges."""
COLUMNS = {
    "bond_outliers": ("bonds", "{:.3%}"),
    "angle_outliers": ("angles", "{:.3%}"),
    "clashes_per_1000": ("clashes / 1,000 atoms", "{:.2f}"),
    "handedness_errors": ("handedness / 1,000 nt", "{:.2f}"),
    "breaks": ("breaks / 1,000 nt", "{:.2f}"),
    "c3_endo": ("C3'-endo", "{:.1%}"),
    "c2_endo": ("C2'-endo", "{:.1%}"),
    "backbone_outliers": ("backbone outliers", "{:.1%}"),
}


@dataclass
class Options:
    """What is measured."""

    data: Path | None = Path("data")
    """Prepared dataset with all atoms; None for runs alone."""
    runs: tuple[Path, ...] = ()
    """Folders of runs of sample.py with all atoms."""
    write: Path | None = None
    """File for the rows of the experiments."""


def run(options: Options) -> None:
    """Measure and print."""
    heads = ["structures", "number", "residues", *(head for head, _ in COLUMNS.values())]
    heads.append(f"over {MANY_CLASHES:g} clashes / 1,000 atoms")
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}", flush=True)
    rows = []
    if options.data is not None:
        chains = Dataset.open(options.data).chains
        full = [row for row, info in enumerate(chains.infos) if info.kind == "full"]
        for best, worst in itertools.pairwise(RESOLUTIONS):
            of = [row for row in full if best < chains.infos[row].resolution <= worst]
            name = f"experiments, {best:g}–{worst:g} Å" if best else f"experiments, to {worst:g} Å"
            rows.append(shown(name, (chains.structure(row).models([0]) for row in of)))
    for folder in options.runs:
        found = RunFolder.open(folder)
        shown(folder.name, (found.read(entry).structure for entry in found.finished))
    if options.write is not None:
        options.write.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")


def shown(name: str, structures: Iterable[RNAStructure]) -> dict[str, Any]:
    """Measure all models, print the row and return it."""
    parts: list[AllAtomGeometry] = []
    residues = 0
    for structure in structures:
        parts += all_atom_geometry(structure)
        residues += len(structure) * structure.num_models
    rates = added(parts).rates
    per_residue = {key: 1000 * rates[key] / residues for key in ("handedness_errors", "breaks")}
    rates = {key: round(value, 6) for key, value in {**rates, **per_residue}.items()}
    cells = [text.format(rates[key]) for key, (_, text) in COLUMNS.items()]
    cells.append(f"{sum(part.clashes_per_1000 > MANY_CLASHES for part in parts) / len(parts):.1%}")
    print(f"| {name} | {len(parts):,} | {residues:,} | {' | '.join(cells)} |", flush=True)
    return {"structures": name, "number": len(parts), "residues": residues, **rates}


if __name__ == "__main__":
    run(tyro.cli(Options, description=__doc__))
