"""Candidates: the conformers that a source has for a target, and what is known of each."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, eq=False)
class Candidate:
    """A whole conformer that can fill a slot."""

    source: str
    number: int
    """Of the conformer in its source, from 1."""
    xyz: Float[np.ndarray, "L 3"]
    """C1' coordinates in Å on the rows of the target, all finite."""
    predicted_tm: float | None = None
    """TM-score that its source predicts; None where it predicts none."""
    template_date: str = ""
    """Release date (YYYY-MM-DD) of the known structure that it was built on; empty for none."""


@dataclass(frozen=True)
class Source:
    """What a source has for the targets."""

    name: str
    place: str
    """Where it was read from."""
    cutoff: str = ""
    """Training cutoff (ISO date) of the model that made it; empty where it is not known."""
    candidates: dict[str, list[Candidate]] = field(default_factory=dict)
    """By target, in the order of the source."""
    notes: list[str] = field(default_factory=list)
    """What could not be used."""

    def of(self, target: str) -> list[Candidate]:
        """The candidates for a target; empty for none."""
        return self.candidates.get(target, [])
