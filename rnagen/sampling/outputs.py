"""The folder that a sampling run writes: whole targets or none, and which target is in work."""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from rnagen.config.files import flatten
from rnagen.config.report import PAGE
from rnagen.config.sampling import SamplingPlan, StructureFormat
from rnagen.io.complexes import join_chains
from rnagen.io.files import lock_folder, read_json, write_text
from rnagen.io.folders import safe_name
from rnagen.io.kaggle import write_submission
from rnagen.io.model_cif import PredictedQuality
from rnagen.io.read import read_structures
from rnagen.io.target import Target
from rnagen.metrics import conformer_geometry
from rnagen.metrics.all_atom import all_atom_geometry, experimental_geometry
from rnagen.sampling.claim import (
    FORMER,
    RANKING,
    RUN,
    SUBMISSION,
    SUMMARY,
    UNFINISHED,
    described,
    places_of,
    read_description,
    refuse_other_task,
    refuse_strange_places,
    remove,
    replace_folder,
    write_description,
)
from rnagen.sampling.ensemble import Ensemble, write_conformers
from rnagen.sampling.overview import Finished, ranking_text
from rnagen.sampling.ranking import describe_order
from rnagen.sampling.stored import SAMPLED, describe_ensemble, ensemble_of, read_coordinates, rounded, write_coordinates
from rnagen.secondary.interactions import Interactions, interactions
from rnagen.secondary.obedience import obedience
from rnagen.strands import SEPARATOR, with_separators
from rnagen.structure import BEADS, HEAVY_ATOMS, RNAStructure

WORKING = ".working"
"""Suffix of the file that marks a target as in work; a killed process leaves it behind."""


def clear_run(folder: Path, run: dict[str, Any]) -> None:
    """Begin `run` in the folder of another: what that one wrote is removed, other files and folders stay.

    Raises:
        ConfigError: the folder has no run of sampling, or something else in the place of an RNA, or another process
            writes to it.
        InputError: its run.json cannot be read.
        OSError: the folder cannot be written.
    """
    # Before the lock, which would leave its file in a folder that is not ours.
    if described(folder) is None:
        return
    with lock_folder(folder):
        found = read_description(folder)
        refuse_other_task(folder, found, run)
        refuse_strange_places(folder, run, found)
        places = places_of(folder, found).values()
        targets = [folder / name for place in places for name in (place, f".{place}{FORMER}")]
        for path in (folder / SUBMISSION, folder / RANKING, folder / PAGE, *_marks(folder), *targets):
            remove(path)
        # Last: a killed process leaves the former run with less in it, not its RNAs in the new one.
        write_description(folder, run)


def _marks(folder: Path) -> list[Path]:
    """The marks of RNAs in work. They are empty: what is not is a file of somebody else."""
    return [path for path in folder.glob(f".*{WORKING}") if path.is_file() and not path.stat().st_size]


