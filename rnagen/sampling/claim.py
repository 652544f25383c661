"""The folder of a run: claimed by one process at a time, resumed by the same run, refused where it holds another."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rnagen.errors import ConfigError, InputError
from rnagen.io.files import LOCK, TEMPORARY, lock_folder, read_json, write_text

RUN = "run.json"
UNFINISHED = ".part"
"""Suffix of a folder that is being written; a killed process leaves it behind."""
FILES_OF_HASHES = {
    "targets_sha256": "the sequences, names, secondary structures or alignments",
    "checkpoint_sha256": "the weights of the checkpoints",
    "guide_sha256": "the guides",
    "confidence_sha256": "the confidence models",
}
"""What differs between two runs if one of their hashes does."""


@contextmanager
def claimed(folder: Path, run: dict[str, Any]) -> Iterator[None]:
    """Be the only process that writes to the folder of a run described by `run["identity"]`, until the block ends.

    What a killed process left half written is removed.

    Raises:
        ConfigError: another process writes to it, or it holds something else, or a run with another identity; names the
            difference.
        InputError: its run.json cannot be read.
        OSError: the folder cannot be written.
    """
    # Before the lock, which would leave its file in a folder that is not ours; and again when nobody can change it.
    _refuse_other(folder, run)
    with lock_folder(folder):
        _refuse_other(folder, run)
        for leftover in _leftovers(folder):
            remove(leftover)
        if not (folder / RUN).is_file():
            write_text(folder / RUN, json.dumps(run, indent=1) + "\n")
        yield


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it, where it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _leftovers(folder: Path) -> list[Path]:
    """What a killed process left half written. A run begins with its run.json: in a folder without it, nothing else."""
    if not (folder / RUN).is_file():
        return list(folder.glob(f".{RUN}.*{TEMPORARY}"))
    return [*folder.glob(f".*{TEMPORARY}"), *folder.glob(f".*{UNFINISHED}")]


def _refuse_other(folder: Path, run: dict[str, Any]) -> None:
    path = folder / RUN
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; choose another --out")
    if path.is_file():
        _refuse_difference(folder, _identity(path), run["identity"])
    elif folder.is_dir() and set(folder.iterdir()) - {folder / LOCK, *_leftovers(folder)}:
        raise ConfigError(f"{folder} is not empty and was not written by rnagen; choose another --out")


def _identity(path: Path) -> dict[str, Any]:
    found = read_json(path).get("identity")
    if not isinstance(found, dict):
        raise InputError(path, "identity", "missing: not the description of a run; choose another --out")
    return found


def _refuse_difference(folder: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    different = [key for key in sorted(found.keys() | wanted.keys()) if found.get(key) != wanted.get(key)]
    if different:
        rows = "".join(
            f"\n  {key}: {FILES_OF_HASHES[key]} differ"
            if key in FILES_OF_HASHES
            else f"\n  {key}: {found.get(key)!r} there, {wanted.get(key)!r} now"
            for key in different
        )
        raise ConfigError(f"{folder} belongs to another run; choose another --out. Different:{rows}")
