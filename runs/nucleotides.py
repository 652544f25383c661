"""Ideal values of nucleotides and fragments of experimental structures, from the training chains of a dataset.

    python runs/nucleotides.py DATA SPLITS OUT

OUT/nucleotides.json holds bonds, angles, volumes and flat bases of X-ray structures of 2.0 Å or better: medians, and
robust standard deviations (1.4826 times the median distance from the median) with least values.

OUT/nucleotides.safetensors holds fragments of structures of 2.5 Å or better, of any experiment: those of the best
resolution first, and none that is near one before it.

Only first models of training chains released before the cutoff are read.
"""

import argparse
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from rnagen.allatom.library import CONTEXT, FRAME, PLACE, PLANE, POINTS, Fragments, frames
from rnagen.chemistry import (
    CENTRES,
    COLUMN,
    WIDTH,
    Ideals,
    base_columns,
    has_atom,
    is_c2_endo,
    linked_by_number,
    names_of,
    terms,
)
from rnagen.data.dataset import Dataset
from rnagen.geometry import superpose
from rnagen.metrics.all_atom import measure
from rnagen.structure import BASES, RNAStructure, encode_sequence, glycosidic_nitrogen

CUTOFF = "2022-05-27"
IDEAL_RESOLUTION, FRAGMENT_RESOLUTION = 2.0, 2.5
"""Å; of the structures at worst."""
LINK = 1.9
"""Å; O3'–P of bonded neighbours at most."""
LEAST = {2: 0.01, 3: np.radians(1.0), 4: 0.1}
"""Least standard deviation of bonds (Å), angles (radians) and volumes (Å³)."""
SANE = 6.0
"""Standard deviations that a value of a fragment, or of its neighbours, may be off."""
APART = 0.25
"""Å; least weighted RMSD between fragments of one kind."""
CONTEXT_WEIGHT = 0.5
"""Weight of a neighbour's bead in it; that of a point is one."""
ROUNDS = 5
"""Superpositions of bases on their median."""


