"""Everything that the page has of one RNA, as plain values."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, Int16

from rnagen.io.dot_bracket import parse_dot_bracket
from rnagen.report.page.conformers import (
    LEAST_CLUSTERED,
    Comparison,
    c1_of,
    compare_conformers,
    fluctuation,
    superposed_on,
)
from rnagen.report.page.diagram import diagram
from rnagen.report.page.folder import SampledRNA
from rnagen.report.page.pairs import PlanePairs, as_text, found_pairs, has_bases, pair_shares, plane_pairs
from rnagen.strands import SEPARATOR, with_separators

DIGITS = 3


@dataclass(frozen=True)
class Record:
    """What the page and the figures have of an RNA."""

    rna: SampledRNA
    comparison: Comparison
    coords: Float32[np.ndarray, "n L A 3"]
    """Superposed on the first conformer, Å."""
    pairs: PlanePairs
    tables: list[np.ndarray]
    """Pair table of each conformer."""

    @property
    def c1(self) -> Float32[np.ndarray, "n L 3"]:
        """C1' of the superposed conformers, Å."""
        return self.coords[:, :, self.rna.structure.atoms.index("C1'")]

    @property
    def rmsf(self) -> list[float] | None:
        """Å, for each residue; None for one conformer."""
        return _rounded(fluctuation(self.c1)) if len(self.coords) > 1 else None

    def svg(self, standalone: bool = False) -> str:
        """The drawing of the secondary structure."""
        structure = self.rna.structure
        return diagram(structure.sequence, self.pairs, pair_shares(self.tables), structure.strands, standalone)


def record_of(rna: SampledRNA) -> Record:
    """Compare the conformers of an RNA, superpose them and find their pairs."""
    comparison = compare_conformers(c1_of(rna.structure)[0])
    coords = superposed_on(rna.structure, 0)
    found = rna.summary.get("interactions")
    tables = found_pairs(rna.structure) if found is None else [_pair_table(one) for one in found]
    return Record(rna, comparison, coords, plane_pairs(rna.entry), tables)


def _pair_table(found: dict[str, Any]) -> Int16[np.ndarray, " L"]:
    return parse_dot_bracket(found["secondary_structure"].replace(SEPARATOR, ""))


def described(record: Record, scores: dict[str, Any] | None = None) -> dict[str, Any]:
    """The header of an RNA in the page: plain values; coordinates travel beside it.

    Args:
        record: of the RNA.
        scores: against references, where there are some.
    """
    rna, structure, comparison = record.rna, record.rna.structure, record.comparison
    summary = rna.summary
    confidence = summary.get("confidence", {})
    lddt, count = confidence.get("lddt_per_residue"), structure.num_models
    return {
        "name": rna.name,
        "folder": rna.entry["folder"],
        "sequence": structure.sequence,
        "strands": list(structure.strands),
        "n": count,
        "length": len(structure),
        "atoms": list(structure.atoms),
        "whole": has_bases(structure),
        "tm": [_rounded(row) for row in comparison.tm],
        "clusters": None if comparison.clusters is None else comparison.clusters.tolist(),
        "least_clustered": LEAST_CLUSTERED,
        "rmsf": record.rmsf,
        "predicted_lddt": confidence.get("lddt"),
        "lddt": None if lddt is None else [None if row is None else _rounded(np.array(row)) for row in lddt],
        "svg": record.svg(),
        "structure": with_separators(as_text(record.pairs.pair_table), structure.strands),
        "source": record.pairs.source,
        "pairs": [with_separators(as_text(table), structure.strands) for table in record.tables],
        "interactions": summary.get("interactions"),
        "geometry": summary.get("geometry", []),
        "all_atom": summary.get("all_atom"),
        "given": summary.get("secondary_structure"),
        "conformers": rna.conformers,
        "ordered_by": summary.get("ordered_by"),
        "templates": rna.templates,
        "options": {**summary.get("options", {}), "seed": summary.get("seed")},
        "evaluations": summary.get("evaluations"),
        "redrawn": summary.get("redrawn"),
        "label": rna.entry.get("label"),
        "scores": scores,
        "files": list(rna.files),
    }


def index_row(record: Record, scores: dict[str, Any] | None = None) -> dict[str, Any]:
    """The row of an RNA in the index of the page; None where a number does not exist."""
    rna, tm = record.rna, record.comparison.tm
    apart = tm[np.triu_indices(len(tm), 1)]
    known = [one["predicted_tm"] for one in rna.conformers if one["predicted_tm"] is not None]
    clashes = [one["clashes_per_1000"] for one in rna.conformers if "clashes_per_1000" in one]
    return {
        "name": rna.name,
        "length": len(rna.structure),
        "conformers": rna.structure.num_models,
        "confidence": max(known, default=None),
        "diversity": round(float(1 - apart.mean()), DIGITS) if len(apart) else None,
        "clusters": None if record.comparison.clusters is None else int(record.comparison.clusters.max()),
        "clashes": round(float(np.mean(clashes)), 1) if clashes else None,
        "templates": len(rna.templates),
        "tm": None if not scores else round(scores["best5"], DIGITS),
    }


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), DIGITS) for value in values]
