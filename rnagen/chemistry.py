"""Bonds, angles and chirality of nucleotides, as lists of atoms, with their ideal values.

The ideal values are medians of experimental structures (runs/nucleotides.py: X-ray, 2.0 Å or better), which were
refined against those of Gelbin et al., J. Am. Chem. Soc. 118, 519 (1996) and Parkinson et al., Acta Cryst. D 52, 57
(1996).

Atoms are numbered on the grid of residues and `HEAVY_ATOMS`: atom a of residue i is i · 27 + a.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from rnagen.strands import strand_numbers
from rnagen.structure import BACKBONE_ATOMS, BASE_ATOMS, BASES, HEAVY_ATOMS, glycosidic_nitrogen

IDEALS = Path(__file__).parent / "assets" / "nucleotides.json"
WIDTH = len(HEAVY_ATOMS)
COLUMN = {name: column for column, name in enumerate(HEAVY_ATOMS)}

_BACKBONE = (
    "P-OP1 P-OP2 P-O5' O5'-C5' C5'-C4' C4'-O4' C4'-C3' C3'-O3' C3'-C2' C2'-O2' C2'-C1' C1'-O4'"  # and O3' to the next P
)
_PURINE = "C1'-N9 N9-C8 C8-N7 N7-C5 C5-C6 C6-N1 N1-C2 C2-N3 N3-C4 C4-C5 C4-N9"
_PYRIMIDINE = "C1'-N1 N1-C2 C2-O2 C2-N3 N3-C4 C4-C5 C5-C6 C6-N1"
_BASE = {
    "A": f"{_PURINE} C6-N6",
    "C": f"{_PYRIMIDINE} C4-N4",
    "G": f"{_PURINE} C6-O6 C2-N2",
    "U": f"{_PYRIMIDINE} C4-O4",
    "N": "C1'-N1",
}
CENTRES = ("C1'", "C2'", "C3'", "C4'", "P")
"""Atoms with a handedness; that of P is which oxygen is OP1."""
_NEIGHBOURS = {
    "C1'": ("O4'", "C2'", "N"),
    "C2'": ("C1'", "C3'", "O2'"),
    "C3'": ("C2'", "C4'", "O3'"),
    "C4'": ("C3'", "C5'", "O4'"),
    "P": ("OP1", "OP2", "O5'"),
}
ENDO = 115.0
"""Degrees; the torsion δ (C5'-C4'-C3'-O3') is smaller in C3'-endo sugars (84 on average), larger in C2'-endo (147)."""
RADII = {"C": 1.70, "N": 1.55, "O": 1.40, "P": 1.80}
"""Å; van der Waals radii: Bondi, J. Phys. Chem. 68, 441 (1964), rounded as MolProbity has them."""


@cache
def atoms_of(base: str) -> tuple[str, ...]:
    """Heavy atoms of a residue, in the order of `HEAVY_ATOMS`; of an unknown base only the glycosidic nitrogen."""
    names = {name for bond in _BASE[base].split() for name in bond.split("-")}
    return tuple(name for name in HEAVY_ATOMS if name in BACKBONE_ATOMS or name in names)


@cache
def _atom_table() -> Bool[np.ndarray, "5 27"]:
    return np.array([[name in atoms_of(base) for name in HEAVY_ATOMS] for base in BASES])


def has_atom(bases: Int[np.ndarray, " L"]) -> Bool[np.ndarray, "L 27"]:
    """Which atoms each residue has, by the codes of the bases."""
    return _atom_table()[bases]


@dataclass(frozen=True)
class Terms:
    """K bonds (n = 2), angles (n = 3) or handed centres (n = 4) of one kind of residue or of a chain."""

    atoms: Int[np.ndarray, "K n"]
    """On the grid; those of the next residue follow those of a residue."""
    kinds: Int[np.ndarray, " K"]
    """Place of its name among those of `Ideals`."""


def _name(base: str, names: tuple[str, ...]) -> str:
    """Bonds and angles at a base differ from base to base."""
    joined = "-".join(names)
    return f"{base}:{joined}" if any(name in BASE_ATOMS for name in names) else joined


@cache
def bonds_of(base: str) -> tuple[tuple[str, Int[np.ndarray, " 2"]], ...]:
    """Name and atoms of each bond of a residue; the last is that to the next one."""
    pairs = [(*bond.split("-"),) for bond in f"{_BACKBONE} {_BASE[base]}".split()]
    found = [(_name(base, pair), np.array([COLUMN[name] for name in pair])) for pair in pairs]
    return (*found, ("O3'-P+", np.array([COLUMN["O3'"], COLUMN["P"] + WIDTH])))


@cache
def angles_of(base: str) -> tuple[tuple[str, Int[np.ndarray, " 3"]], ...]:
    """Name and atoms of each angle of a residue, the middle one second; with those at the bond to the next one."""
    pairs = [tuple(atoms.tolist()) for _, atoms in bonds_of(base)]
    phosphate = [(COLUMN["P"] + WIDTH, COLUMN[name] + WIDTH) for name in ("OP1", "OP2", "O5'")]
    found = []
    for middle in sorted({atom for pair in pairs for atom in pair}):
        around = sorted({a + b - middle for a, b in [*pairs, *phosphate] if middle in (a, b)})
        for k, first in enumerate(around):
            for last in around[k + 1 :]:
                atoms = (first, middle, last)
                # The phosphate's own angles are those of the next residue.
                if middle >= WIDTH and COLUMN["O3'"] not in atoms:
                    continue
                names = tuple(HEAVY_ATOMS[atom % WIDTH] + "+" * (atom >= WIDTH) for atom in atoms)
                found.append((_name(base, names), np.array(atoms)))
    return tuple(found)


@cache
def centres_of(base: str) -> tuple[tuple[str, Int[np.ndarray, " 4"]], ...]:
    """Name and atoms of each handed centre of a residue: the centre, then its neighbours."""
    nitrogen = glycosidic_nitrogen(base)
    names = [(c, *(nitrogen if name == "N" else name for name in _NEIGHBOURS[c])) for c in CENTRES]
    return tuple((name[0], np.array([COLUMN[one] for one in name])) for name in names)


_OF = {2: bonds_of, 3: angles_of, 4: centres_of}


@cache
def names_of(size: int) -> tuple[str, ...]:
    """Names of all bonds (2), angles (3) or handed centres (4)."""
    return tuple(dict.fromkeys(name for base in BASES for name, _ in _OF[size](base)))


@cache
def _terms_of(base: str, size: int) -> Terms:
    place = {name: k for k, name in enumerate(names_of(size))}
    found = _OF[size](base)
    return Terms(np.array([atoms for _, atoms in found]), np.array([place[name] for name, _ in found]))


def terms(
    bases: Int[np.ndarray, " L"], mask: Bool[np.ndarray, "L 27"], linked: Bool[np.ndarray, " L"], size: int
) -> Terms:
    """The bonds (size 2), angles (3) or handed centres (4) of a chain.

    Args:
        bases: codes over `BASES`.
        mask: atoms that are there; terms with others are left out.
        linked: whether each residue is bonded to the next one; the last is not.
        size: 2, 3 or 4.
    """
    there = np.concatenate([mask.reshape(-1), np.zeros(WIDTH, dtype=bool)])
    atoms, kinds = [], []
    for code, base in enumerate(BASES):
        of_base, rows = _terms_of(base, size), np.flatnonzero(bases == code)
        placed = rows[:, None, None] * WIDTH + of_base.atoms
        ok = there[placed].all(-1) & (linked[rows][:, None] | (of_base.atoms < WIDTH).all(-1))
        atoms.append(placed[ok])
        kinds.append(np.broadcast_to(of_base.kinds, ok.shape)[ok])
    return Terms(np.concatenate(atoms), np.concatenate(kinds))


def linked_by_number(
    present: Bool[np.ndarray, " L"], residue_index: Int[np.ndarray, " L"], strands: Sequence[int] = ()
) -> Bool[np.ndarray, " L"]:
    """Whether each residue is bonded to the next: both are present and of one strand, and their numbers follow."""
    linked = np.zeros(len(present), dtype=bool)
    together = np.diff(strand_numbers(strands, len(present))) == 0
    linked[:-1] = present[:-1] & present[1:] & (np.diff(residue_index) == 1) & together
    return linked


@cache
def radii() -> Float[np.ndarray, " 27"]:
    """Van der Waals radius of each of the heavy atoms, Å."""
    return np.array([RADII[name[0]] for name in HEAVY_ATOMS])


@dataclass(frozen=True)
class Ideals:
    """Ideal values, and how far experimental structures scatter about them."""

    bonds: Float[np.ndarray, "bonds 2"]
    """Å and its standard deviation, by `names_of(2)`."""
    angles: Float[np.ndarray, "angles 2 2"]
    """Radians and their standard deviation, by `names_of(3)`, in C3'-endo and in C2'-endo sugars."""
    volumes: Float[np.ndarray, "5 2"]
    """Å³; volume that the bonds to three neighbours span, by `CENTRES`, with its standard deviation; the sign is the
    handedness."""
    bases: dict[str, Float[np.ndarray, "n 3"]]
    """Å; C1' and the atoms of each base in a plane, in the order of `base_columns`."""

    @classmethod
    def read(cls, path: Path = IDEALS) -> "Ideals":
        """Read a file that `write` wrote.

        Raises:
            OSError: there is no such file.
        """
        found = json.loads(path.read_text())
        of = {name: np.array([found[name][one] for one in names]) for name, names in _tables().items()}
        return cls(**of, bases={base: np.array(xyz) for base, xyz in found["bases"].items()})

    def write(self, path: Path, precision: int = 4) -> None:
        """As JSON, by names."""
        table = {
            part: {name: np.round(row, precision).tolist() for name, row in zip(names, getattr(self, part))}
            for part, names in _tables().items()
        }
        bases = {base: np.round(xyz, precision).tolist() for base, xyz in self.bases.items()}
        parts = {**table, "bases": bases}
        lines = [
            json.dumps(part)
            + ": {\n"
            + ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in rows.items())
            + "\n}"
            for part, rows in parts.items()
        ]
        path.write_text("{" + ",\n".join(lines) + "}\n")

    @cached_property
    def distances(self) -> Float[np.ndarray, "angles 2 2"]:
        """Å; distance between the ends of each angle and its standard deviation, from the angle and its two bonds."""
        lengths = {name: row[0] for name, row in zip(names_of(2), self.bonds)}
        ends = np.array([_sides(name, lengths) for name in names_of(3)])[:, :, None]
        angle, sigma = self.angles[..., 0], self.angles[..., 1]
        a, b = ends[:, 0], ends[:, 1]
        length = np.sqrt(a**2 + b**2 - 2 * a * b * np.cos(angle))
        return np.stack([length, a * b * np.sin(angle) / length * sigma], axis=-1)


