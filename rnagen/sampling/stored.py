"""What the folder of a target holds of an ensemble beside its structure files, so that it can be read and added to."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from jaxtyping import Float32
from safetensors import SafetensorError

from rnagen.config.sampling import StructureFormat
from rnagen.errors import InputError
from rnagen.io.files import atomic_write, read_bytes
from rnagen.messages import one_line
from rnagen.sampling.confidence import DIGITS, Confidence
from rnagen.sampling.ensemble import Ensemble
from rnagen.sampling.templates import TemplateUse
from rnagen.structure import RNAStructure

SAMPLED = "sampled.safetensors"
"""Coordinates of the conformers as they were sampled, neither superposed nor rounded: what their files are made of, to
the byte, however often others are added."""


def write_coordinates(path: Path, coords: Float32[np.ndarray, "n L A 3"]) -> None:
    """Write coordinates in Å.

    Raises:
        OSError: the folder cannot be written or the disk is full.
    """
    with atomic_write(path) as file:
        file.write(safetensors.numpy.save({"coords": np.ascontiguousarray(coords)}))


def read_coordinates(path: Path) -> Float32[np.ndarray, "n L A 3"] | None:
    """What `write_coordinates` wrote; None where there is no such file, as in folders of version 0.1.0.

    Raises:
        InputError: the file cannot be read.
    """
    if not path.is_file():
        return None
    try:
        return safetensors.numpy.load(read_bytes(path))["coords"]
    except (SafetensorError, KeyError) as error:
        raise InputError(path, None, f"cannot be read: {one_line(error)}") from error


def describe_ensemble(ensemble: Ensemble) -> dict[str, Any]:
    """What a summary has of an ensemble, beside its order."""
    confidence = ensemble.confidence
    found: dict[str, Any] = {"evaluations": ensemble.evaluations, "redrawn": ensemble.redrawn}
    uses = [(k, use) for k, use in enumerate(ensemble.templates, start=1) if use is not None]
    if uses:
        found["templates"] = [{"conformer": k, **rounded(asdict(use))} for k, use in uses]
    if ensemble.candidates is not None:
        found["selection"] = {"candidates": ensemble.candidates, "by": ensemble.selected_by}
    if confidence is not None:
        found["confidence"] = {
            "tm": _known(confidence.tm),
            "lddt": _known(confidence.lddt.mean(1)),
            "lddt_per_residue": [None if np.isnan(row).any() else _known(row) for row in confidence.lddt],
        }
    return found


def ensemble_of(structure: RNAStructure, summary: dict[str, Any]) -> Ensemble:
    """The ensemble of a summary; of version 0.1.0 too, whose conformers stood in the order of their numbers."""
    confidence = None
    if "confidence" in summary:
        found = summary["confidence"]
        unknown = [np.nan] * len(structure)
        lddt = [unknown if row is None else row for row in found["lddt_per_residue"]]
        confidence = Confidence(np.array(lddt), np.array(found["tm"], dtype=np.float64))
    templates: list[TemplateUse | None] = [None] * structure.num_models
    for use in templates_of(summary):
        templates[use["conformer"] - 1] = TemplateUse(**{key: use[key] for key in use if key != "conformer"})
    conformers = conformers_of(summary, "cif")
    return Ensemble(
        structure=structure,
        numbers=[one["sample"] for one in conformers],
        confidence=confidence,
        evaluations=summary["evaluations"],
        redrawn=summary["redrawn"],
        seconds=summary["seconds"],
        templates=templates,
        checkpoints=[one["checkpoint"] for one in conformers],
        candidates=summary.get("selection", {}).get("candidates"),
        selected_by=summary.get("selection", {}).get("by"),
    )


def conformers_of(summary: dict[str, Any], structure_format: StructureFormat) -> list[dict[str, Any]]:
    """What a summary has of each conformer, in their order: for one of version 0.1.0 the file, its number, and the
    TM-score that was predicted for its template or for itself."""
    if "conformers" in summary:
        return list(summary["conformers"])
    n = len(summary.get("geometry", []))
    numbers = summary.get("selection", {}).get("numbers", range(1, n + 1))
    predicted = dict(enumerate(summary.get("confidence", {}).get("tm", []), start=1))
    predicted |= {use["conformer"]: use["predicted_tm"] for use in templates_of(summary)}
    return [
        {
            "file": f"conformer_{k}.{structure_format}",
            "sample": numbers[k - 1],
            "checkpoint": "",
            "predicted_tm": predicted.get(k),
        }
        for k in range(1, n + 1)
    ]


def templates_of(summary: dict[str, Any]) -> list[dict[str, Any]]:
    """The templates of a summary, each with the number of its conformer: in version 0.1.0, those of the first ones."""
    return [{"conformer": k, **use} for k, use in enumerate(summary.get("templates", []), start=1)]


def _known(values: np.ndarray) -> list[float | None]:
    return [None if np.isnan(value) else round(value, DIGITS) for value in values.tolist()]


def rounded(fields: dict[str, Any]) -> dict[str, Any]:
    """The same fields, numbers as files have them."""
    return {name: round(value, DIGITS) if isinstance(value, float) else value for name, value in fields.items()}
