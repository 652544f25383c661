"""Built-in synthetic RNA: random sequences in their predicted secondary structure, with ideal A-form stems and smooth
loops.

Enough to train on and to test with where there are no real data. Stems are exact; the bends of loops and the directions
of branches are random, except that residues must not collide.
"""

import itertools
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import numpy as np
import RNA
from jaxtyping import Float64
from scipy.spatial import cKDTree

from rnagen import aform
from rnagen.aform import C1, beads_on_backbone, helix, pair_frame
from rnagen.caches import cache_folder
from rnagen.data.chains import ChainInfo
from rnagen.data.dataset import FILE, write_dataset
from rnagen.io.files import hash_files
from rnagen.parallel import parallel_map
from rnagen.preparation import loops
from rnagen.preparation.chains import as_chain
from rnagen.preparation.loops import STEP, Loop, Stem, exterior_loop, ring
from rnagen.preparation.quality import with_quality
from rnagen.secondary.pairs import SecondaryStructures
from rnagen.secondary.vienna import mfe_pairs, secondary_structures_of
from rnagen.structure import BEADS, HEAVY_ATOMS, RNAStructure, glycosidic_nitrogen

Candidate = TypeVar("Candidate")

TRAINING, VALIDATION, SEED = 512, 8, 0
"""Chains of the synthetic set, and its seed."""
MINIMUM_LENGTH = 16
WORTH_WORKERS = 100
"""Chains from which on more processes than one save time: each takes two seconds to start."""
LENGTHS = (24, 128)
"""Shortest and longest chain of a synthetic dataset."""
COMPLEMENT = {"A": "U", "C": "G", "G": "C", "U": "A"}
PAIRED = 0.4
"""Least fraction of paired residues."""
ENDS = 5
"""The last residues complement the first ones, so that most structures close; open ones are needlessly large."""
CLASH = 3.5
"""Å; beads of residues that are not neighbours stay farther apart if one of the poses tried allows it."""
POSES = 24
"""Poses tried for each stem before the least crowded one is taken."""
BUILDS = 4
"""Builds of a whole chain before the least crowded one is taken."""

_PAIR_LENGTH = float(np.linalg.norm(helix(1)[0][0, C1] - helix(1)[1][0, C1]))


def synthetic_rna(seed: int, length: int) -> RNAStructure:
    """A synthetic RNA named `synthetic_<seed>_<length>`, one model, atoms P, C4', C1' and N9 or N1; in Å.

    The same seed and length give the same RNA.

    Raises:
        ValueError: `length` is under `MINIMUM_LENGTH`.
    """
    if length < MINIMUM_LENGTH:
        raise ValueError(f"a synthetic RNA has at least {MINIMUM_LENGTH} residues, not {length}")
    rng = np.random.default_rng([seed, length])
    sequence, pairs = _paired_sequence(rng, length)
    plan = exterior_loop(pairs, length)
    best = _least_crowded((_Builder(rng, length).build(plan) for _ in range(BUILDS)), _crowding)
    coords = np.zeros((1, length, len(HEAVY_ATOMS), 3), dtype=np.float32)
    mask = np.zeros((1, length, len(HEAVY_ATOMS)), dtype=bool)
    for i, base in enumerate(sequence):
        columns = [HEAVY_ATOMS.index(glycosidic_nitrogen(base) if bead == "N" else bead) for bead in BEADS]
        coords[0, i, columns] = best[i] - best.mean(axis=(0, 1))
        mask[0, i, columns] = True
    name = f"synthetic_{seed}_{length}"
    return RNAStructure(name, sequence, coords, mask, entry=name, title="synthetic A-form RNA")


def synthetic_set() -> Path:
    """Folder of the synthetic set, `TRAINING` and `VALIDATION` chains: made once per machine, in some ten seconds.

    Raises:
        OSError: the cache cannot be written.
    """
    made_by = [Path(str(module.__file__)) for module in (sys.modules[__name__], aform, loops)]
    key = f"{TRAINING}-{VALIDATION}-{hash_files(made_by)[:16]}-{RNA.__version__}"
    folder = cache_folder() / f"synthetic-{key}"
    if not (folder / FILE).is_file():
        print(f"making the synthetic set, once, in {folder}", flush=True)
        synthetic_dataset(folder, TRAINING + VALIDATION, SEED, VALIDATION)
    return folder


