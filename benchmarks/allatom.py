"""All heavy atoms from beads: stereochemistry beside that of experimental structures, and how far the beads move.

    python benchmarks/allatom.py --data data --splits splits

Bonds and angles are outliers beyond four standard deviations; clashes are overlaps of heavy atoms by more than 0.4 Å.
C1' and TM-score are against the beads (matched, lowest and mean), heavy-atom RMSD against the experiment, without
superposition. Seconds are of the processor, for one structure.

The last line compares C1' with the experiment before and after, of conformers sampled for validation RNAs.
"""

import itertools
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
import torch
import tyro

from rnagen import api
from rnagen.aform import helix
from rnagen.allatom import complete
from rnagen.data.dataset import Dataset
from rnagen.metrics import c1_lddt, conformer_geometry, tm_scores
from rnagen.metrics.all_atom import AllAtomGeometry, all_atom_geometry
from rnagen.preparation.synthetic import synthetic_rna
from rnagen.structure import BEADS, RNAStructure

COMPLEMENT = {"A": "U", "C": "G", "G": "C", "U": "A"}
SHORTEST, LONGEST = 35, 120
COLUMNS = (
    "structures | residues | bead outliers | bonds | angles | clashes / 1,000 | handedness | breaks | RMSD (Å) | "
    "C1' (Å) | TM mean | TM lowest | s"
)


@dataclass
class Options:
    """Benchmark of the completion of beads."""

    data: Path = Path("data")
    """Prepared dataset with all atoms."""
    splits: Path = Path("splits")
    """Folder with val.csv."""
    longest: int = 150
    """Residues of a validation chain at most."""
    every: int = 4
    """One of so many experimental structures of each resolution is measured."""
    sequences: tuple[str, ...] = (
        "GGACGUGGACCGACUUCGGUCGGAAGGAAACUUAACGUCC",
        "GCGGAUUUAGCUCAGUUGGGAGAGCGCCAGACUGAAGAUCUGGAGGUCCUGUGUUCGAUCCACAGAAUUCGCACCA",
    )
    """RNAs that the shipped model samples."""
    rnas: int = 14
    """Validation RNAs of 35 to 120 residues, sampled as well."""
    n: int = 2
    """Conformers of each RNA."""
    steps: int = 20
    """Steps of the solver."""


@dataclass
class Row:
    """What is measured of some structures."""

    counts: dict[str, int] = field(default_factory=lambda: {item.name: 0 for item in fields(AllAtomGeometry)})
    residues: int = 0
    structures: int = 0
    outliers: list[float] = field(default_factory=list)
    rmsd: list[float] = field(default_factory=list)
    c1: list[float] = field(default_factory=list)
    tm: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def measure(self, structure: RNAStructure) -> None:
        """Add the geometry of all models."""
        self.residues += len(structure) * structure.num_models
        self.structures += structure.num_models
        for one in all_atom_geometry(structure):
            for name in self.counts:
                self.counts[name] += getattr(one, name)

    def complete(self, structure: RNAStructure, reference: RNAStructure | None = None) -> RNAStructure:
        """Complete the beads of a structure, and add what comes out."""
        beads = structure.select_atoms(BEADS)
        started = time.process_time()
        full = complete(beads)
        self.seconds += time.process_time() - started
        self.measure(full)
        self.outliers += [one["bond_outliers"] for one in conformer_geometry(beads)]
        ours, theirs = (one.select_atoms(("C1'",)) for one in (full, beads))
        mask = torch.from_numpy(ours.mask[..., 0])
        x, y = (torch.from_numpy(one.coords[..., 0, :]) for one in (ours, theirs))
        self.c1.append(float((x - y)[mask].square().sum(-1).mean().sqrt()))
        self.tm += [float(tm_scores(x[k : k + 1], y[k : k + 1], mask[k : k + 1])) for k in range(len(x))]
        if reference is not None:
            both = full.mask & reference.mask
            squares = ((full.coords - reference.coords) ** 2).sum(-1)
            self.rmsd.append(float(np.sqrt(squares[both].mean())))
        return full

    def line(self, name: str) -> str:
        """Of the table."""
        n = self.counts
        cells = [
            name,
            f"{self.residues:,}",
            f"{np.mean(self.outliers):.1%}" if self.outliers else "",
            f"{n['bond_outliers'] / n['bonds']:.3%}",
            f"{n['angle_outliers'] / n['angles']:.3%}",
            f"{1000 * n['clashes'] / n['atoms']:.2f}",
            f"{n['handedness_errors']} of {n['centres']:,}",
            f"{n['breaks']} of {n['links']:,}",
            *(f"{np.mean(values):.3f}" if values else "" for values in (self.rmsd, self.c1)),
            *(f"{of(self.tm):.4f}" if self.tm else "" for of in (np.mean, np.min)),
            f"{self.seconds / self.structures:.2f}" if self.seconds else "",
        ]
        return f"| {' | '.join(cells)} |"


