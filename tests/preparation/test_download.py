"""One download, against a server on loopback that misbehaves in every way."""

import gzip
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from http.client import IncompleteRead
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from rnagen.preparation import download
from rnagen.preparation.download import RefusedBody, download_mmcif
from rnagen.preparation.fetch import fetch_entries

MMCIF = b"# a comment\n\ndata_1AAA\nloop_\n_atom_site.id\n_atom_site.type_symbol\n1 P\n"
BODIES = {
    "1aaa": gzip.compress(MMCIF, mtime=0),
    "2pln": MMCIF,
    "3htm": b"<!DOCTYPE html><html>Please log in</html>",
    "4zip": gzip.compress(b"<html>maintenance</html>"),
    "5emp": b"",
    "6non": gzip.compress(b"data_6NON\n_cell.length_a 1\n"),
    "7big": gzip.compress(MMCIF + b"#" * 100_000),
    "8bad": gzip.compress(MMCIF)[:-6] + b"\x00\x01\x02\x03\x04\x05",
}


class Handler(BaseHTTPRequestHandler):
    """Serves `BODIES`; `9cut` is cut in the middle once, `9rst` is closed without an answer once, `9drp` drips."""

    requests: ClassVar[Counter[str]] = Counter()

    def do_GET(self) -> None:
        entry = self.path.strip("/")
        self.requests[entry] += 1
        if entry == "9rst" and self.requests[entry] == 1:
            return
        body = BODIES.get(entry, BODIES["1aaa"])
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if entry == "9drp":
            for byte in body:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(0.05)
            return
        self.wfile.write(body[: len(body) // 2] if entry == "9cut" and self.requests[entry] == 1 else body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    Handler.requests = Counter()
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{http.server_address[1]}/"
    http.shutdown()
    thread.join()
    http.server_close()


def test_a_gzipped_file_is_stored_as_it_came_and_a_plain_one_gzipped(url: str) -> None:
    assert download_mmcif(url + "1aaa") == BODIES["1aaa"]
    assert download_mmcif(url + "2pln") == BODIES["1aaa"]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [("3htm", "not mmCIF .*DOCTYPE"), ("4zip", "not mmCIF .*<html>"), ("6non", "without atoms")],
)
def test_what_is_not_mmcif_is_refused(url: str, entry: str, reason: str) -> None:
    with pytest.raises(RefusedBody, match=reason):
        download_mmcif(url + entry)


def test_atoms_are_found_across_blocks(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "BLOCK", MMCIF.index(b"_atom_site.") + 5)
    assert download_mmcif(url + "1aaa") == BODIES["1aaa"]


def test_limits_of_size_and_time(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "MAXIMUM_EXPANDED", 50_000)
    monkeypatch.setattr(download, "BLOCK", 10_000)
    with pytest.raises(RefusedBody, match="expands to more than"):
        download_mmcif(url + "7big")
    monkeypatch.setattr(download, "MAXIMUM_DOWNLOAD", 50)
    with pytest.raises(RefusedBody, match="larger than"):
        download_mmcif(url + "1aaa")
    started = time.monotonic()
    with pytest.raises(RefusedBody, match="not there after"):
        download_mmcif(url + "9drp", seconds=0.2)
    assert time.monotonic() - started < 2


def test_a_lost_connection_and_a_damaged_body_can_be_tried_again(url: str) -> None:
    with pytest.raises(EOFError, match="empty"):
        download_mmcif(url + "5emp")
    with pytest.raises((gzip.BadGzipFile, zlib.error)):
        download_mmcif(url + "8bad")
    with pytest.raises(IncompleteRead):
        download_mmcif(url + "9cut")
    with pytest.raises(ConnectionError):
        download_mmcif(url + "9rst")


def test_fetching_tries_again_what_may_work_and_keeps_nothing_else(url: str, tmp_path: Path) -> None:
    entries = ["1aaa", "2pln", "3htm", "5emp", "9cut", "9rst"]
    found = fetch_entries(entries, tmp_path, url + "{entry}", first_pause=0.01)
    assert [d.entry for d in found if d.failure] == ["3htm", "5emp"]
    assert Handler.requests == {"1aaa": 1, "2pln": 1, "3htm": 1, "5emp": 4, "9cut": 2, "9rst": 2}
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"{e}.cif.gz" for e in ("1aaa", "2pln", "9cut", "9rst")]
    assert {p.read_bytes() for p in tmp_path.iterdir()} == {BODIES["1aaa"]}


def test_names_that_are_not_identifiers_are_neither_asked_for_nor_written(url: str, tmp_path: Path) -> None:
    bad = ["/abs", "../../x", "1aa", "aaaa", "1aaaa", "pdb_0001aaa", "", "1ää1", "1aaa\n"]
    found = fetch_entries([*bad, "pdb_00001AAA"], tmp_path / "in" / "there", url + "{entry}", first_pause=0.01)
    assert {d.entry for d in found if d.failure} == set(bad)
    assert all("not an identifier" in d.failure for d in found if d.failure)
    assert Handler.requests == {"pdb_00001aaa": 1}
    files = [str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()]
    assert files == ["in/there/pdb_00001aaa.cif.gz"]


def test_an_unusable_address_is_a_failure(tmp_path: Path) -> None:
    (found,) = fetch_entries(["1aaa"], tmp_path, "nowhere/{entry}", first_pause=0.01)
    assert "unknown url type" in found.failure
