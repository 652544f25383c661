"""Files: text is read with a reason when that fails; whatever is written appears whole or not at all; locks; hashes."""

import gzip
import hashlib
import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from filelock import FileLock, Timeout

from rnagen.errors import ConfigError, InputError

_GZIP_MAGIC = b"\x1f\x8b"
TEMPORARY = ".tmp"
"""Suffix of files that are being written; a killed process leaves them behind."""
LOCK = ".lock"
"""File whose lock a process holds while it writes to the folder; the file itself stays."""


def read_text(path: Path) -> str:
    """Contents of a text file; gzip is recognised by its content, not by its name.

    Raises:
        InputError: missing, unreadable, empty, or a truncated or corrupt gzip.
    """
    try:
        data = path.read_bytes()
        if data.startswith(_GZIP_MAGIC):
            data = gzip.decompress(data)
    except EOFError:
        raise InputError(path, None, "truncated gzip file") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(path, None, f"corrupt gzip file ({error})") from error
    except OSError as error:
        raise InputError(path, None, error.strerror or str(error)) from error
    if not data.strip():
        raise InputError(path, None, "empty file")
    return data.decode("utf-8-sig", errors="replace")


@contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """Open a binary file that takes the name `path` when the block ends well; after an error nothing is left.

    The folder is made if needed. A reader sees the old file or the whole new one, also after a power failure.

    Raises:
        OSError: the folder cannot be written or the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=TEMPORARY)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_UMASK)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _read_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


_UMASK = _read_umask()
"""Read once: mkstemp makes private files, and os.umask cannot be asked without setting it."""


def write_text(path: Path, text: str) -> None:
    """Write `text` by `atomic_write`; gzipped when the name ends in `.gz`.

    The bytes depend on `text` alone (no time stamp in the gzip header).

    Raises:
        OSError: the folder cannot be written or the disk is full.
    """
    data = text.encode()
    with atomic_write(path) as file:
        file.write(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Be the only process that writes to `folder`, which is made if needed, until the block ends.

    The system frees the lock of a killed process.

    Raises:
        ConfigError: another process, or another block of this one, writes to the folder.
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise ConfigError(f"{folder}: another rnagen process is writing to this folder") from None
    try:
        yield
    finally:
        lock.release()


def cache_folder() -> Path:
    """Folder for what can be made again, one per user: `rnagen` in `$XDG_CACHE_HOME`, by default `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rnagen"


def hash_files(paths: Iterable[Path]) -> str:
    """SHA-256 over the contents of files, in the order given."""
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def stem(path: Path) -> str:
    """File name without `.gz` and the format's suffix: `1ehz_A.cif.gz` -> `1ehz_A`."""
    name = path.name.removesuffix(".gz")
    return name.rsplit(".", 1)[0] if "." in name else name
