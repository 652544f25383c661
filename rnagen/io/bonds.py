"""Bonds between the nucleotides of a file: what their coordinates say about which follows which."""

import gemmi
import numpy as np

MAX_BOND = 2.6
"""Å; O3' and P of neighbours closer than this are bonded (1.6 Å in good models, more in poor ones)."""

MAX_C1_DISTANCE = 10.0
"""Å; C1' atoms of bonded neighbours are closer."""


def find_atom(residue: gemmi.Residue, *names: str) -> gemmi.Atom | None:
    """First atom of any of the names that has a position, whatever its alternate location."""
    return next((atom for atom in residue if atom.name in names and atom.pos.x == atom.pos.x), None)


def bond_length(first: gemmi.Residue, second: gemmi.Residue) -> float | None:
    """O3'–P distance in Å between neighbours, None where an atom is missing."""
    oxygen = find_atom(first, "O3'", "O3*")
    phosphorus = find_atom(second, "P", "PA")
    return None if oxygen is None or phosphorus is None else oxygen.pos.dist(phosphorus.pos)


def is_bonded(first: gemmi.Residue, second: gemmi.Residue) -> bool:
    """Whether O3' of `first` is bonded to P of `second`."""
    distance = bond_length(first, second)
    return distance is not None and distance < MAX_BOND


def c1_distance(first: gemmi.Residue, second: gemmi.Residue) -> float | None:
    """Distance of the C1' atoms in Å, None where one is missing."""
    ends = [find_atom(residue, "C1'", "C1*") for residue in (first, second)]
    return None if ends[0] is None or ends[1] is None else ends[0].pos.dist(ends[1].pos)


def is_linked(first: gemmi.Residue, second: gemmi.Residue) -> bool | None:
    """Whether the chain goes on from `first` to `second`: by the bond, else by C1'; None where neither can be seen."""
    bond = bond_length(first, second)
    if bond is not None:
        return bond <= MAX_BOND
    distance = c1_distance(first, second)
    return None if distance is None else distance <= MAX_C1_DISTANCE


def find_bonds(residues: list[gemmi.Residue]) -> list[tuple[int, int]]:
    """(i, j) for each pair of residues of which O3' of i is bonded to P of j; a residue has one such bond on each side,
    the shortest."""
    ends = [_positions(residues, *names) for names in (("O3'", "O3*"), ("P", "PA"))]
    (i, oxygens), (j, phosphori) = ends
    if not i or not j:
        return []
    squares = (oxygens**2).sum(1)[:, None] + (phosphori**2).sum(1)[None] - 2 * oxygens @ phosphori.T
    squares[np.array(i)[:, None] == np.array(j)[None]] = np.inf
    nearest, nearest_back = squares.argmin(axis=1), squares.argmin(axis=0)
    return [
        (i[row], j[column])
        for row, column in enumerate(nearest.tolist())
        if squares[row, column] < MAX_BOND**2 and nearest_back[column] == row
    ]


def _positions(residues: list[gemmi.Residue], *names: str) -> tuple[list[int], np.ndarray]:
    """Places of the residues that have an atom of these names, and its positions [n, 3]."""
    found = [(place, find_atom(residue, *names)) for place, residue in enumerate(residues)]
    places = [place for place, atom in found if atom is not None]
    return places, np.array([atom.pos.tolist() for _, atom in found if atom is not None]).reshape(-1, 3)
