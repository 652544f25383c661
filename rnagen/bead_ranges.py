"""Distances between beads that RNA has: what the chain fixes within a residue and to the next, and how near
others come.

Measured on 583 training chains from crystal structures of 2.5 Å or better, 23,000 residues, neighbours bonded by O3'–P
(`benchmarks/bead_ranges.py`). A range holds 99 % of what is observed.
"""

Ranges = dict[tuple[str, str], tuple[float, float]]
"""(bead, bead) → least and largest distance in Å."""

WITHIN_RESIDUE: Ranges = {
    ("P", "C4'"): (3.29, 3.99),
    ("P", "C1'"): (4.52, 6.00),
    ("P", "N"): (4.52, 6.81),
    ("C4'", "C1'"): (2.29, 2.38),
    ("C4'", "N"): (3.15, 3.62),
    ("C1'", "N"): (1.44, 1.53),
}
"""Between two beads of one residue."""
TO_NEXT_RESIDUE: Ranges = {
    ("P", "P"): (4.83, 7.18),
    ("P", "C4'"): (5.06, 10.23),
    ("P", "C1'"): (5.45, 11.58),
    ("P", "N"): (5.51, 11.97),
    ("C4'", "P"): (3.12, 3.99),
    ("C4'", "C4'"): (4.20, 7.03),
    ("C4'", "C1'"): (4.32, 8.62),
    ("C4'", "N"): (3.94, 9.23),
    ("C1'", "P"): (4.09, 5.02),
    ("C1'", "C4'"): (4.71, 7.96),
    ("C1'", "C1'"): (4.53, 9.57),
    ("C1'", "N"): (4.38, 10.04),
    ("N", "P"): (5.08, 6.15),
    ("N", "C4'"): (4.88, 8.96),
    ("N", "C1'"): (4.15, 10.58),
    ("N", "N"): (4.05, 11.08),
}
"""Between a bead and one of the next residue. Together they hold what angles and dihedrals of the backbone allow."""
NEAREST = 3.5
"""Å between beads of residues that are not neighbours; nearer ones overlap."""
PAIRED = (9.8, 11.4)
"""Å between C1' of a Watson-Crick or GU pair."""
