"""Distances between beads of experimental structures: where `rnagen/bead_ranges.py` comes from.

    python benchmarks/bead_ranges.py --data data --splits splits

Training chains from crystals of 2.5 Å or better, first models; neighbours count where O3' and P are bonded. Prints the
range of 99 %, the median, and the widest ranges of 99.9 %.
"""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from rnagen.data.dataset import Dataset
from rnagen.structure import BEADS, RNAStructure

BONDED = 2.0
"""Å between O3' and the next P at most."""
PERCENTILES = (0.5, 50, 99.5, 0.05, 99.95)


@dataclass
class Options:
    """Ranges of bead distances."""

    data: Path = Path("data")
    """Prepared dataset."""
    splits: Path = Path("splits")
    """Folder with train.csv."""
    resolution: float = 2.5
    """Å."""


def run(options: Options) -> None:
    """Measure and print."""
    dataset = Dataset.open(options.data)
    infos = dataset.chains.infos
    rows = [row for row in dataset.split("train", options.splits) if infos[row].resolution <= options.resolution]
    rows = [row for row in rows if infos[row].method.upper() == "X-RAY DIFFRACTION"]
    found: dict[tuple[int, str, str], list[np.ndarray]] = defaultdict(list)
    for row in rows:
        for key, distances in distances_of(dataset.chains.structure(row)).items():
            found[key].append(distances)
    print(f"{len(rows)} chains\n| beads | residues | least | median | largest | widest |\n|---|---|---|---|---|---|")
    for (offset, a, b), parts in sorted(found.items()):
        values = np.concatenate(parts)
        low, median, high, least, most = np.percentile(values, PERCENTILES)
        names = f"{a} – {'next ' if offset else ''}{b}"
        print(f"| {names} | {len(values):,} | {low:.2f} | {median:.2f} | {high:.2f} | {least:.2f} to {most:.2f} |")


def distances_of(structure: RNAStructure) -> dict[tuple[int, str, str], np.ndarray]:
    """Distances in Å by the step between the residues and the names of the beads."""
    beads = structure.select_atoms(BEADS)
    x, mask = beads.coords[0].astype(float), beads.mask[0]
    o3, p = (structure.atoms.index(atom) for atom in ("O3'", "P"))
    atoms, there = structure.coords[0], structure.mask[0]
    bonded = np.linalg.norm(atoms[:-1, o3] - atoms[1:, p], axis=-1) < BONDED
    bonded &= there[:-1, o3] & there[1:, p] & (np.diff(structure.residue_index) == 1)
    found = {}
    for i, a in enumerate(BEADS):
        for j, b in enumerate(BEADS):
            if j > i:
                both = mask[:, i] & mask[:, j]
                found[0, a, b] = np.linalg.norm(x[both, i] - x[both, j], axis=-1)
            both = mask[:-1, i] & mask[1:, j] & bonded
            found[1, a, b] = np.linalg.norm(x[:-1][both, i] - x[1:][both, j], axis=-1)
    return found


if __name__ == "__main__":
    run(tyro.cli(Options))
