"""How far to trust the conformers of a run: ranking.csv, and a table for the terminal, both from the summaries."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rnagen.config.sampling import StructureFormat
from rnagen.messages import number_of, one_line
from rnagen.sampling.stored import conformers_of, templates_of

LOW_TM = 0.2
"""Predicted TM-score under which a conformer should not be interpreted; one helix scores as much."""
SHORT = 20
"""Residues below which a TM-score means little: conformers 0.7 Å apart have 0.3."""
TOO_SHORT = "too short for a TM-score"
MANY_CLASHES = 20.0
"""Clashes per 1,000 atoms over which a conformer should not be interpreted (docs/allatom.md#geometry)."""
LISTED = 20
"""RNAs of the table."""
COLUMNS = (
    "target",
    "rank",
    "file",
    "predicted_tm",
    "predicted_lddt",
    "clashes_per_1000",
    "checkpoint",
    "template",
    "sample",
    "tm_to_first",
    "rmsd_to_first",
    "caution",
)
HEADS = ("RNA", "nt", "TM", "lDDT", "clashes", "spread", "templates", "")


@dataclass(frozen=True)
class Finished:
    """A finished RNA of a run."""

    name: str
    folder: str
    """Of its files."""
    summary: dict[str, Any]

    def conformers(self, structure_format: StructureFormat) -> list[dict[str, Any]]:
        """What the summary has of each conformer, in their order."""
        return conformers_of(self.summary, structure_format)

    @property
    def length(self) -> int:
        """Residues."""
        return int(self.summary["length"])

    @property
    def lddt(self) -> list[float | None]:
        """Predicted for each conformer; None where there is no confidence model."""
        return list(self.summary.get("confidence", {}).get("lddt", [None] * len(self.summary.get("geometry", []))))

    @property
    def templates(self) -> dict[int, str]:
        """Source and name of the templates, by the number of the conformer."""
        return {use["conformer"]: f"{use['source']} {use['name']}" for use in templates_of(self.summary)}


def reasons_against(conformer: dict[str, Any], length: int) -> list[str]:
    """Why a conformer of so many residues should not be interpreted, each with its number, which the table rounds."""
    tm, clashes = conformer.get("predicted_tm"), conformer.get("clashes_per_1000")
    reasons = []
    if tm is not None and tm < LOW_TM and length >= SHORT:
        reasons.append(f"predicted TM-score {tm:g}, under {LOW_TM}")
    if clashes is not None and clashes > MANY_CLASHES:
        reasons.append(f"{clashes:g} clashes per 1,000 atoms, over {MANY_CLASHES:.0f}")
    return reasons


def caution(conformer: dict[str, Any], length: int) -> str:
    """What to know before a conformer of so many residues is interpreted; empty where nothing is known against it."""
    return "; ".join([*reasons_against(conformer, length), *([TOO_SHORT] if length < SHORT else [])])


def ranking_text(rnas: Sequence[Finished], structure_format: StructureFormat) -> str:
    """ranking.csv: one row for each conformer."""
    buffer = io.StringIO()
    table = csv.DictWriter(buffer, COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    for rna in rnas:
        templates, lddt = rna.templates, rna.lddt
        for k, conformer in enumerate(rna.conformers(structure_format), start=1):
            row = {**conformer, "target": rna.name, "rank": k, "file": f"{rna.folder}/{conformer['file']}"}
            row |= {
                "predicted_lddt": lddt[k - 1],
                "template": templates.get(k, ""),
                "caution": caution(conformer, rna.length),
            }
            table.writerow(row)
    return buffer.getvalue()


def table_of(rnas: Sequence[Finished], structure_format: StructureFormat, rest: str) -> list[str]:
    """A table of the first conformers, and what its columns mean.

    Args:
        rnas: in order.
        structure_format: of the files.
        rest: where the RNAs are that have no room.
    """
    rows, unknown = [HEADS], set[str]()
    doubtful = 0
    for rna in rnas:
        conformers = rna.conformers(structure_format)
        unknown |= {str(one.get("checkpoint", "")) for one in conformers if one.get("predicted_tm") is None}
        first = conformers[0]
        against = bool(reasons_against(first, rna.length))
        doubtful += against
        if len(rows) > LISTED:
            continue
        rows.append(
            (
                one_line(rna.name, 30),
                str(rna.length),
                _number(first.get("predicted_tm"), 2),
                _number(rna.lddt[0], 2),
                _number(first.get("clashes_per_1000"), 0),
                _number(rna.summary.get("spread"), 2),
                f"{len(rna.templates)} of {len(conformers)}",
                "do not interpret: " * against + caution(first, rna.length),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
    lines = [_line(row, widths) for row in rows]
    if len(rnas) > LISTED:
        lines.append(f"… and {len(rnas) - LISTED} more: {rest}")
    lines.append(
        "TM and lDDT are predicted, clashes counted per 1,000 atoms, all of conformer 1; "
        "spread: mean 1 − TM-score between it and the others"
    )
    if unknown:
        names = ", ".join(sorted(filter(None, unknown))) or "this checkpoint"
        lines.append(f"conformers without predicted TM-score: {names} has no confidence model")
    if doubtful:
        lines.append(f"warning: {doubtful} of {number_of(len(rnas), 'RNA')} should not be interpreted")
    return lines


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *middle, last = (
        f"{cell:{'<' if place in (0, len(row) - 1) else '>'}{width}}"
        for place, (cell, width) in enumerate(zip(row, widths))
    )
    return "  ".join([first, *middle, last]).rstrip()
