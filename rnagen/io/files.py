"""Text files, gzipped or not: read with a reason when they cannot be, written whole or not at all."""

import gzip
import os
import tempfile
import zlib
from pathlib import Path

from rnagen.errors import InputError

_GZIP_MAGIC = b"\x1f\x8b"


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


def write_text(path: Path, text: str) -> None:
    """Write `text` so that a reader sees the old file or the whole new one; gzipped when the name ends in `.gz`.

    The bytes depend on `text` alone (no time stamp in the gzip header).
    """
    data = text.encode()
    if path.suffix == ".gz":
        data = gzip.compress(data, mtime=0)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
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


def stem(path: Path) -> str:
    """File name without `.gz` and the format's suffix: `1ehz_A.cif.gz` -> `1ehz_A`."""
    name = path.name.removesuffix(".gz")
    return name.rsplit(".", 1)[0] if "." in name else name
