"""Files that are being written: each is held by its process, so that those of killed ones can be removed."""

import os
import re
import secrets
from functools import lru_cache
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be removed anyway
    fcntl = None  # type: ignore[assignment]

TEMPORARY = ".tmp"
"""Suffix of files that are being written; a killed process leaves them behind."""
_NAME = re.compile(r"\.(.+)\.[a-z0-9_]{8}" + re.escape(TEMPORARY))


def temporary_name(path: Path) -> Path:
    """A new name beside `path`. Files under such a name of this `path` that no process holds are removed."""
    for leftover in _leftovers(path.parent.absolute()).pop(path.name, ()):
        _remove_unheld(leftover)
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY}")


def create_held(temporary: Path) -> int:
    """The descriptor of a new file, which is held until the last copy of the descriptor is closed.

    Raises:
        OSError: the folder cannot be written.
    """
    while True:
        handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        if _hold(handle, wait=True) and os.fstat(handle).st_nlink == 0:
            os.close(handle)  # another process took it for a leftover before it was held
            continue
        return handle


def remove_leftovers(folder: Path) -> None:
    """Remove the files that processes which are gone were writing to a folder."""
    found = _leftovers(folder.absolute())
    for leftover in [path for paths in found.values() for path in paths]:
        _remove_unheld(leftover)
    found.clear()


@lru_cache(maxsize=64)
def _leftovers(folder: Path) -> dict[str, list[Path]]:
    """Temporary files by the name that they were to have, as they were when this process first wrote here: a folder of
    many RNAs is not listed for each of them."""
    found: dict[str, list[Path]] = {}
    for entry in os.scandir(folder):
        match = _NAME.fullmatch(entry.name)
        if match is not None and entry.is_file(follow_symlinks=False):
            found.setdefault(match[1], []).append(Path(entry.path))
    return found


def _remove_unheld(path: Path) -> None:
    """Remove a file whose process is gone; one that is gone itself, or not ours to open, is left."""
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError:
        return
    try:
        if _hold(handle, wait=False):
            path.unlink(missing_ok=True)
    finally:
        os.close(handle)


def _hold(handle: int, wait: bool) -> bool:
    """Lock an open file until it is closed; False where that cannot be done: another holds it, or the file system has
    no locks."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True
