"""A known structure aligned with the query."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from rnagen.templates.library import TemplateChain

MINIMUM = 3
"""Aligned residues without which there is nothing to build on."""


@dataclass(frozen=True)
class Match:
    """A library chain aligned with the query."""

    chain: TemplateChain
    positions: Int64[np.ndarray, " L"]
    """Residue of the template that each residue of the query is aligned with; −1 for none."""
    score: float
    """Of the alignment, per residue of the query."""
    identity: float
    """Share of equal bases among the aligned residues."""
    coverage: float
    """Share of the query that is aligned with a resolved residue."""
    pairs: float
    """Share of the template's base pairs between aligned residues that the query can form too; 1 where it has none."""
    paired: float
    """Share of the query's residues in such pairs."""

    @property
    def can_be_copied(self) -> bool:
        """Whether enough residues are aligned to build a structure on."""
        return int((self.positions >= 0).sum()) >= MINIMUM

    @property
    def similarity(self) -> float:
        """Identity × coverage: what decides whether a template is useful."""
        return self.identity * self.coverage