def run(options: Options) -> None:
    """Measure and print."""
    chains = Dataset.open(options.data).chains
    validation = Dataset.open(options.data).split("val", options.splits)
    print(f"| {COLUMNS} |\n|{'---|' * (COLUMNS.count('|') + 1)}", flush=True)
    full = [row for row, info in enumerate(chains.infos) if info.kind == "full"]
    for best, worst in itertools.pairwise((0.0, 2.0, 2.5, 3.2)):
        of = [row for row in full if best < chains.infos[row].resolution <= worst][:: options.every]
        show(f"experiment, {best:g}–{worst:g} Å", measured(chains.structure(row).models([0]) for row in of))
    val = [row for row in validation if row in set(full) and int(chains.lengths[row]) <= options.longest]
    natives = [chains.structure(row).models([0]) for row in val]
    show("experiment, validation", measured(natives))
    show("beads of validation", completed(natives, natives))
    show("ideal A-form", completed([a_form(20)]))
    show("synthetic RNA, 120 nt", completed([synthetic_rna(seed, 120) for seed in range(4)]))
    for sequence in options.sequences:
        show(f"sampled, {len(sequence)} nt", completed(sampled(sequence, "rna", options)))
    of = [row for row in validation if SHORTEST <= int(chains.lengths[row]) <= LONGEST][: options.rnas]
    against_experiments([chains.structure(row).models([0]) for row in of], options)


def sampled(sequence: str, name: str, options: Options) -> list[RNAStructure]:
    """Conformers of the shipped model."""
    structure = api.sample(sequence, options.n, name=name, steps=options.steps, device="cpu", atoms="beads").structure
    return [structure.models([k]) for k in range(structure.num_models)]


def against_experiments(natives: Sequence[RNAStructure], options: Options) -> None:
    """A row, and how TM-score and lDDT of sampled conformers change."""
    row, changes = Row(), []
    for native in natives:
        reference = native.select_atoms(("C1'",))
        ref, mask = torch.from_numpy(reference.coords[:, :, 0]), torch.from_numpy(reference.mask[:, :, 0])
        for beads in sampled(native.sequence, native.name, options):
            pairs = [
                torch.from_numpy(one.select_atoms(("C1'",)).coords[:, :, 0]) for one in (beads, row.complete(beads))
            ]
            scores = [(float(tm_scores(c1, ref, mask)), float(c1_lddt(c1, ref, mask).mean)) for c1 in pairs]
            changes.append(np.subtract(scores[1], scores[0]))
    if changes:
        show(f"sampled, {len(natives)} validation RNAs", row)
        tm, lddt = np.mean(changes, axis=0)
        print(f"\nagainst the experiment: TM-score {tm:+.4f}, lDDT {lddt:+.4f} (mean of {len(changes)})")


def show(name: str, row: Row) -> None:
    print(row.line(name), flush=True)


def measured(structures: Iterable[RNAStructure]) -> Row:
    """Structures as they are."""
    row = Row()
    for structure in structures:
        row.measure(structure)
    return row


def completed(structures: Iterable[RNAStructure], references: Iterable[RNAStructure | None] = ()) -> Row:
    """Structures rebuilt from their beads."""
    row = Row()
    for structure, reference in itertools.zip_longest(structures, references):
        row.complete(structure, reference)
    return row


def a_form(pairs: int) -> RNAStructure:
    """Both strands of an ideal helix of a random sequence."""
    first, second = helix(pairs)
    sequence = "".join(np.random.default_rng(0).choice(list("ACGU"), pairs))
    other = "".join(COMPLEMENT[base] for base in reversed(sequence))
    coords = np.concatenate([first, second[::-1]])[None].astype(np.float32)
    index = np.concatenate([np.arange(1, pairs + 1), np.arange(101, pairs + 101)]).astype(np.int32)
    mask = np.ones(coords.shape[:3], dtype=bool)
    return RNAStructure("helix", sequence + other, coords, mask, BEADS, residue_index=index)


if __name__ == "__main__":
    torch.set_num_threads(1)
    run(tyro.cli(Options, description=__doc__))
