"""The one folder of everything that rnagen stores to save time, and what is in it."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CACHE = "RNAGEN_CACHE"
"""Environment variable that names the folder."""
KINDS = {
    "base_pairs": ("base_pairs", "base pairs of the sequences that were sampled or whose reactivity was predicted"),
    "sample": ("sample-*", "the sample of public chains that trains without --data"),
    "synthetic": ("synthetic-*", "the synthetic set"),
    "conformers": ("conformers-*.safetensors", "scored conformers of confidence trainings"),
    "profiles": ("profiles-*.arrow", "converted tables of profiles"),
    "pairs": ("pairs-*.arrow", "base pairs of tables of profiles"),
    "compiled": ("compiled", "networks that were compiled for training"),
    "groups": ("groups-*.npy", "groups of similar sequences in tables of profiles"),
}
"""Caches by name: pattern of their files or folders, and what is in them."""


_chosen: Path | None = None
"""Set by `cached_in`."""


@contextmanager
def cached_in(folder: Path | None) -> Iterator[None]:
    """Use this folder for all caches until the block ends; None: as before."""
    global _chosen
    before, _chosen = _chosen, folder or _chosen
    try:
        yield
    finally:
        _chosen = before


def cache_folder() -> Path:
    """Folder for what can be made again: that of `cached_in` or RNAGEN_CACHE, else one per user, `rnagen` in
    `$XDG_CACHE_HOME`, by default `~/.cache`."""
    own = _chosen or os.environ.get(CACHE)
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rnagen"


@dataclass(frozen=True)
class Cache:
    """One kind of what is stored."""

    name: str
    files: int
    size: int
    """Bytes."""


def list_caches(folder: Path) -> list[Cache]:
    """The caches that are in a folder."""
    found = []
    for name in KINDS:
        files = [file for path in _paths(folder, name) for file in _files(path)]
        if files:
            found.append(Cache(name, len(files), sum(file.stat().st_size for file in files)))
    return found


def clear_caches(folder: Path, names: Sequence[str]) -> None:
    """Remove caches; nothing else that is in the folder.

    Raises:
        KeyError: a name is not one of `KINDS`.
        OSError: a file cannot be removed.
    """
    for name in names:
        for path in _paths(folder, name):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _paths(folder: Path, name: str) -> list[Path]:
    """Files and folders of a cache, those that a killed process left half written too."""
    pattern, _ = KINDS[name]
    return [*folder.glob(pattern), *folder.glob(f".{pattern}.*.tmp")]


def _files(path: Path) -> list[Path]:
    return [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
