"""The folder that a sampling run writes: whole targets or none, resumable, refused where it belongs to another run."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from rnagen.errors import ConfigError
from rnagen.io.files import write_text
from rnagen.io.kaggle import write_submission
from rnagen.io.read import read_structures
from rnagen.io.write import write_structure
from rnagen.structure import RNAStructure

RUN = "run.json"
SUBMISSION = "submission.csv"
SUMMARY = "summary.json"
RESERVED_NAMES = (RUN, SUBMISSION, "report.html")
"""No target's folder may bear one of these."""


class OutputFolder:
    """Output of one run: `run.json`, a folder per target, `submission.csv` at the end.

    A target's folder is written under another name and renamed when whole: what bears its name is finished.
    """

    def __init__(self, folder: Path, structure_format: str) -> None:
        self.folder = folder
        self.format = structure_format

    def claim(self, run: dict[str, Any]) -> None:
        """Take the folder for a run described by `run["identity"]`, or go on with the same run.

        Raises:
            ConfigError: the folder holds something else, or a run with another identity; names the difference.
        """
        path = self.folder / RUN
        if path.is_file():
            try:
                found = json.loads(path.read_text())["identity"]
            except (ValueError, KeyError, TypeError) as error:
                raise ConfigError(f"{path}: is no description of a run: {error}") from error
            wanted = run["identity"]
            different = [key for key in sorted(found.keys() | wanted.keys()) if found.get(key) != wanted.get(key)]
            if different:
                rows = "".join(f"\n  {key}: {found.get(key)!r} there, {wanted.get(key)!r} now" for key in different)
                raise ConfigError(f"{self.folder} belongs to another run; choose another --out. Different:{rows}")
            return
        if self.folder.is_dir() and any(self.folder.iterdir()):
            raise ConfigError(f"{self.folder} is not empty and holds no run of rnagen; choose another --out")
        if self.folder.exists() and not self.folder.is_dir():
            raise ConfigError(f"{self.folder} is a file; choose another --out")
        self.folder.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(run, indent=1) + "\n")

    def finished(self, name: str) -> bool:
        """Whether this target is done."""
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
            write_structure(single_model(structure, k), unfinished / f"conformer_{k + 1}.{self.format}", own)
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


def single_model(structure: RNAStructure, k: int) -> RNAStructure:
    """Model k of a structure, alone."""
    return replace(structure, coords=np.ascontiguousarray(structure.coords[k : k + 1]), mask=structure.mask[k : k + 1])
