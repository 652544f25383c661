"""PDB files made by code: atoms on a line, every detail of a record under the test's control."""

import numpy as np

RIBOSE = ("P", "OP1", "OP2", "O5'", "C5'", "C4'", "O4'", "C3'", "O3'", "C2'", "O2'", "C1'")
BASES = {
    "A": ("N9", "C8", "N7", "C5", "C6", "N6", "N1", "C2", "N3", "C4"),
    "G": ("N9", "C8", "N7", "C5", "C6", "O6", "N1", "C2", "N2", "N3", "C4"),
    "C": ("N1", "C2", "O2", "N3", "C4", "N4", "C5", "C6"),
    "U": ("N1", "C2", "O2", "N3", "C4", "O4", "C5", "C6"),
}


def atom_line(
    name: str,
    residue: str,
    number: int,
    xyz: tuple[float, float, float] | tuple[str, str, str],
    *,
    chain: str = "A",
    record: str = "ATOM",
    altloc: str = "",
    insertion: str = "",
    occupancy: float = 1.0,
) -> str:
    cells = "".join(f"{x:>8}" if isinstance(x, str) else f"{x:8.3f}" for x in xyz)
    padded = f" {name}" if len(name) < 4 else name
    return (
        f"{record:<6}    1 {padded:<4}{altloc:1}{residue:>3} {chain:1}{number:4d}{insertion:1}   "
        f"{cells}{occupancy:6.2f}{0:6.2f}          {name[0]:>2}\n"
    )


def nucleotide(
    residue: str,
    number: int,
    *,
    base: str | None = None,
    at: float | None = None,
    without: tuple[str, ...] = (),
    **details: str | float,
) -> str:
    """Lines of one nucleotide whose atoms lie along y at x = 6 Å × `at` (the number by default).

    O3' of a residue is 1.6 Å from P of the next one: neighbours by `at` are bonded.
    """
    position = number if at is None else at
    lines = []
    for i, name in enumerate(RIBOSE + BASES[base or residue[-1]]):
        if name not in without:
            x = 6.0 * position + (4.4 if name == "O3'" else 0.0)
            y = 0.0 if name in ("P", "O3'") else 0.5 * i
            lines.append(atom_line(name, residue, number, (x, y, 1.0), **details))  # type: ignore[arg-type]
    return "".join(lines)


def x_of(coords: np.ndarray) -> list[float]:
    """x of P, the first atom, of each residue of the first model, in units of 6 Å: the `at` it was made with."""
    return (coords[0, :, 0, 0] / 6).round(3).tolist()
