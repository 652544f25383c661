"""Small template libraries."""

from pathlib import Path

import numpy as np

from rnagen.structure import BEADS, RNAStructure, encode_sequence
from rnagen.templates.library import Library, TemplateChain, TemplateInfo


def template_of(
    structure: RNAStructure, pair_table: np.ndarray, date: str = "2001-01-01", name: str = "1abc_A"
) -> TemplateChain:
    """A template of the first model of a structure."""
    beads = structure.select_atoms(BEADS)
    return TemplateChain(
        TemplateInfo(name, name.split("_")[0], date),
        encode_sequence(structure.sequence).astype(np.uint8),
        beads.coords[0],
        beads.mask[0],
        pair_table.astype(np.int16),
    )


def written(path: Path, *chains: TemplateChain) -> Path:
    """A library file of these chains."""
    Library.of(chains).write(path)
    return path
