"""Download entries by their identifiers, for users without structure files."""

import http.client
import re
import time
import urllib.error
import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rnagen.io.files import atomic_write
from rnagen.preparation.download import download_mmcif
from rnagen.progress import progress_bar

ATTEMPTS = 4
FIRST_PAUSE = 1.0
"""Seconds before the second attempt; twice that before the third, and so on."""
CONNECTIONS = 4

_IDENTIFIER = re.compile(r"[0-9][a-z0-9]{3}|pdb_[a-z0-9]{8}")


@dataclass(frozen=True)
class Download:
    """The file of an entry, or the reason why there is none."""

    entry: str
    path: Path
    failure: str = ""


def fetch_entries(entries: Iterable[str], folder: Path, url: str, first_pause: float = FIRST_PAUSE) -> list[Download]:
    """Download mmCIF files into `folder` as `<entry>.cif.gz`, sorted by entry; files that exist are not fetched
    again.

    A server error or a lost connection is retried after a growing pause; an entry unknown to the server, and an answer
    that is not mmCIF, is not. Never raises for one entry: its `failure` gives the reason. Nothing is asked for or
    written under a name that is not an identifier of the PDB.

    Args:
        entries: identifiers, any case.
        folder: made if needed.
        url: address with `{entry}` in place of the identifier in lower case.
        first_pause: seconds before the second attempt.

    Raises:
        OSError: the folder cannot be written or the disk is full.
    """
    wanted = sorted({entry.lower() for entry in entries})
    downloads = []
    with ThreadPoolExecutor(CONNECTIONS) as executor, progress_bar("Downloading", len(wanted)) as advance:
        try:
            for download in executor.map(lambda entry: _fetch(entry, folder, url, first_pause), wanted):
                downloads.append(download)
                advance(1, "Downloading")
            return downloads
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise


def _fetch(entry: str, folder: Path, url: str, pause: float) -> Download:
    if not _IDENTIFIER.fullmatch(entry):
        return Download(entry, folder, "not an identifier of the PDB (such as 1ehz or pdb_00001ehz)")
    path = folder / f"{entry}.cif.gz"
    if path.is_file():
        return Download(entry, path)
    failure = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(pause * 2 ** (attempt - 1))
        try:
            data = download_mmcif(url.replace("{entry}", entry))
        except urllib.error.HTTPError as error:
            failure = f"HTTP {error.code} {error.reason}"
            if error.code < 500 and error.code != 429:
                break
            continue
        except (OSError, http.client.HTTPException, EOFError, zlib.error) as error:
            failure = str(error) or type(error).__name__
            continue
        # What asking again would not mend: the answer, or the address itself.
        except ValueError as error:
            failure = str(error)
            break
        with atomic_write(path) as file:
            file.write(data)
        return Download(entry, path)
    return Download(entry, path, failure)
