"""One mmCIF file from a server: bounded in time and size, and checked before anybody stores it."""

import gzip
import http.client
import io
import re
import time
import urllib.request
from collections.abc import Iterator

from rnagen.io.files import GZIP_MAGIC

TIMEOUT = 60.0
"""Seconds without a byte after which a connection counts as lost."""
SECONDS = 600.0
"""Seconds that one download may take in all: a server that drips is cut. The largest entries take two minutes at
1 MB/s."""
MAXIMUM_DOWNLOAD = 128 * 2**20
"""Bytes of one download. The largest entry of the PDB has about 80 MB."""
MAXIMUM_EXPANDED = 2**30
"""Bytes of one file without its compression."""
BLOCK = 2**20
"""Bytes that are read or expanded at once."""

_START = re.compile(rb"(?:\xef\xbb\xbf)?(?:\s|#[^\n]*\n)*data_", re.IGNORECASE)
_ATOMS = b"_atom_site."


class RefusedBody(ValueError):
    """What a server sent is not a usable mmCIF file, and asking again would not help."""


def download_mmcif(url: str, seconds: float = SECONDS) -> bytes:
    """The gzipped mmCIF file at an address. A file that was sent without compression is gzipped, without a time stamp.

    Raises:
        RefusedBody: it is too large, takes too long, or is not mmCIF.
        OSError, http.client.HTTPException, EOFError, zlib.error: the connection was lost or the body is damaged;
            another attempt may help. `urllib.error.HTTPError` has the server's own refusal.
        ValueError: the address is unusable.
    """
    body = _body(url, seconds)
    if not body:
        raise EOFError("an empty body")
    compressed = body.startswith(GZIP_MAGIC)
    _check_mmcif(_expanded(body) if compressed else iter([body]))
    return body if compressed else gzip.compress(body, mtime=0)


def _body(url: str, seconds: float) -> bytes:
    deadline = time.monotonic() + seconds
    parts: list[bytes] = []
    size = 0
    with urllib.request.urlopen(url, timeout=min(TIMEOUT, seconds)) as response:
        expected = getattr(response, "length", None)
        # Not read(n), which waits for n bytes however slowly they come.
        while size != expected and (part := response.read1(BLOCK)):
            parts.append(part)
            size += len(part)
            if size > MAXIMUM_DOWNLOAD:
                raise RefusedBody(f"larger than {MAXIMUM_DOWNLOAD / 2**20:.0f} MiB")
            if time.monotonic() > deadline:
                raise RefusedBody(f"not there after {seconds:.0f} seconds ({size} bytes came)")
    if expected is not None and size < expected:
        raise http.client.IncompleteRead(b"", expected - size)
    return b"".join(parts)


def _expanded(body: bytes) -> Iterator[bytes]:
    """The contents block by block, so that a small file that expands to a huge one is stopped."""
    size = 0
    with gzip.GzipFile(fileobj=io.BytesIO(body)) as file:
        while block := file.read(BLOCK):
            size += len(block)
            if size > MAXIMUM_EXPANDED:
                raise RefusedBody(f"expands to more than {MAXIMUM_EXPANDED / 2**20:.0f} MiB")
            yield block


def _check_mmcif(blocks: Iterator[bytes]) -> None:
    """Read to the end, where gzip checks the contents; refuse what does not start as mmCIF or has no atoms."""
    tail, has_atoms = b"", False
    for number, block in enumerate(blocks):
        if number == 0 and not _START.match(block):
            raise RefusedBody(f"not mmCIF (it starts with {block[:20]!r})")
        has_atoms = has_atoms or _ATOMS in tail + block
        tail = block[-len(_ATOMS) :]
    if not has_atoms:
        raise RefusedBody("mmCIF without atoms (_atom_site)")
