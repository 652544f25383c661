"""The folder that a sampling run writes: whole targets or none, and which target is in work."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from rnagen.config.files import flatten, to_plain
from rnagen.config.sampling import SampleConfig, SamplingPlan
from rnagen.io.files import LOCK, hash_files, read_json, write_text
from rnagen.io.folders import folder_names, safe_name
from rnagen.io.kaggle import write_submission
from rnagen.io.read import read_structures
from rnagen.io.target import Target
from rnagen.io.write import write_structure
from rnagen.metrics import conformer_geometry
from rnagen.sampling.claim import RUN, UNFINISHED, remove
from rnagen.sampling.confidence import Confidence
from rnagen.sampling.ensemble import Ensemble, Models
from rnagen.structure import RNAStructure
from rnagen.version import __version__

SUBMISSION = "submission.csv"
SUMMARY = "summary.json"
WORKING = ".working"
"""Suffix of the file that marks a target as in work; a killed process leaves it behind."""
NOT_IDENTITY = {"out", "device", "chunk", "ckpt", "guide_ckpt"} | {
    *("sequence", "structure", "name", "fasta", "csv", "alignments")
}
"""Options that do not change what is written, or that the identity of a run holds in a better form."""
RESERVED_NAMES = (RUN, SUBMISSION, "report.html", LOCK)
"""Names that no target's folder can have."""


class OutputFolder:
    """Output of one run: `run.json`, a folder per target, `submission.csv` at the end.

    A target's folder is written under another name and renamed when it is whole: what has its name is finished. Who
    writes holds the folder by `rnagen.sampling.claim.claimed`.

    Args:
        folder: may not exist yet.
        structure_format: cif or pdb.
        names: of all targets of the run, in the order of the input; without them, the names of the targets that are
            there, from their summaries.
    """

    def __init__(self, folder: Path, structure_format: str, names: Sequence[str] | None = None) -> None:
        self.folder = folder
        self.format = structure_format
        self._folders = _names_there(folder) if names is None else folder_names(names, RESERVED_NAMES)

    def place(self, name: str) -> Path:
        """Folder of a target."""
        return self.folder / self._folders.get(name, safe_name(name))

    def _mark(self, name: str) -> Path:
        return self.folder / f".{self.place(name).name}{WORKING}"

    def finished(self, name: str) -> bool:
        """Whether this target was written."""
        return (self.place(name) / SUMMARY).is_file()

    def interrupted(self) -> set[str]:
        """Names of the targets that were in work when a run was killed, and have not ended since."""
        marked = {name for name in self._folders if self._mark(name).exists()}
        ended = {name for name in marked if self.finished(name)}
        for name in ended:
            self._mark(name).unlink()
        return marked - ended

    @contextmanager
    def in_work(self, name: str) -> Iterator[None]:
        """Mark a target until the block ends, well or not; only a killed process leaves the mark."""
        mark = self._mark(name)
        write_text(mark, "")
        try:
            yield
        finally:
            mark.unlink(missing_ok=True)

    def write_target(
        self, structure: RNAStructure, summary: dict[str, Any], b_factors: Float[np.ndarray, "M L"] | None = None
    ) -> None:
        """Write the conformers one by one and together, with their B factors (0 by default), and the summary.

        Raises:
            InputError: the coordinates do not fit the format.
            OSError: the folder cannot be written or the disk is full; nothing of the target is left.
        """
        final = self.place(structure.name)
        unfinished = self.folder / f".{final.name}{UNFINISHED}"
        remove(unfinished)
        try:
            self._write_files(unfinished, structure, summary, b_factors)
            remove(final)
            os.replace(unfinished, final)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise

    def _write_files(
        self,
        folder: Path,
        structure: RNAStructure,
        summary: dict[str, Any],
        b_factors: Float[np.ndarray, "M L"] | None,
    ) -> None:
        for k in range(structure.num_models):
            own = None if b_factors is None else b_factors[k : k + 1]
            write_structure(structure.models([k]), folder / f"conformer_{k + 1}.{self.format}", own)
        write_structure(structure, folder / f"ensemble.{self.format}", b_factors)
        write_text(folder / SUMMARY, json.dumps(summary, indent=1) + "\n")

    def read_target(self, name: str, sequence: str) -> RNAStructure:
        """A finished target as its files hold it (rounded to 1e-3 Å)."""
        (chain,) = read_structures(self.place(name) / f"ensemble.{self.format}")
        return RNAStructure(name, sequence, chain.coords, chain.mask, chain.atoms)

    def write_submission(self, targets: list[tuple[str, str]], n: int) -> Path:
        """submission.csv of the finished targets (name, sequence), in the order given. Read back from the files, so
        that an interrupted and an uninterrupted run give the same bytes."""
        path = self.folder / SUBMISSION
        write_submission(path, [self.read_target(name, sequence) for name, sequence in targets], n)
        return path

    def read_ensemble(self, name: str, sequence: str) -> Ensemble:
        """A finished target, with the atoms of the model and the confidence of its summary."""
        atoms = tuple(read_json(self.folder / RUN)["atoms"])
        structure = self.read_target(name, sequence).select_atoms(atoms)
        summary = read_json(self.place(name) / SUMMARY)
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


def _names_there(folder: Path) -> dict[str, str]:
    """The folder of each finished target, by the name in its summary."""
    summaries = {path.parent.name: read_json(path) for path in sorted(folder.glob(f"*/{SUMMARY}"))}
    return {summary.get("name", place): place for place, summary in summaries.items()}


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