def synthetic_dataset(folder: Path, n: int, seed: int, validation: int | None = None) -> None:
    """Write a dataset of n synthetic chains of `LENGTHS` residues, one cluster each.

    Args:
        folder: of the dataset.
        n: chains.
        seed: of their lengths; chain k has the seed `seed` + k.
        validation: the last so many chains validate and the others train; None for a dataset without splits.

    Raises:
        OSError: the folder cannot be written.
    """
    lengths = np.random.default_rng(seed).integers(LENGTHS[0], LENGTHS[1] + 1, size=n)
    wanted = [(seed + k, int(length)) for k, length in enumerate(lengths)]
    workers = (os.cpu_count() or 1) if n >= WORTH_WORKERS else 1
    made = dict(parallel_map(_folded_rna, wanted, workers, "synthetic RNA"))
    infos = []
    for k, (structure, _) in enumerate(made[one] for one in wanted):
        name = f"synthetic_{k:05d}"
        split = "" if validation is None else "train" if k < n - validation else "val"
        info = ChainInfo(
            name, name, method="synthetic", title=structure.title, source=structure.name, cluster=k, split=split
        )
        infos.append(with_quality(info, structure))
    chains = (as_chain(*made[one]) for one in wanted)
    write_dataset(folder / FILE, HEAVY_ATOMS, infos, chains, RNA.__version__)


def _folded_rna(seed_and_length: tuple[int, int]) -> tuple[RNAStructure, SecondaryStructures]:
    structure = synthetic_rna(*seed_and_length)
    # Other energy models would take twice as long as everything else.
    return structure, secondary_structures_of(structure.sequence, other_models=False)


def _paired_sequence(rng: np.random.Generator, length: int) -> tuple[str, list[tuple[int, int]]]:
    """A random sequence with enough base pairs, and the pairs of its minimum-free-energy structure."""
    while True:
        bases = rng.choice(list("ACGU"), size=length, p=[0.2, 0.3, 0.3, 0.2])
        bases[-ENDS:] = [COMPLEMENT[base] for base in bases[ENDS - 1 :: -1]]
        sequence = "".join(bases)
        pairs = mfe_pairs(sequence)
        if 2 * len(pairs) >= PAIRED * length:
            return sequence, pairs


def _crowding(beads: Float64[np.ndarray, "L 4 3"]) -> int:
    """Number of close pairs of beads from residues that are not neighbours."""
    owner = np.repeat(np.arange(len(beads)), len(BEADS))
    pairs = cKDTree(beads.reshape(-1, 3)).query_pairs(CLASH, output_type="ndarray")
    return int((np.abs(owner[pairs[:, 0]] - owner[pairs[:, 1]]) > 1).sum())


def _least_crowded(candidates: Iterable[Candidate], crowding: Callable[[Candidate], int]) -> Candidate:
    """The first candidate without a clash, else the one with the fewest."""
    tried: list[tuple[int, Candidate]] = []
    for candidate in candidates:
        tried.append((crowding(candidate), candidate))
        if tried[-1][0] == 0:
            break
    return min(tried, key=lambda item: item[0])[1]


