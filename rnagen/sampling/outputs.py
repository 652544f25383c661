"""The folder that a sampling run writes: whole targets or none, and which target is in work."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from rnagen.config.files import flatten
from rnagen.config.report import PAGE
from rnagen.config.sampling import SamplingPlan, StructureFormat
from rnagen.io.complexes import join_chains
from rnagen.io.files import lock_folder, read_json, write_text
from rnagen.io.folders import safe_name
from rnagen.io.kaggle import write_submission
from rnagen.io.read import read_structures
from rnagen.io.target import Target
from rnagen.io.temporary import TEMPORARY
from rnagen.metrics import conformer_geometry
from rnagen.sampling.claim import (
    RUN,
    SUBMISSION,
    SUMMARY,
    UNFINISHED,
    described,
    read_description,
    refuse_other_task,
    remove,
    write_description,
)
from rnagen.sampling.confidence import Confidence
from rnagen.sampling.ensemble import DIGITS, Ensemble, write_conformers
from rnagen.sampling.templates import TemplateUse
from rnagen.secondary.obedience import obedience
from rnagen.strands import SEPARATOR, with_separators
from rnagen.structure import RNAStructure

WORKING = ".working"
"""Suffix of the file that marks a target as in work; a killed process leaves it behind."""


def clear_run(folder: Path, run: dict[str, Any]) -> None:
    """Begin `run` in the folder of another: what that one wrote is removed, other files stay.

    Raises:
        ConfigError: the folder has no run of sampling, or another process writes to it.
        InputError: its run.json cannot be read.
        OSError: the folder cannot be written.
    """
    found = described(folder)
    if found is None:
        return
    refuse_other_task(folder, found, run)
    with lock_folder(folder):
        targets = [summary.parent for summary in folder.glob(f"*/{SUMMARY}")]
        for path in (folder / SUBMISSION, folder / PAGE, *folder.glob(f".*{WORKING}"), *targets):
            remove(path)
        # Last: a killed process leaves the former run with less in it, not its RNAs in the new one.
        write_description(folder, run)


class OutputFolder:
    """Output of sampling: `run.json`, a folder per target, `submission.csv` at the end.

    A target's folder is written under another name and renamed when it is whole: what has its name is finished. Who
    writes holds the folder by `rnagen.sampling.claim.claimed`.

    Args:
        folder: may not exist yet.
        structure_format: cif or pdb.
        folders: of the targets by name, as run.json has them; by default those of the targets that are there, from
            their summaries.
    """

    def __init__(
        self, folder: Path, structure_format: StructureFormat, folders: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.format = structure_format
        self._folders = _names_there(folder) if folders is None else dict(folders)

    def place(self, name: str) -> Path:
        """Folder of a target."""
        return self.folder / self._folders.get(name, safe_name(name))

    def _mark(self, name: str) -> Path:
        return self.folder / f".{self.place(name).name}{WORKING}"

    def finished(self, name: str) -> bool:
        """Whether this target was written."""
        return (self.place(name) / SUMMARY).is_file()

    def conformers(self, name: str) -> int:
        """Number of conformers of this target that were written; 0 where it is not finished."""
        if not self.finished(name):
            return 0
        return len(read_json(self.place(name) / SUMMARY).get("geometry", []))

    def sweep(self) -> None:
        """Remove what a process left that was killed while it added to a target: half a file, or conformers that its
        summary does not count."""
        for name in self._folders:
            place, number = self.place(name), self.conformers(name)
            for leftover in place.glob(f".*{TEMPORARY}"):
                remove(leftover)
            while number and (uncounted := place / f"conformer_{number + 1}.{self.format}").is_file():
                remove(uncounted)
                number += 1

    def interrupted(self, n: int) -> set[str]:
        """Names of the targets that were in work when a run was killed, and have not got n conformers since."""
        marked = {name for name in self._folders if self._mark(name).exists()}
        ended = {name for name in marked if self.conformers(name) >= n}
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
        """Write the conformers one by one and together, with their B factors (0 by default), and the summary, in place
        of what is there of the target.

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

    def extend_target(
        self, structure: RNAStructure, summary: dict[str, Any], b_factors: Float[np.ndarray, "M L"] | None = None
    ) -> None:
        """Add conformers to a target that is there; its own come first in `structure`, and their files stay. The
        summary is written last: until then the target has as many conformers as before.

        Raises:
            InputError, OSError: as `write_target`; what was there stays.
        """
        first = self.conformers(structure.name)
        self._write_files(self.place(structure.name), structure, summary, b_factors, first)

    def _write_files(
        self,
        folder: Path,
        structure: RNAStructure,
        summary: dict[str, Any],
        b_factors: Float[np.ndarray, "M L"] | None,
        first: int = 0,
    ) -> None:
        write_conformers(structure, folder, self.format, b_factors, first)
        write_text(folder / SUMMARY, json.dumps(summary, indent=1) + "\n")

    def read_target(self, name: str, sequence: str) -> RNAStructure:
        """A finished target as its files hold it (rounded to 1e-3 Å); the sequence may have `&` between strands."""
        chain = join_chains(name, read_structures(self.place(name) / f"ensemble.{self.format}"))
        sequence = sequence.replace(SEPARATOR, "")
        return RNAStructure(name, sequence, chain.coords, chain.mask, chain.atoms, strands=chain.strands)

    def submitted(self) -> tuple[list[tuple[str, str]], int]:
        """The finished targets (name, sequence) of run.json in its order, and the number of conformers that all of them
        have."""
        entries = read_description(self.folder)["targets"]
        done = {one["name"]: one["sequence"] for one in entries if self.finished(one["name"])}
        return list(done.items()), min(map(self.conformers, done), default=0)

    def write_submission(self, targets: Sequence[tuple[str, str]], n: int) -> Path:
        """submission.csv of the first n conformers of finished targets (name, sequence), in the order given. Read back
        from the files, so that an interrupted and an uninterrupted run give the same bytes."""
        path = self.folder / SUBMISSION
        write_submission(path, [self.read_target(name, sequence) for name, sequence in targets], n)
        return path

    def read_ensemble(self, name: str, sequence: str) -> Ensemble:
        """A finished target, with the atoms of the model and the confidence of its summary."""
        atoms = tuple(read_json(self.folder / RUN)["atoms"])
        # A process that was killed while it added conformers may have left more.
        rows = list(range(self.conformers(name)))
        structure = self.read_target(name, sequence).select_atoms(atoms).models(rows)
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
            templates=[TemplateUse(**use) for use in summary.get("templates", [])],
        )