class Model(NamedTuple):
    """The first model of a chain."""

    coords: np.ndarray
    """[L, 27, 3] in Å."""
    mask: np.ndarray
    """[L, 27]."""
    bases: np.ndarray
    """[L], codes over `BASES`."""
    linked: np.ndarray
    """[L], whether each residue is bonded to the next."""

    @classmethod
    def of(cls, structure: RNAStructure) -> "Model":
        """Residues are linked where their numbers follow, and O3' and the next P are near."""
        coords, mask = structure.coords[0].astype(float), structure.mask[0]
        linked = linked_by_number(mask[:, COLUMN["C1'"]], structure.residue_index)
        oxygen, phosphorus = COLUMN["O3'"], COLUMN["P"]
        linked[:-1] &= mask[:-1, oxygen] & mask[1:, phosphorus]
        linked[:-1] &= np.linalg.norm(coords[:-1, oxygen] - coords[1:, phosphorus], axis=-1) < LINK
        return cls(coords, mask, encode_sequence(structure.sequence), linked)

    def values(self, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Place of the name, residue and value of each bond (2), angle (3) or volume (4)."""
        found = terms(self.bases, self.mask, self.linked, size)
        return found.kinds, found.atoms[:, 0] // WIDTH, measure(self.coords.reshape(-1, 3)[found.atoms])


def chosen(dataset: Dataset, splits: Path, resolution: float, method: str = "") -> list[int]:
    """Rows of the training chains with all atoms of this resolution or better, the best first."""
    infos = dataset.chains.infos
    rows = [
        row
        for row in dataset.split("train", splits)
        if infos[row].kind == "full"
        and infos[row].release_date < CUTOFF
        and infos[row].resolution <= resolution
        and infos[row].method.startswith(method)
    ]
    return sorted(rows, key=lambda row: infos[row].resolution)


def ideals_of(models: Sequence[Model]) -> Ideals:
    """Medians, standard deviations and flat bases of these structures."""
    tables = {}
    for size, names in ((2, names_of(2)), (3, names_of(3)), (4, CENTRES)):
        parts = [(*model.values(size), is_c2_endo(model.coords)) for model in models]
        kinds, values = (np.concatenate([part[k] for part in parts]) for k in (0, 2))
        endo = np.concatenate([endo[residues] for _, residues, _, endo in parts])
        groups = [endo == one for one in (False, True)] if size == 3 else [np.ones_like(endo)]
        rows = [[spread(values[(kinds == k) & group], LEAST[size]) for group in groups] for k in range(len(names))]
        table = np.array([_of_uracil(names, rows, k) for k in range(len(names))])
        tables[size] = table if size == 3 else table[:, 0]
    bases = {base: flat_base(models, base) for base in BASES if base != "N"}
    bases["N"] = bases["U"][np.isin(base_columns("U"), base_columns("N"))]
    return Ideals(tables[2], tables[3], tables[4], bases)


def spread(values: np.ndarray, least: float) -> tuple[float, float]:
    """Median and robust standard deviation, not below the least; NaN of nothing."""
    if not len(values):
        return np.nan, np.nan
    median = float(np.median(values))
    return median, max(1.4826 * float(np.median(np.abs(values - median))), least)


def _of_uracil(names: Sequence[str], rows: list[list[tuple[float, float]]], k: int) -> list[tuple[float, float]]:
    """A row of the table; unknown bases have the values of uracil."""
    base, _, name = names[k].rpartition(":")
    return rows[names.index(f"U:{name}")] if base == "N" else rows[k]


def flat_base(models: Iterable[Model], base: str) -> np.ndarray:
    """C1' and the atoms of a base [n, 3] in a plane: the median of all such bases laid on one another, along its
    principal axes, with C1' at the left and the last atom of `PLANE` above the one before."""
    atoms = base_columns(base)
    found = []
    for model in models:
        rows = np.flatnonzero((model.bases == BASES.index(base)) & model.mask[:, atoms].all(-1))
        found.append(torch.from_numpy(model.coords[rows][:, atoms]))
    points = torch.cat(found)
    everywhere = torch.ones(points.shape[:2], dtype=torch.bool)
    median = points[0]
    for _ in range(ROUNDS):
        median = superpose(points, median.expand_as(points), everywhere).median(0).values
    median = median - median.mean(0)
    flat: np.ndarray = (median @ torch.linalg.svd(median, full_matrices=False).Vh.T).numpy()
    low, high = (atoms.tolist().index(columns(name)[BASES.index(base)]) for name in PLANE[1:])
    signs = np.array([-np.sign(flat[0, 0]), np.sign(flat[high, 1] - flat[low, 1])])
    return np.pad(flat[:, :2] * signs, ((0, 0), (0, 1)))


def sane(model: Model, ideals: Ideals) -> np.ndarray:
    """Residues [L] with all their atoms, and no value far from the ideal."""
    ok = (model.mask | ~has_atom(model.bases)).all(-1) & (model.bases != BASES.index("N"))
    endo = is_c2_endo(model.coords).astype(int)
    for size, table in ((2, ideals.bonds), (3, ideals.angles), (4, ideals.volumes)):
        kinds, residues, values = model.values(size)
        expected = table[kinds, endo[residues]] if size == 3 else table[kinds]
        ok[residues[np.abs(values - expected[:, 0]) > SANE * expected[:, 1]]] = False
    return ok


def candidates(model: Model, ideals: Ideals) -> tuple[torch.Tensor, torch.Tensor]:
    """Points and context [n, 21, 3] of the residues between two that they are linked to, all three sane, each in its
    own frame; and which are purines [n]."""
    ok = sane(model, ideals)
    middle = np.flatnonzero(ok[:-2] & ok[1:-1] & ok[2:] & model.linked[:-2] & model.linked[1:-1]) + 1
    found = []
    for name in POINTS + CONTEXT:
        rows = middle + name.endswith("+") - name.endswith("-")
        found.append(model.coords[rows, columns(name.rstrip("+-"))[model.bases[rows]]])
    points = torch.from_numpy(np.stack(found, 1)).float()
    origin, along, aside = (points[:, PLACE[name]] for name in FRAME)
    purine = np.isin(model.bases[middle], [BASES.index(base) for base in "AG"])
    return (points - origin[:, None]) @ frames(origin, along, aside).mT, torch.from_numpy(purine)


def columns(name: str) -> np.ndarray:
    """Column of a point in each base, by its code: N is the glycosidic nitrogen, and of two names the second is of
    pyrimidines."""
    names = [glycosidic_nitrogen(base) if name == "N" else name.split("|")[-(base not in "AG")] for base in BASES]
    return np.array([COLUMN[one] for one in names])


def thinned(coords: torch.Tensor, is_purine: torch.Tensor) -> torch.Tensor:
    """Which fragments [n, 21, 3] stay: each unless one of its kind that stays before it is near."""
    weights = torch.tensor([CONTEXT_WEIGHT if name in CONTEXT else 1.0 for name in PLACE], dtype=coords.dtype)
    scaled = (coords * (weights / weights.sum()).sqrt()[:, None]).flatten(1)
    stays = torch.zeros(len(coords), dtype=torch.bool)
    for kind in (True, False):
        rows = (is_purine == kind).nonzero()[:, 0]
        before, count = scaled.new_empty(len(rows), scaled.shape[1]), 0
        for row in rows.tolist():
            if count and float((before[:count] - scaled[row]).square().sum(-1).min()) < APART**2:
                continue
            before[count], count, stays[row] = scaled[row], count + 1, True
    return stays


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="dataset with all heavy atoms: folder or file")
    parser.add_argument("splits", type=Path, help="folder of the table train.csv")
    parser.add_argument("out", type=Path, help="folder of the two files to be written")
    options = parser.parse_args()
    started = time.monotonic()
    dataset = Dataset.open(options.data)

    def models(rows: Iterable[int]) -> list[Model]:
        return [Model.of(dataset.chains.structure(row)) for row in rows]

    best = chosen(dataset, options.splits, IDEAL_RESOLUTION, "X-RAY")
    ideals = ideals_of(models(best))
    options.out.mkdir(parents=True, exist_ok=True)
    ideals.write(options.out / "nucleotides.json")
    print(f"ideal values of {len(best)} chains")
    rows = chosen(dataset, options.splits, FRAGMENT_RESOLUTION)
    parts = [candidates(model, ideals) for model in models(rows)]
    coords, is_purine = (torch.cat([part[k] for part in parts]) for k in (0, 1))
    stays = thinned(coords, is_purine)
    fragments = Fragments(coords[stays], is_purine[stays])
    fragments.write(options.out / "nucleotides.safetensors")
    print(f"{len(fragments)} fragments of {len(coords)} residues of {len(rows)} chains")
    print(f"{options.out}: {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
