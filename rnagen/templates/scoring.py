"""What an alignment of a query with a known structure is worth."""

from dataclasses import dataclass

from rnagen.dynamic_programming import Gaps


@dataclass(frozen=True)
class Scoring:
    """Weights of the parts of a score, beside RIBOSUM's. `benchmarks/templates.py` compares others."""

    structure: float = 1.0
    """Of the predicted class of a residue: paired upstream, paired downstream, unpaired."""
    pair: float = 0.7
    """Of a base pair of the template between aligned residues."""
    probability: float = 2.0
    """Of the predicted probability of the pair of the query's residues, inside `pair`."""
    canonical: float = 0.5
    """Inside `pair`, where the two can form a Watson-Crick or GU pair."""
    mismatch: float = -0.7
    """Inside `pair`, where they cannot."""
    gap_open: float = 8.0
    gap_extend: float = 0.5
    overhang: float = 0.3
    """Cost of a query residue before or behind the template. Residues of the template that stand out are free."""

    @property
    def gaps(self) -> Gaps:
        """The costs of residues that are not aligned."""
        return Gaps(self.gap_open, self.gap_extend, (self.overhang, 0.0))


DEFAULT = Scoring()