class OutputFolder:
    """Output of sampling: `run.json`, a folder per target, `submission.csv` at the end.

    A target's folder is written under another name and renamed when it is whole: what has its name is finished. Who
    writes holds the folder by `rnagen.sampling.claim.claimed`.

    Args:
        folder: may not exist yet.
        structure_format: cif or pdb.
        folders: of the targets by name; by default as run.json has them, or, without one, the summaries that are there.
    """

    def __init__(
        self, folder: Path, structure_format: StructureFormat, folders: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.format = structure_format
        if folders is None:
            folders = places_of(folder, read_description(folder) if (folder / RUN).is_file() else {})
        self._folders = dict(folders)

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

    def interrupted(self, n: int) -> set[str]:
        """Names of the targets that were in work when a run was killed, and have not got n conformers since."""
        marked = {name for name in self._folders if self._mark(name).exists()}
        ended = {name for name in marked if self.conformers(name) >= n}
        for name in ended:
            self._mark(name).unlink()
        return marked - ended

    def remove_marks_except(self, names: Iterable[str]) -> None:
        """Remove what a killed process left of other targets than these."""
        sampled = {self._mark(name) for name in names}
        for mark in _marks(self.folder):
            if mark not in sampled:
                mark.unlink()

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
        self,
        structure: RNAStructure,
        summary: dict[str, Any],
        quality: PredictedQuality | None = None,
        sampled: Float32[np.ndarray, "M L A 3"] | None = None,
    ) -> None:
        """Write the conformers one by one and together, with what is predicted of them, and the summary, in place of
        what is there of the target: until all is written that stays, and a killed process leaves the one or the other.

        Args:
            structure: the conformers in their order, superposed.
            summary: of the target.
            quality: NaN where it is unknown.
            sampled: coordinates of the same conformers as they were sampled, for others to be added to; without them
                those of the files count.

        Raises:
            InputError: the coordinates do not fit the format.
            OSError: the folder cannot be written or the disk is full.
        """
        final = self.place(structure.name)
        unfinished = self.folder / f".{final.name}{UNFINISHED}"
        remove(unfinished)
        try:
            write_conformers(structure, unfinished, self.format, quality)
            if sampled is not None:
                write_coordinates(unfinished / SAMPLED, sampled)
            write_text(unfinished / SUMMARY, json.dumps(summary, indent=1) + "\n")
            replace_folder(unfinished, final)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise

    def read_target(self, name: str, sequence: str) -> RNAStructure:
        """A finished target as its files hold it (rounded to 1e-3 Å); the sequence may have `&` between strands."""
        chain = join_chains(name, _read_once(self.place(name) / f"ensemble.{self.format}"))
        sequence = sequence.replace(SEPARATOR, "")
        return RNAStructure(name, sequence, chain.coords, chain.mask, chain.atoms, strands=chain.strands)

    def submitted(self) -> tuple[list[tuple[str, str]], int]:
        """The finished targets (name, sequence) of run.json in its order, and the number of conformers that all of them
        have."""
        entries = read_description(self.folder)["targets"]
        done = {one["name"]: one["sequence"] for one in entries if self.finished(one["name"])}
        return list(done.items()), min(map(self.conformers, done), default=0)

    def finished_rna(self, name: str) -> Finished:
        """The summary of a finished target."""
        return Finished(name, self.place(name).name, read_json(self.place(name) / SUMMARY))

    def write_ranking(self, names: Sequence[str]) -> Path:
        """ranking.csv of finished targets, in the order given."""
        path = self.folder / RANKING
        write_text(path, ranking_text([self.finished_rna(name) for name in names], self.format))
        return path

    def write_submission(self, targets: Sequence[tuple[str, str]], n: int) -> Path:
        """submission.csv of the first n conformers of finished targets (name, sequence), in the order given. Read back
        from the files, so that an interrupted and an uninterrupted run give the same bytes."""
        path = self.folder / SUBMISSION
        write_submission(path, (self.read_target(name, sequence) for name, sequence in targets), n)
        return path

    def read_ensemble(self, name: str, sequence: str) -> Ensemble:
        """A finished target: its conformers in their order, superposed, with the atoms of the model and the confidence
        of its summary."""
        return self.read_sampled(name, sequence).superposed()

    def read_sampled(self, name: str, sequence: str) -> Ensemble:
        """As `read_ensemble`, with the coordinates as they were sampled, to which others can be added."""
        atoms = tuple(read_json(self.folder / RUN)["atoms"])
        structure = self.read_target(name, sequence).select_atoms(atoms)
        coords = read_coordinates(self.place(name) / SAMPLED)
        structure = structure if coords is None else replace(structure, coords=coords)
        return ensemble_of(structure, read_json(self.place(name) / SUMMARY))


def _read_once(path: Path) -> list[RNAStructure]:
    """The chains of a file, which is read once for the submission and the page if it stays as it is meanwhile.

    Raises:
        InputError: it cannot be read.
    """
    try:
        state = path.stat()
    except OSError:
        return read_structures(path)
    return list(_chains_of(path, (state.st_ino, state.st_size, state.st_mtime_ns)))


@lru_cache(maxsize=1)
def _chains_of(path: Path, state: tuple[int, int, int]) -> tuple[RNAStructure, ...]:
    return tuple(read_structures(path))


def summarize(
    ensemble: Ensemble, plan: SamplingPlan, target: Target, structure_format: StructureFormat
) -> dict[str, Any]:
    """summary.json of one target, with its conformers in their order: options, geometry of the conformers, confidence
    in them, timing; their base pairs, if the plan has them; and how well they obey a secondary structure that was
    given."""
    structure = ensemble.structure
    summary = {
        "name": structure.name,
        "sequence": with_separators(structure.sequence, structure.strands),
        "length": len(structure),
        "seed": plan.seed,
        "options": flatten(plan.options),
        "geometry": (beads := conformer_geometry(structure)),
    }
    if structure.atoms == HEAVY_ATOMS:
        geometry = all_atom_geometry(structure)
        clashes = [one.clashes_per_1000 for one in geometry]
        summary["all_atom"] = {
            "conformers": [rounded(one.rates) for one in geometry],
            "experiments": experimental_geometry(),
        }
    else:
        clashes = [1000 * one["clashes"] / (len(BEADS) * len(structure)) for one in beads]
    if plan.interactions:
        summary["interactions"] = [_described(one, structure.strands) for one in interactions(structure)]
    summary |= describe_order(ensemble, structure_format, clashes) | _given(structure, target)
    summary |= describe_ensemble(ensemble)
    return {**summary, "seconds": round(ensemble.seconds, 3)}


def _described(found: Interactions, strands: tuple[int, ...]) -> dict[str, Any]:
    """Base pairs and stacking of a conformer, `&` between strands."""
    return {**found.to_plain(), "secondary_structure": with_separators(found.dot_bracket, strands)}


def _given(structure: RNAStructure, target: Target) -> dict[str, Any]:
    """What was given of the base pairs of a target, and how well the conformers obey it."""
    found: dict[str, Any] = {}
    if target.pair_matrix is not None:
        found["pair_probabilities_sha256"] = target.pair_matrix.fingerprint
    if target.pair_table is not None:
        shares = [rounded(one.shares) for one in obedience(structure, target.pair_table)]
        found["secondary_structure"] = {
            "given": target.secondary_structure,
            **{name: [share[name] for share in shares] for name in ("given_present", "present_not_given")},
        }
    return found
