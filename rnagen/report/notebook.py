"""Conformers in a notebook, by py3Dmol."""

from typing import Any

from rnagen.errors import ConfigError
from rnagen.report.page.conformers import c1_of, superposed_on
from rnagen.sampling.ensemble import Ensemble
from rnagen.strands import strand_numbers
from rnagen.structure import RNAStructure

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#b8a900", "#7a5195")
"""Of the conformers, in turn; distinct for colour-blind readers."""
BASE_LENGTH = {"A": 5.2, "G": 5.2}
"""Å from C1' along the bond to the base that a stick is long; `OTHER_LENGTH` for other bases."""
OTHER_LENGTH = 4.2
RADIUS, THIN = 0.45, 0.2
"""Å; of the tube through C1' and of the sticks."""


def show(conformers: Ensemble | RNAStructure, width: int = 640, height: int = 440) -> Any:
    """The conformers superposed, each in a colour: a tube through C1', and a stick for each base.

    Args:
        conformers: an ensemble, or a structure, whose models are displayed.
        width: pixels.
        height: pixels.

    Returns:
        a view of py3Dmol, which a notebook displays; its methods change it.

    Raises:
        ConfigError: py3Dmol is not installed, or there is no conformer.
    """
    try:
        import py3Dmol
    except ImportError:
        raise ConfigError("show: needs py3Dmol, which is not installed: pip install py3Dmol") from None
    structure = conformers.structure if isinstance(conformers, Ensemble) else conformers
    if not structure.num_models:
        raise ConfigError("show: there is no conformer")
    view = py3Dmol.view(width=width, height=height)
    for k, text in enumerate(tube_models(structure)):
        view.addModel(text, "sdf", {"keepH": True})
        colour = COLOURS[k % len(COLOURS)]
        view.setStyle({"model": k}, {"stick": {"radius": THIN, "color": colour}})
        view.setStyle({"model": k, "elem": "C"}, {"stick": {"radius": RADIUS, "color": colour}})
    view.zoomTo()
    return view


def tube_models(structure: RNAStructure) -> list[str]:
    """For each conformer, superposed on the first, a molecule (MDL molfile) whose carbons are C1', bonded along the
    strands, and whose nitrogens are the ends of the bases."""
    moved = superposed_on(structure, 0)
    known = c1_of(structure)[1]
    beads = RNAStructure(
        "", structure.sequence, moved, structure.mask, structure.atoms, strands=structure.strands
    ).select_atoms(("C1'", "N"))
    strands = strand_numbers(structure.strands, len(structure))
    models = []
    for coords, mask, there in zip(beads.coords, beads.mask, known):
        atoms: list[str] = []
        bonds: list[tuple[int, int]] = []
        before: tuple[int, int] | None = None
        for i, base in enumerate(structure.sequence):
            if not there[i]:
                before = None
                continue
            atoms.append(_atom(coords[i, 0], "C"))
            here = len(atoms)
            if before is not None and before[1] == strands[i]:
                bonds.append((before[0], here))
            if mask[i, 1]:
                along = coords[i, 1] - coords[i, 0]
                length = BASE_LENGTH.get(base, OTHER_LENGTH) / max(float((along**2).sum() ** 0.5), 1e-6)
                atoms.append(_atom(coords[i, 0] + length * along, "N"))
                bonds.append((here, len(atoms)))
            before = (here, int(strands[i]))
        models.append(_molfile(atoms, bonds))
    return models


def _atom(point: Any, element: str) -> str:
    return "M  V30 {number} " + element + " " + " ".join(f"{value:.3f}" for value in point.tolist()) + " 0"


def _molfile(atoms: list[str], bonds: list[tuple[int, int]]) -> str:
    lines = ["", "  rnagen", "", "  0  0  0     0  0            999 V3000", "M  V30 BEGIN CTAB"]
    lines += [f"M  V30 COUNTS {len(atoms)} {len(bonds)} 0 0 0", "M  V30 BEGIN ATOM"]
    lines += [atom.format(number=number) for number, atom in enumerate(atoms, 1)]
    lines += ["M  V30 END ATOM", "M  V30 BEGIN BOND"]
    lines += [f"M  V30 {number} 1 {a} {b}" for number, (a, b) in enumerate(bonds, 1)]
    lines += ["M  V30 END BOND", "M  V30 END CTAB", "M  END", ""]
    return "\n".join(lines)
