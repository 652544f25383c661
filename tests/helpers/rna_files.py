"""Structure files as users bring them, made by code: A-form strands, and every column under the test's control."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from rnagen.aform import helix
from rnagen.structure import glycosidic_nitrogen

SEQUENCE = "GCUCGGCGGUGGGGGAGCAUCUCC"
OTHER = "CCGCCAGGCCCGGAAGGGAGCA"


@dataclass(frozen=True)
class Atom:
    """One record of a structure file."""

    name: str
    base: str
    number: int
    xyz: tuple[float, float, float]
    chain: str = "A"
    record: str = "ATOM"
    insertion: str = ""
    label: int = 0
    """Number within the declared sequence, for mmCIF."""


def strand(sequence: str, start: int = 1, chain: str = "A", shift: float = 0.0) -> list[Atom]:
    """P, C4', O3', C1' and the glycosidic nitrogen of an A-form strand, whose residues are bonded.

    Args:
        sequence: of the strand.
        start: number of the first residue.
        chain: its name.
        shift: along x in Å.
    """
    beads = helix(len(sequence) + 1)[0] + np.array([shift, 0.0, 0.0])
    atoms = []
    for i, base in enumerate(sequence):
        p, c4, c1, n = beads[i]
        step = c4 - beads[i + 1, 0]
        o3 = beads[i + 1, 0] + 1.6 * step / np.linalg.norm(step)
        for name, xyz in (("P", p), ("C4'", c4), ("O3'", o3), ("C1'", c1), (glycosidic_nitrogen(base), n)):
            atoms.append(Atom(name, base, start + i, tuple(xyz.tolist()), chain, label=i + 1))
    return atoms


def residue(atoms: Iterable[Atom], number: int) -> list[Atom]:
    """The atoms of one residue."""
    return [atom for atom in atoms if atom.number == number]


def without(atoms: Iterable[Atom], *numbers: int) -> list[Atom]:
    """The atoms of all residues but these."""
    return [atom for atom in atoms if atom.number not in numbers]


def pdb_lines(atoms: Iterable[Atom], positions: dict[int, str] | None = None) -> Iterator[str]:
    """PDB records; `positions` has the text of the 24 columns of coordinates for some residues, by number."""
    for serial, atom in enumerate(atoms, start=1):
        name = f" {atom.name}" if len(atom.name) < 4 else atom.name
        xyz = (positions or {}).get(atom.number) or "".join(f"{value:8.3f}" for value in atom.xyz)
        yield (
            f"{atom.record:<6}{serial:5d} {name:<4} {atom.base:>3} {atom.chain:1}{atom.number:4d}{atom.insertion:1}   "
            f"{xyz}{1:6.2f}{20:6.2f}          {atom.name[0]:>2}\n"
        )


def pdb(*parts: Iterable[Atom], positions: dict[int, str] | None = None) -> str:
    """A PDB file with a TER record after each part."""
    return "".join("".join(pdb_lines(part, positions)) + "TER\n" for part in parts) + "END\n"


_COLUMNS = (
    *("group_PDB", "id", "type_symbol", "label_atom_id", "label_alt_id", "label_comp_id", "label_asym_id"),
    *("label_entity_id", "label_seq_id", "Cartn_x", "Cartn_y", "Cartn_z", "auth_seq_id", "auth_asym_id"),
    "pdbx_PDB_model_num",
)


def mmcif(chains: dict[str, tuple[str, list[Atom]]]) -> str:
    """An mmCIF file: by label chain name the declared sequence and the atoms, which know the author's chain."""
    lines = ["data_made", "loop_", "_entity.id", "_entity.type"]
    lines += [f"{k} polymer" for k, _ in enumerate(chains, 1)]
    lines += ["loop_", "_entity_poly.entity_id", "_entity_poly.type"]
    lines += [f"{k} polyribonucleotide" for k, _ in enumerate(chains, 1)]
    lines += ["loop_", "_entity_poly_seq.entity_id", "_entity_poly_seq.num", "_entity_poly_seq.mon_id"]
    for k, (sequence, _) in enumerate(chains.values(), 1):
        lines += [f"{k} {i} {base}" for i, base in enumerate(sequence, 1)]
    lines += ["loop_", "_struct_asym.id", "_struct_asym.entity_id", *(f"{n} {k}" for k, n in enumerate(chains, 1))]
    lines += ["loop_", *(f"_atom_site.{column}" for column in _COLUMNS)]
    for k, (label, (_, atoms)) in enumerate(chains.items(), 1):
        for serial, atom in enumerate(atoms, 1):
            xyz = " ".join(f"{value:.3f}" for value in atom.xyz)
            lines.append(
                f'{atom.record} {serial} {atom.name[0]} "{atom.name}" . {atom.base} {label} {k} {atom.label} {xyz} '
                f"{atom.number} {atom.chain} 1"
            )
    return "\n".join(lines) + "\n"