def _sides(angle: str, lengths: dict[str, float]) -> tuple[float, float]:
    """Lengths of the two bonds of an angle."""
    base, _, names = angle.rpartition(":")
    first, middle, last = names.split("-")
    return _length(base, first, middle, lengths), _length(base, middle, last, lengths)


def _length(base: str, a: str, b: str, lengths: dict[str, float]) -> float:
    if a.endswith("+") and b.endswith("+"):
        a, b = a[:-1], b[:-1]
    candidates = [f"{a}-{b}", f"{b}-{a}", f"{base}:{a}-{b}", f"{base}:{b}-{a}"]
    return next(lengths[name] for name in candidates if name in lengths)


def _tables() -> dict[str, tuple[str, ...]]:
    return {"bonds": names_of(2), "angles": names_of(3), "volumes": CENTRES}


@cache
def ideals() -> Ideals:
    """Those that are shipped."""
    return Ideals.read()


@cache
def base_columns(base: str) -> Int[np.ndarray, " n"]:
    """Columns of C1' and of the atoms of a base."""
    return np.array([COLUMN["C1'"], *(COLUMN[name] for name in atoms_of(base) if name in BASE_ATOMS)])


def torsion(
    a: Float[np.ndarray, "n 3"],
    b: Float[np.ndarray, "n 3"],
    c: Float[np.ndarray, "n 3"],
    d: Float[np.ndarray, "n 3"],
) -> Float[np.ndarray, " n"]:
    """Torsion angles about b–c, in degrees, from -180 to 180."""
    axis = c - b
    first, last = np.cross(b - a, axis), np.cross(axis, d - c)
    sine = (np.cross(first, last) * axis).sum(-1) / np.linalg.norm(axis, axis=-1).clip(1e-9)
    return np.degrees(np.arctan2(sine, (first * last).sum(-1)))


def is_c2_endo(coords: Float[np.ndarray, "L 27 3"]) -> Bool[np.ndarray, " L"]:
    """Which sugars are C2'-endo, by δ; the others are C3'-endo."""
    return torsion(*(coords[:, COLUMN[name]] for name in ("C5'", "C4'", "C3'", "O3'"))) % 360 > ENDO
