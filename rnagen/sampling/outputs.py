"""The folder that a run writes: whole targets or none, resumable, refused where it belongs to another run."""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from rnagen.config.files import flatten, to_plain
from rnagen.config.sampling import SampleConfig, SamplingPlan
from rnagen.errors import ConfigError
from rnagen.io.files import hash_files, write_text
from rnagen.io.kaggle import write_submission
from rnagen.io.read import read_structures
from rnagen.io.target import Target
from rnagen.io.write import write_structure
from rnagen.metrics import conformer_geometry
from rnagen.sampling.confidence import Confidence
from rnagen.sampling.ensemble import Ensemble, Models
from rnagen.structure import RNAStructure
from rnagen.version import __version__

RUN = "run.json"
SUBMISSION = "submission.csv"
SUMMARY = "summary.json"
NOT_IDENTITY = {"out", "device", "chunk", "ckpt", "guide_ckpt"} | {
    *("sequence", "structure", "name", "fasta", "csv", "alignments")
}
"""Options that do not change what is written, or that the identity of a run holds in a better form."""
FILES_OF_HASHES = {
    "targets_sha256": "the sequences, names, secondary structures or alignments",
    "checkpoint_sha256": "the weights of the checkpoints",
    "guide_sha256": "the guides",
    "confidence_sha256": "the confidence models",
}
"""What differs between two runs if one of their hashes does."""
RESERVED_NAMES = (RUN, SUBMISSION, "report.html")
"""Names that no target's folder can have."""


class OutputFolder:
    """Output of one run: `run.json`, a folder per target, `submission.csv` at the end.

    A target's folder is written under another name and renamed when it is whole: what has its name is finished.
    """

    def __init__(self, folder: Path, structure_format: str) -> None:
        self.folder = folder
        self.format = structure_format

    def claim(self, run: dict[str, Any]) -> None:
        """Take the folder for a run described by `run["identity"]`, or resume the same run.

        Raises:
            ConfigError: the folder holds something else, or a run with another identity; names the difference.
        """
        path = self.folder / RUN
        if path.is_file():
            try:
                found = json.loads(path.read_text())["identity"]
            except (ValueError, KeyError, TypeError) as error:
                raise ConfigError(f"{path}: cannot be read as the description of a run: {error}") from error
            wanted = run["identity"]
            different = [key for key in sorted(found.keys() | wanted.keys()) if found.get(key) != wanted.get(key)]
            if different:
                rows = "".join(
                    f"\n  {key}: {FILES_OF_HASHES[key]} differ"
                    if key in FILES_OF_HASHES
                    else f"\n  {key}: {found.get(key)!r} there, {wanted.get(key)!r} now"
                    for key in different
                )
                raise ConfigError(f"{self.folder} belongs to another run; choose another --out. Different:{rows}")
            return
        if self.folder.is_dir() and any(self.folder.iterdir()):
            raise ConfigError(f"{self.folder} is not empty and was not written by rnagen; choose another --out")
        if self.folder.exists() and not self.folder.is_dir():
            raise ConfigError(f"{self.folder} is a file; choose another --out")
        self.folder.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(run, indent=1) + "\n")

    def finished(self, name: str) -> bool:
        """Whether this target was written."""
        return (self.folder / name / SUMMARY).is_file()

    def write_target(
        self, structure: RNAStructure, summary: dict[str, Any], b_factors: Float[np.ndarray, "M L"] | None = None
    ) -> None:
        """Write the conformers one by one and together, with their B factors (0 by default), and the summary.

        Raises:
            InputError: the coordinates do not fit the format.
        """
        final = self.folder / structure.name
        unfinished = self.folder / f".{structure.name}.part"
        for leftover in (unfinished, final):
            if leftover.exists():
                shutil.rmtree(leftover)
        unfinished.mkdir()
        for k in range(structure.num_models):
            own = None if b_factors is None else b_factors[k : k + 1]
            write_structure(structure.models([k]), unfinished / f"conformer_{k + 1}.{self.format}", own)
        write_structure(structure, unfinished / f"ensemble.{self.format}", b_factors)
        write_text(unfinished / SUMMARY, json.dumps(summary, indent=1) + "\n")
        os.replace(unfinished, final)

    def read_target(self, name: str, sequence: str) -> RNAStructure:
        """A finished target as its files hold it (rounded to 1e-3 Å)."""
        (chain,) = read_structures(self.folder / name / f"ensemble.{self.format}")
        return RNAStructure(name, sequence, chain.coords, chain.mask, chain.atoms)

    def write_submission(self, targets: list[tuple[str, str]], n: int) -> Path:
        """submission.csv of the finished targets (name, sequence), in the order given. Read back from the files, so
        that an interrupted and an uninterrupted run give the same bytes."""
        path = self.folder / SUBMISSION
        write_submission(path, [self.read_target(name, sequence) for name, sequence in targets], n)
        return path

    def read_ensemble(self, name: str, sequence: str) -> Ensemble:
        """A finished target, with the atoms of the model and the confidence of its summary."""
        atoms = tuple(json.loads((self.folder / RUN).read_text())["atoms"])
        structure = self.read_target(name, sequence).select_atoms(atoms)
        summary = json.loads((self.folder / name / SUMMARY).read_text())
        selection, confidence = summary.get("selection", {}), None
        if "confidence" in summary:
            found = summary["confidence"]
            confidence = Confidence(np.array(found["lddt_per_residue"]), np.array(found["tm"]))
        return Ensemble(
            structure=structure,
            numbers=selection.get("numbers", list(range(1, structure.num_models + 1))),
            best_first=selection.get("best_first"),
            confidence=confidence,
            evaluations=summary["evaluations"],
            redrawn=summary["redrawn"],
            seconds=summary["seconds"],
        )