class _Builder:
    """Places stems and loops one after the other, from the exterior loop outwards."""

    def __init__(self, rng: np.random.Generator, length: int) -> None:
        self.rng = rng
        self.c1 = np.full((length, 3), np.nan)
        self.stems: dict[int, Float64[np.ndarray, "4 3"]] = {}
        """Beads of the paired residues placed so far."""

    def build(self, exterior: Loop) -> Float64[np.ndarray, "L 4 3"]:
        """Beads of the whole chain, Å."""
        # The exterior loop is a ring too, with a gap as wide as a pair between the two ends of the chain.
        self._grow(exterior, np.zeros(3), np.eye(3), closed_by=None)
        beads = beads_on_backbone(self.c1)
        for residue, placed in self.stems.items():
            beads[residue] = placed
        return beads

    def _grow(
        self,
        loop: Loop,
        origin: Float64[np.ndarray, " 3"],
        frame: Float64[np.ndarray, "3 3"],
        closed_by: tuple[int, int] | None,
    ) -> None:
        """Lay the ring of a loop on the closing pair's frame at its first C1', then place each stem that leaves it."""
        residues, corners, centre = _ring_of(loop, closed_by)
        points = origin + corners @ frame[:2]
        middle = origin + centre @ frame[:2]
        at = dict(zip(residues, points, strict=True))
        for element in loop.elements:
            if not isinstance(element, Stem):
                self.c1[element] = at[element]
        for element in loop.elements:
            if isinstance(element, Stem):
                i, j = element.pairs[0]
                self._place(element, at[i], at[j], middle)

    def _place(self, stem: Stem, first: np.ndarray, second: np.ndarray, middle: np.ndarray) -> None:
        """Put a stem on its corners of a ring, pointing away from its middle, turned so that nothing collides."""
        outward = (first + second) / 2 - middle
        if np.linalg.norm(outward) < 1e-3:  # two sides of equal length: the middle is on both
            outward = np.cross(second - first, [0.0, 0.0, 1.0])
        base = pair_frame(first, second, outward)
        spreads = np.radians(np.linspace(20, 90, POSES))
        placed = cKDTree(np.concatenate([self.c1[~np.isnan(self.c1[:, 0])], *self.stems.values()]))
        poses = (self._pose(stem, first, base, spread, placed) for spread in spreads)
        _, beads, end_origin, end_frame = _least_crowded(poses, lambda pose: pose[0])
        for (i, j), (bead_i, bead_j) in zip(stem.pairs, beads, strict=True):
            self.stems[i], self.stems[j] = bead_i, bead_j
            self.c1[i], self.c1[j] = bead_i[C1], bead_j[C1]
        self._grow(stem.loop, end_origin, end_frame, closed_by=stem.pairs[-1])

    def _pose(
        self, stem: Stem, origin: np.ndarray, base: np.ndarray, spread: float, placed: cKDTree
    ) -> tuple[int, list[tuple[np.ndarray, np.ndarray]], np.ndarray, np.ndarray]:
        """One random pose: how crowded it is, the beads of its pairs, and origin and frame of the ring at its end."""
        target = _turn_about_pair(self.rng.uniform(-spread, spread)) @ base
        first, second = helix(len(stem.pairs))
        axis = np.array([0.0, 0.0, 1.0])
        start = first[0, C1]
        rotation = pair_frame(start, second[0, C1], axis).T @ target
        first, second, axis = (first - start) @ rotation + origin, (second - start) @ rotation + origin, axis @ rotation
        end = pair_frame(first[-1, C1], second[-1, C1], axis)
        end = _turn_about_pair(self.rng.uniform(-spread, spread)) @ end
        _, corners, _ = _ring_of(stem.loop, stem.pairs[-1])
        loop_points = first[-1, C1] + corners[1:-1] @ end[:2]
        new = np.concatenate([first.reshape(-1, 3), second.reshape(-1, 3), loop_points])
        near = placed.query_ball_point(new, CLASH, return_length=True)
        return int(near.sum()), list(zip(first, second)), first[-1, C1], end


def _ring_of(loop: Loop, closed_by: tuple[int, int] | None) -> tuple[list[int], np.ndarray, np.ndarray]:
    """Residues, corners and centre of the ring of a loop. A closing pair is its first and last corner; without one,
    the last side is the gap between the ends of the chain."""
    residues = loop.residues if closed_by is None else [closed_by[0], *loop.residues, closed_by[1]]
    paired = {element.pairs[0] for element in loop.elements if isinstance(element, Stem)}
    sides = [_PAIR_LENGTH if side in paired else STEP for side in itertools.pairwise(residues)]
    corners, centre = ring([*sides, _PAIR_LENGTH])
    return residues, corners, centre


def _turn_about_pair(angle: float) -> Float64[np.ndarray, "3 3"]:
    """Rotation of a frame's rows about its first axis."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1.0, 0.0, 0.0], [0.0, c, s], [0.0, -s, c]])
