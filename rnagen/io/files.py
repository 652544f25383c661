"""Files: text is read with a reason when that fails; whatever is written appears whole or not at all; locks; hashes."""

import codecs
import gzip
import hashlib
import io
import json
import os
import stat
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout

from rnagen.errors import ConfigError, InputError
from rnagen.io.temporary import create_held, temporary_name

MAXIMUM_EXPANSION = 200
"""Largest ratio of the contents of a packed file to its size. Tables and structures reach 10, alignments 40; a file of
zeros reaches 1,000."""
MINIMUM_LIMIT = 1 << 26
"""Bytes that a packed file may hold, however small it is."""
MAXIMUM_FILE = 1 << 31
"""Bytes of a file that is read as a whole, packed or not. The largest structures of the PDB and tables of labels have
half of it; larger tables of profiles are read piece by piece."""
BLOCK = 1 << 22
"""Bytes that are read at once."""
GZIP_MAGIC = b"\x1f\x8b"
_ARCHIVES = {
    b"PK\x03\x04": "zip archive",
    b"7z\xbc\xaf\x27\x1c": "7z archive",
    b"Rar!": "RAR archive",
    b"BZh": "bzip2 file",
    b"\xfd7zXZ\x00": "xz file",
    b"\x28\xb5\x2f\xfd": "zstd file",
}
"""First bytes of what users hand over in place of text."""
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
LOCK = ".lock"
"""File whose lock a process holds while it writes to the folder; the file itself stays."""


def read_bytes(path: Path) -> bytes:
    """Contents of a file, expanded where they are gzip: the content tells, not the name.

    Raises:
        InputError: missing, unreadable, empty, a device, larger than `MAXIMUM_FILE`, an archive, a truncated or corrupt
            gzip, or one that expands beyond `expansion_limit`.
    """
    data = _bounded_bytes(path)
    limit = expansion_limit(len(data))
    for _ in range(2):  # some download programs compress what is compressed
        if not data.startswith(GZIP_MAGIC):
            break
        try:
            # The limit is that of the file itself: of two layers, each could multiply the other.
            data = expand_gzip(data, limit)
        except (EOFError, zlib.error, ValueError) as error:
            raise InputError(path, None, str(error)) from None
    kind = next((kind for magic, kind in _ARCHIVES.items() if data.startswith(magic)), None)
    if kind is not None:
        raise InputError(path, None, f"is a {kind}: unpack it first")
    if not data.strip():
        raise InputError(path, None, "empty file")
    return data


def _bounded_bytes(path: Path) -> bytes:
    """A file as it lies there. A pipe has no size to ask for, and a device no end: who reads counts."""
    try:
        with open(path, "rb") as file:
            kind = os.fstat(file.fileno()).st_mode
            if stat.S_ISCHR(kind) or stat.S_ISBLK(kind):
                raise InputError(path, None, "is a device, not a file")
            pieces, size = [], 0
            while piece := file.read(BLOCK):
                pieces.append(piece)
                size += len(piece)
                if size > MAXIMUM_FILE:
                    reason = f"is larger than {MAXIMUM_FILE / 2**30:.0f} GiB: split it into several files"
                    raise InputError(path, None, reason)
    except OSError as error:
        raise InputError(path, None, error.strerror or str(error)) from error
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def expansion_limit(size: int) -> int:
    """Bytes that the contents of a packed file of this size may have."""
    return min(max(MINIMUM_LIMIT, MAXIMUM_EXPANSION * size), MAXIMUM_FILE)


def read_text(path: Path) -> str:
    """Contents of a text file, with line feeds at the ends of lines, whatever the file has there.

    The content tells gzip and the encoding, not the name: UTF-8, with or without its mark, or UTF-16 and UTF-32 by
    theirs; bytes that are not UTF-8 become the replacement character.

    Raises:
        InputError: as `read_bytes`, or not text.
    """
    return decode_text(read_bytes(path), path)


def decode_text(data: bytes, path: Path) -> str:
    """The text of the bytes of a file; see `read_text`."""
    encoding = next((encoding for mark, encoding in _MARKS.items() if data.startswith(mark)), "utf-8")
    text = data.decode(encoding, errors="replace")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        raise InputError(path, f"line {text.count(chr(10), 0, text.index(chr(0))) + 1}", "holds a NUL byte: not text")
    return text


def read_json(path: Path) -> dict[str, Any]:
    """The object that a JSON file holds.

    Raises:
        InputError: as `read_text`; or it is not JSON, is nested too deeply, or holds something else than an object.
    """
    return parse_json(read_text(path), path)


def parse_json(text: str, path: Path) -> dict[str, Any]:
    """The object that the JSON of a file holds; see `read_json`."""
    try:
        found = json.loads(text)
    except RecursionError:
        raise InputError(path, None, "cannot be parsed as JSON: nested too deeply") from None
    except ValueError as error:
        raise InputError(path, None, f"cannot be parsed as JSON: {error}") from error
    if not isinstance(found, dict):
        raise InputError(path, None, "must hold a JSON object")
    return found


def expand_gzip(data: bytes, limit: int) -> bytes:
    """The contents of gzip data, of several members too, expanded piece by piece so that a limit can hold.

    Raises:
        EOFError: truncated.
        zlib.error: corrupt.
        ValueError: it expands to more bytes than the limit.
    """
    pieces, size = [], 0
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
        try:
            while piece := file.read(BLOCK):
                pieces.append(piece)
                size += len(piece)
                if size > limit:
                    raise ValueError(f"gzip that expands to more than {limit / 1e6:.0f} MB: refused")
        except EOFError:
            raise EOFError("truncated gzip file") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise zlib.error(f"corrupt gzip file ({error})") from error
    return b"".join(pieces)


@contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """Open a binary file that takes the name `path` when the block ends well; after an error nothing is left.

    The folder is made if needed. A reader sees the old file or the whole new one, also after a power failure. What a
    killed process left of a file of this name is removed.

    Raises:
        OSError: the folder cannot be written or the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The name is there before the file: whatever ends this, a signal too, finds what it has to remove.
    temporary, held = temporary_name(path), -1
    try:
        held = create_held(temporary)
        # Held until it has its name: the file is closed before.
        with os.fdopen(os.dup(held), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_UMASK)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        if held >= 0:
            os.close(held)


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
    write_parts(path, [text])


def write_parts(path: Path, parts: Iterable[str]) -> None:
    """Write texts one behind the other, as `write_text` writes their whole, which need not be in memory.

    Raises:
        OSError: the folder cannot be written or the disk is full.
    """
    packer = zlib.compressobj(9, wbits=16 + zlib.MAX_WBITS) if path.suffix == ".gz" else None
    with atomic_write(path) as file:
        for part in parts:
            file.write(part.encode() if packer is None else packer.compress(part.encode()))
        if packer is not None:
            file.write(packer.flush())


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Be the only process that writes to `folder`, which is made if needed, until the block ends.

    The system frees the lock of a killed process. A folder that was made here is removed if nothing was written to it.

    Raises:
        ConfigError: another process, or another block of this one, writes to the folder.
        OSError: the folder cannot be written.
    """
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise ConfigError(f"{folder}: another rnagen process is writing to this folder") from None
    try:
        yield
    finally:
        if made and folder.is_dir() and os.listdir(folder) == [LOCK]:
            (folder / LOCK).unlink()
            folder.rmdir()
        lock.release()


def hash_files(paths: Iterable[Path]) -> str:
    """SHA-256 over the contents of files, in the order given."""
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
    return digest.hexdigest()
