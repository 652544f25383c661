"""RNAStructure: one RNA chain, or the joined strands of an RNA, with all its models."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float, Float32, Int32

from rnagen.dates import NO_DATE

BASES = "ACGUN"
"""Residue alphabet; the position in this string is the residue's integer code. N stands for any base."""

BACKBONE_ATOMS = ("P", "OP1", "OP2", "O5'", "C5'", "C4'", "O4'", "C3'", "O3'", "C2'", "O2'", "C1'")
BASE_ATOMS = ("N9", "C8", "N7", "C5", "C6", "N6", "O6", "N1", "C2", "N2", "O2", "N3", "C4", "N4", "O4")
HEAVY_ATOMS = BACKBONE_ATOMS + BASE_ATOMS
"""The 27 heavy-atom names of standard RNA residues."""

BEADS = ("P", "C4'", "C1'", "N")
"""Default generated atoms. N is the glycosidic nitrogen: N9 in A and G, N1 in C, U and unknown bases."""

ENERGIES = ("turner1999", "andronescu2007", "langdon2018", "turner2004_60C")
"""Pair features from other energy models than Turner's of 2004 at 37 °C: probabilities of base pairs."""
ALIGNED = ("consensus", "covariation")
"""Pair features from an alignment: probabilities in the consensus structure, and scores of columns that change
together; 0 without one."""
PAIR_FEATURES = ENERGIES + ALIGNED
"""All channels of pair features."""

UNPAIRED = -1
"""Entry in a pair table: the residue is known to be unpaired."""
UNKNOWN = -2
"""Entry in a pair table: nothing is known about the residue."""
NO_LABEL = 0
"""Number of the category of an RNA without a label; the categories of a model are numbered from 1."""

IMPOSSIBLE = 1e6
"""Å; coordinates of this size and more are marks (-1e18) or damage, not positions."""
_PLACEHOLDER = (9999.0, 10_000.0)
"""Å; where all three coordinates lie in this range, they stand for an unknown position: X-PLOR writes 9999.000."""


def is_possible(coords: Float[np.ndarray, "... 3"]) -> Bool[np.ndarray, "..."]:
    """Which positions are those of a molecule: finite, and neither `IMPOSSIBLE` nor a placeholder."""
    size = np.abs(coords)
    low, high = _PLACEHOLDER
    return (size < IMPOSSIBLE).all(axis=-1) & ~((size >= low) & (size < high)).all(axis=-1)


def glycosidic_nitrogen(base: str) -> str:
    """Name of the base atom bonded to C1' (`N9` in purines, `N1` otherwise)."""
    return "N9" if base in "AG" else "N1"


def encode_sequence(sequence: str) -> Int32[np.ndarray, " L"]:
    """Integer codes [L] of a sequence over `BASES`.

    Raises:
        ValueError: a character is not in `BASES`; the message names the position.
    """
    codes = np.array([BASES.find(base) for base in sequence], dtype=np.int32)
    if (codes < 0).any():
        position = int(np.argmax(codes < 0))
        raise ValueError(f"position {position + 1}: {sequence[position]!r} is not a residue (one of {BASES})")
    return codes


@dataclass(frozen=True)
class RNAStructure:
    """One RNA chain: full sequence (unresolved residues included) and the coordinates of its models.

    Coordinates are in Å, zero where `mask` is False, never NaN.
    """

    name: str
    """Identifier, `<entry>_<chain>` for chains of a database."""
    sequence: str
    """Over `BASES`, length L."""
    coords: Float32[np.ndarray, "M L A 3"]
    mask: Bool[np.ndarray, "M L A"]
    atoms: tuple[str, ...] = HEAVY_ATOMS
    """Names of the A atoms, from `HEAVY_ATOMS` or `BEADS`."""
    residue_index: Int32[np.ndarray, " L"] = field(default=None)  # type: ignore[arg-type]
    """Position in the full sequence (from 1) where it is known, else author numbering: a jump is a gap."""
    entry: str = ""
    chain: str = ""
    release_date: str = NO_DATE
    """YYYY-MM-DD; `NO_DATE` when unknown."""
    method: str = ""
    resolution: float = float("nan")
    """Å; NaN when it has none."""
    title: str = ""
    strands: tuple[int, ...] = ()
    """Residues of each strand, for an RNA of several, whose residues follow each other; empty for one."""

    def __post_init__(self) -> None:
        if self.residue_index is None:
            object.__setattr__(self, "residue_index", np.arange(1, len(self.sequence) + 1, dtype=np.int32))
        models, length, atoms = self.mask.shape
        if self.coords.shape != (models, length, atoms, 3):
            raise ValueError(f"{self.name}: coords {self.coords.shape} do not fit mask {self.mask.shape}")
        if length != len(self.sequence) or atoms != len(self.atoms) or length != len(self.residue_index):
            raise ValueError(
                f"{self.name}: {length} residues of {atoms} atoms, but the sequence has {len(self.sequence)}, "
                f"residue_index {len(self.residue_index)} and atoms {len(self.atoms)}"
            )
        if self.strands and sum(self.strands) != length:
            raise ValueError(f"{self.name}: strands of {self.strands} residues do not make {length}")

    def __len__(self) -> int:
        """Number of residues L."""
        return len(self.sequence)

    @property
    def num_models(self) -> int:
        """Number of models M."""
        return self.mask.shape[0]

    def models(self, rows: Sequence[int]) -> "RNAStructure":
        """The same chain with some of its models, by position."""
        rows = list(rows)
        return replace(self, coords=self.coords[rows], mask=self.mask[rows])

    def select_atoms(self, atoms: tuple[str, ...]) -> "RNAStructure":
        """The same chain with the atoms named, in that order; atoms it does not have are masked.

        `N` selects the glycosidic nitrogen of each residue.
        """
        models, length = self.mask.shape[:2]
        coords = np.zeros((models, length, len(atoms), 3), dtype=np.float32)
        mask = np.zeros((models, length, len(atoms)), dtype=bool)
        column = {name: i for i, name in enumerate(self.atoms)}
        for a, atom in enumerate(atoms):
            for base in BASES:
                source = glycosidic_nitrogen(base) if atom == "N" and "N" not in column else atom
                if source not in column:
                    continue
                rows = np.array([b == base for b in self.sequence])
                coords[:, rows, a] = self.coords[:, rows, column[source]]
                mask[:, rows, a] = self.mask[:, rows, column[source]]
        return replace(self, coords=coords, mask=mask, atoms=tuple(atoms))