def summarize(ensemble: Ensemble, plan: SamplingPlan) -> dict[str, Any]:
    """summary.json of one target: options, geometry of the conformers, confidence in them, timing."""
    structure, confidence = ensemble.structure, ensemble.confidence
    summary = {
        "name": structure.name,
        "sequence": structure.sequence,
        "length": len(structure),
        "seed": plan.seed,
        "options": flatten(plan.options),
        "evaluations": ensemble.evaluations,
        "redrawn": ensemble.redrawn,
        "geometry": conformer_geometry(structure),
    }
    if ensemble.best_first is not None:
        summary["selection"] = {
            "candidates": plan.candidates,
            "by": "clusters" if confidence is None else "confidence",
            "numbers": ensemble.numbers,
            "best_first": ensemble.best_first,
        }
    if confidence is not None:
        summary["confidence"] = {
            "tm": [round(value, 4) for value in confidence.tm.tolist()],
            "lddt": [round(value, 4) for value in confidence.lddt.mean(1).tolist()],
            "lddt_per_residue": [[round(value, 3) for value in row] for row in confidence.lddt.tolist()],
        }
    return {**summary, "seconds": round(ensemble.seconds, 3)}


def describe_run(targets: Sequence[Target], config: SampleConfig, models: Models) -> dict[str, Any]:
    """run.json: what makes this run this run, and where its model comes from."""
    checkpoint, confidence, guide = models.structure, models.confidence, models.guide
    records = "".join(f">{target.name}\n{target.sequence}\n{target.secondary_structure or ''}" for target in targets)
    records += "".join(hash_files([target.alignment]) for target in targets if target.alignment is not None)
    return {
        "identity": {
            **{name: value for name, value in to_plain(config).items() if name not in NOT_IDENTITY},
            "targets": len(targets),
            "targets_sha256": hashlib.sha256(records.encode()).hexdigest(),
            "checkpoint_sha256": checkpoint.fingerprint,
            "guide_sha256": guide.fingerprint if guide else None,
            "confidence_sha256": confidence.fingerprint if confidence else None,
        },
        "checkpoint": {
            "file": checkpoint.path.name,
            "cutoff": checkpoint.metadata["cutoff"],
            "parameters": checkpoint.model.num_parameters,
        },
        "atoms": list(checkpoint.config.model.atoms),
        "versions": {"rnagen": __version__, "torch": torch.__version__},
    }