def _names_there(folder: Path) -> dict[str, str]:
    """The folder of each finished target, by the name in its summary."""
    summaries = {path.parent.name: read_json(path) for path in sorted(folder.glob(f"*/{SUMMARY}"))}
    return {summary.get("name", place): place for place, summary in summaries.items()}


def summarize(ensemble: Ensemble, plan: SamplingPlan, target: Target) -> dict[str, Any]:
    """summary.json of one target: options, geometry of the conformers, confidence in them, timing; and how well they
    obey a secondary structure that was given."""
    structure, confidence = ensemble.structure, ensemble.confidence
    summary = {
        "name": structure.name,
        "sequence": with_separators(structure.sequence, structure.strands),
        "length": len(structure),
        "seed": plan.seed,
        "options": flatten(plan.options),
        "evaluations": ensemble.evaluations,
        "redrawn": ensemble.redrawn,
        "geometry": conformer_geometry(structure),
    }
    summary |= _given(structure, target)
    if ensemble.templates:
        summary["templates"] = [_rounded(asdict(use)) for use in ensemble.templates]
    if ensemble.best_first is not None:
        summary["selection"] = {
            "candidates": plan.candidates,
            "by": "clusters" if confidence is None else "confidence",
            "numbers": ensemble.numbers,
            "best_first": ensemble.best_first,
        }
    if confidence is not None:
        summary["confidence"] = {
            "tm": [round(value, DIGITS) for value in confidence.tm.tolist()],
            "lddt": [round(value, DIGITS) for value in confidence.lddt.mean(1).tolist()],
            "lddt_per_residue": [[round(value, DIGITS) for value in row] for row in confidence.lddt.tolist()],
        }
    return {**summary, "seconds": round(ensemble.seconds, 3)}


def _given(structure: RNAStructure, target: Target) -> dict[str, Any]:
    """What was given of the base pairs of a target, and how well the conformers obey it."""
    found: dict[str, Any] = {}
    if target.pair_matrix is not None:
        found["pair_probabilities_sha256"] = target.pair_matrix.fingerprint
    if target.pair_table is not None:
        shares = [_rounded(one.shares) for one in obedience(structure, target.pair_table)]
        found["secondary_structure"] = {
            "given": target.secondary_structure,
            **{name: [share[name] for share in shares] for name in ("given_present", "present_not_given")},
        }
    return found


def _rounded(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, DIGITS) if isinstance(value, float) else value for name, value in fields.items()}
