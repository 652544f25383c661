"""What the folder of a sampling run holds, RNA by RNA."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnagen.errors import InputError
from rnagen.io.files import read_json
from rnagen.sampling.claim import RUN, SUMMARY, check_places
from rnagen.sampling.outputs import OutputFolder
from rnagen.sampling.stored import conformers_of, templates_of
from rnagen.strands import SEPARATOR
from rnagen.structure import BASES, RNAStructure

REMEDY = "expected the folder of a run of sample.py"


@dataclass(frozen=True)
class SampledRNA:
    """One finished RNA of a run."""

    entry: dict[str, Any]
    """Of run.json."""
    summary: dict[str, Any]
    """Of summary.json."""
    structure: RNAStructure
    """The conformers as models, Å, as the files hold them."""
    files: dict[str, Path]
    """The structure files by name, the ensemble last."""
    conformers: list[dict[str, Any]]
    """What the summary has of each conformer."""

    @property
    def templates(self) -> list[dict[str, Any]]:
        """Those that conformers were built on, each with the number of its conformer."""
        return templates_of(self.summary)

    @property
    def name(self) -> str:
        """As the user wrote it."""
        return str(self.entry["name"])


@dataclass(frozen=True)
class RunFolder:
    """A run: its run.json, and the entries of it whose RNA is finished."""

    folder: Path
    run: dict[str, Any]
    finished: list[dict[str, Any]]

    @classmethod
    def open(cls, folder: Path) -> "RunFolder":
        """The run in a folder; its RNAs are read by `rnas`, one at a time.

        Raises:
            InputError: the folder has no run of sampling, or no finished RNA, or its run.json is damaged.
        """
        if not (folder / RUN).is_file():
            raise InputError(folder, None, f"has no {RUN}: {REMEDY}")
        run = read_json(folder / RUN)
        identity = run.get("identity")
        task = identity.get("task", "sample") if isinstance(identity, dict) else None
        if task != "sample":
            raise InputError(folder / RUN, None, f"is not of a run of sampling: {REMEDY}")
        targets = run.get("targets")
        keys = {"name", "folder", "sequence"}
        if not isinstance(targets, list) or not all(isinstance(one, dict) and keys <= one.keys() for one in targets):
            raise InputError(folder / RUN, "targets", "not a list of RNAs as rnagen writes it")
        check_places(folder, targets)
        finished = [one for one in targets if (folder / one["folder"] / SUMMARY).is_file()]
        if not finished:
            raise InputError(folder, None, "has no finished RNA")
        return cls(folder, run, finished)

    @property
    def format(self) -> str:
        """Of the structure files: cif or pdb."""
        return str(self.run["identity"].get("format", "cif"))

    def rnas(self) -> Iterator[SampledRNA | InputError]:
        """The finished RNAs in the order of run.json; an error in place of one that cannot be read."""
        for entry in self.finished:
            try:
                yield self.read(entry)
            except InputError as error:
                yield error
            except (KeyError, TypeError, ValueError, OSError) as error:
                yield InputError(self.folder / entry["folder"], None, f"cannot be read: {error}")

    def read(self, entry: dict[str, Any]) -> SampledRNA:
        """One RNA.

        Raises:
            InputError: a file of it is missing or damaged.
        """
        place = self.folder / entry["folder"]
        if not set(entry["sequence"]) <= {*BASES, SEPARATOR}:
            raise InputError(self.folder / RUN, entry["name"], "its sequence is not one of RNA")
        summary = read_json(place / SUMMARY)
        output = OutputFolder(self.folder, "pdb" if self.format == "pdb" else "cif", {entry["name"]: entry["folder"]})
        structure = output.read_target(entry["name"], entry["sequence"])
        # A process of version 0.1.0 that was killed while it added conformers left more than the summary counts.
        count = min(len(summary["geometry"]), structure.num_models)
        atoms = tuple(self.run["atoms"])
        structure = structure.select_atoms(atoms).models(range(count))
        conformers = conformers_of(summary, output.format)[:count]
        names = [*(one["file"] for one in conformers), f"ensemble.{self.format}"]
        files = {name: place / name for name in names if (place / name).is_file()}
        return SampledRNA(entry, summary, structure, files, conformers)
