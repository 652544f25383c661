"""Base pairs and stacking of a structure with all atoms, by RNApolis (Żok et al., https://github.com/tzok/rnapolis-py).

Canonical and non-canonical pairs by two or more hydrogen bonds between two edges of the bases, named as Leontis and
Westhof do (RNA 7, 499, 2001); stacking by the distance and angle of the rings.
"""

import logging
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32

from rnagen.chemistry import has_atom
from rnagen.errors import ConfigError
from rnagen.io.dot_bracket import format_dot_bracket
from rnagen.structure import BASE_ATOMS, HEAVY_ATOMS, UNPAIRED, RNAStructure, encode_sequence

CHAIN = "A"
"""Of all residues, which are numbered from 1: strands and author numbers make no difference to an annotation."""
MINIMUM_BASES = 0.5
"""Share of the residues with C1' whose bases must be whole, in a structure that has base pairs."""


@dataclass(frozen=True, order=True)
class Pair:
    """Two paired bases."""

    i: int
    j: int
    """Residues from 0, i < j."""
    kind: str
    """cis or trans, and the edges (W: Watson-Crick, H: Hoogsteen, S: sugar) of i and j: cWW, tHS …"""
    canonical: bool
    """AU, GC or GU in cWW."""


@dataclass(frozen=True)
class Interactions:
    """Base pairs and stacking of one conformer."""

    length: int
    pairs: tuple[Pair, ...]
    stacking: tuple[tuple[int, int], ...]
    """Residues from 0 whose bases lie on each other, i < j."""

    @cached_property
    def dot_bracket(self) -> str:
        """The canonical pairs, pseudoknots included."""
        table = [UNPAIRED] * self.length
        for pair in self.pairs:
            # Bases of a poor conformer can be close to two others: the first counts.
            if pair.canonical and table[pair.i] == table[pair.j] == UNPAIRED:
                table[pair.i], table[pair.j] = pair.j, pair.i
        return format_dot_bracket(table)

    def to_plain(self) -> dict[str, Any]:
        """For JSON: residues from 1."""
        return {
            "secondary_structure": self.dot_bracket,
            "noncanonical_pairs": [[pair.i + 1, pair.j + 1, pair.kind] for pair in self.pairs if not pair.canonical],
            "stacking": [[i + 1, j + 1] for i, j in self.stacking],
        }


def can_annotate() -> bool:
    """Whether RNApolis is installed."""
    return find_spec("rnapolis") is not None


def check_annotator() -> None:
    """Refuse where RNApolis is missing.

    Raises:
        ConfigError: names the remedy.
    """
    if not can_annotate():
        raise ConfigError(
            "base pairs of structures need RNApolis, which is not installed (pip install 'rnagen[pairs]')"
        )


def whole_bases(structure: RNAStructure) -> Bool[np.ndarray, "M L"]:
    """Residues of each model that have all heavy atoms of their base."""
    atoms = structure.select_atoms(BASE_ATOMS).mask
    needed = has_atom(encode_sequence(structure.sequence))[:, [HEAVY_ATOMS.index(name) for name in BASE_ATOMS]]
    known = np.array([base != "N" for base in structure.sequence])
    return (atoms | ~needed).all(-1) & known


def has_bases(structure: RNAStructure) -> bool:
    """Whether the bases of most residues are there in every model, so that its base pairs can be found."""
    there = structure.select_atoms(("C1'",)).mask[:, :, 0]
    return bool((whole_bases(structure).sum(1) >= MINIMUM_BASES * np.maximum(there.sum(1), 1)).all())


def interactions(structure: RNAStructure) -> list[Interactions]:
    """Base pairs and stacking of each model of a structure with all atoms; residues without a whole base have none.

    Raises:
        ConfigError: RNApolis is not installed.
    """
    _annotator()
    full = structure.select_atoms(HEAVY_ATOMS)
    return [
        _of_model(full.sequence, coords, mask & whole[:, None])
        for coords, mask, whole in zip(full.coords, full.mask, whole_bases(full))
    ]


def _of_model(sequence: str, coords: Float32[np.ndarray, "L 27 3"], mask: Bool[np.ndarray, "L 27"]) -> Interactions:
    from rnapolis.common import ResidueLabel
    from rnapolis.tertiary import Atom, Residue3D, Structure3D

    residues = []
    for k in np.flatnonzero(mask.any(1)).tolist():
        label = ResidueLabel(CHAIN, k + 1, sequence[k])
        atoms = []
        for a in np.flatnonzero(mask[k]):
            x, y, z = coords[k, a].tolist()
            atoms.append(Atom(None, label, None, 1, HEAVY_ATOMS[a], x, y, z, None))
        residues.append(Residue3D(label, None, 1, sequence[k], tuple(atoms)))
    found = _annotator().extract_base_interactions(Structure3D(residues))
    pairs = []
    for pair in found.base_pairs:
        i, j = pair.nt1.label.number - 1, pair.nt2.label.number - 1
        kind = (pair.lw if i < j else pair.lw.reverse).value
        canonical = kind == "cWW" and {sequence[i], sequence[j]} in ({"A", "U"}, {"G", "C"}, {"G", "U"})
        pairs.append(Pair(min(i, j), max(i, j), kind, canonical))
    stacking = {
        (min(labels), max(labels))
        for one in found.stackings
        if (labels := (one.nt1.label.number - 1, one.nt2.label.number - 1))
    }
    return Interactions(len(sequence), tuple(sorted(pairs)), tuple(sorted(stacking)))


def _annotator() -> Any:
    """RNApolis' module, which on import would set up logging for the whole process."""
    check_annotator()
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    from rnapolis import annotator

    root.handlers[:] = handlers
    root.setLevel(level)
    return annotator
