"""Stereochemistry of all heavy atoms: bonds, angles, handedness, clashes, breaks, sugars and backbone, alike for models
and experiments.

An outlier is more than `OUTLIER` standard deviations of experimental structures (`rnagen.chemistry.Ideals`) from its
ideal value. A clash is a pair of heavy atoms that overlap by more than `OVERLAP` and that no three bonds connect, as
MolProbity counts them (Williams et al., Protein Sci. 27, 293 (2018)), but without hydrogen atoms: far fewer than with
them.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from rnagen.chemistry import COLUMN, WIDTH, Ideals, ideals, is_c2_endo, linked_by_number, terms
from rnagen.contacts import connected, contacts
from rnagen.metrics.backbone import C2_ENDO, C3_ENDO, is_suite_outlier, is_within, phases, suites
from rnagen.structure import HEAVY_ATOMS, RNAStructure, encode_sequence

EXPERIMENTS = Path(__file__).parents[1] / "assets" / "geometry.json"
"""The same of experimental structures, by resolution; benchmarks/geometry.py makes the file."""
OUTLIER = 4.0
"""Standard deviations."""
OVERLAP = 0.4
"""Å."""
INTACT = (1.4, 1.8)
"""Å; O3'–P of bonded neighbours."""


@dataclass(frozen=True)
class AllAtomGeometry:
    """Counts of one model."""

    atoms: int
    bonds: int
    bond_outliers: int
    angles: int
    angle_outliers: int
    centres: int
    """Handed centres with all neighbours; P counts as one, by which oxygen is OP1."""
    handedness_errors: int
    clashes: int
    links: int
    """Neighbours by number, with O3' and P."""
    breaks: int
    """Those whose O3'–P distance is outside `INTACT`."""
    sugars: int
    c3_endo: int
    c2_endo: int
    suites: int
    """Stretches from sugar to sugar with all torsions."""
    suite_outliers: int
    """Those that are like no known conformer of the backbone (`rnagen.metrics.backbone`)."""

    @property
    def clashes_per_1000(self) -> float:
        """Clashes per 1,000 heavy atoms."""
        return 1000 * self.clashes / max(self.atoms, 1)

    @property
    def rates(self) -> dict[str, float]:
        """Shares, clashes per 1,000 atoms, and numbers of errors and breaks, by name."""
        return {
            "bond_outliers": self.bond_outliers / max(self.bonds, 1),
            "angle_outliers": self.angle_outliers / max(self.angles, 1),
            "clashes_per_1000": self.clashes_per_1000,
            "handedness_errors": self.handedness_errors,
            "breaks": self.breaks,
            "c3_endo": self.c3_endo / max(self.sugars, 1),
            "c2_endo": self.c2_endo / max(self.sugars, 1),
            "backbone_outliers": self.suite_outliers / max(self.suites, 1),
        }


def added(parts: Iterable[AllAtomGeometry]) -> AllAtomGeometry:
    """The counts of several models together; at least one."""
    rows = [asdict(part) for part in parts]
    return AllAtomGeometry(**{name: sum(row[name] for row in rows) for name in rows[0]})


@cache
def experimental_geometry() -> list[dict[str, Any]]:
    """`rates` of experimental structures, errors and breaks per 1,000 residues, for each range of resolution, with the
    number of structures and residues."""
    found: list[dict[str, Any]] = json.loads(EXPERIMENTS.read_text())
    return found


def all_atom_geometry(structure: RNAStructure) -> list[AllAtomGeometry]:
    """Of each model.

    Raises:
        ValueError: the atoms are not `HEAVY_ATOMS`.
    """
    if structure.atoms != HEAVY_ATOMS:
        raise ValueError(f"{structure.name}: has the atoms {', '.join(structure.atoms)}, not all heavy atoms")
    return [_of_model(structure, k) for k in range(structure.num_models)]


def _of_model(structure: RNAStructure, k: int) -> AllAtomGeometry:
    bases, coords, mask = encode_sequence(structure.sequence), structure.coords[k].astype(float), structure.mask[k]
    flat = coords.reshape(-1, 3)
    linked = linked_by_number(mask[:, COLUMN["C1'"]], structure.residue_index, structure.strands)
    bonds, angles, centres = (terms(bases, mask, linked, size) for size in (2, 3, 4))
    ideal: Ideals = ideals()
    endo = is_c2_endo(coords)[angles.atoms[:, 0] // WIDTH].astype(int)
    links = linked[:-1] & mask[:-1, COLUMN["O3'"]] & mask[1:, COLUMN["P"]]
    gaps = np.linalg.norm(coords[:-1, COLUMN["O3'"]] - coords[1:, COLUMN["P"]], axis=-1)[links]
    pairs, _ = contacts(flat, mask.reshape(-1), connected(bonds.atoms, len(flat)), -OVERLAP)
    volumes = measure(flat[centres.atoms])
    phase, angles_of_suites = phases(coords, mask), suites(coords, mask, linked)
    return AllAtomGeometry(
        atoms=int(mask.sum()),
        bonds=len(bonds.atoms),
        bond_outliers=_outliers(measure(flat[bonds.atoms]), ideal.bonds[bonds.kinds]),
        angles=len(angles.atoms),
        angle_outliers=_outliers(measure(flat[angles.atoms]), ideal.angles[angles.kinds, endo]),
        centres=len(centres.atoms),
        handedness_errors=int((volumes * ideal.volumes[centres.kinds, 0] <= 0).sum()),
        clashes=len(pairs),
        links=int(links.sum()),
        breaks=int(((gaps < INTACT[0]) | (gaps > INTACT[1])).sum()),
        sugars=len(phase),
        c3_endo=int(is_within(phase, C3_ENDO).sum()),
        c2_endo=int(is_within(phase, C2_ENDO).sum()),
        suites=len(angles_of_suites),
        suite_outliers=int(is_suite_outlier(angles_of_suites).sum()),
    )


def _outliers(values: np.ndarray, ideal: np.ndarray) -> int:
    return int((np.abs(values - ideal[:, 0]) > OUTLIER * ideal[:, 1]).sum())


def measure(points: Float[np.ndarray, "K n 3"]) -> Float[np.ndarray, " K"]:
    """Lengths in Å of K bonds (n = 2), angles in radians (n = 3) or volumes in Å³ of handed centres (n = 4)."""
    if points.shape[1] == 2:
        return np.linalg.norm(points[:, 0] - points[:, 1], axis=-1)
    if points.shape[1] == 3:
        a, b = points[:, 0] - points[:, 1], points[:, 2] - points[:, 1]
        return np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), (a * b).sum(-1))
    a, b, c = (points[:, k] - points[:, 0] for k in (1, 2, 3))
    return (a * np.cross(b, c)).sum(-1)
