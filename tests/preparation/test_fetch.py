"""Downloads, against a server on loopback."""

import gzip
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rnagen.cli.prepare import run
from rnagen.config.prepare import PrepareConfig
from rnagen.data.dataset import Dataset
from rnagen.io.write import write_structure
from rnagen.preparation.fetch import fetch_entries
from tests.helpers.chains import chain


class Server:
    """Serves <entry>.cif.gz; `flaky` fails once, `cut` is cut short always, others are not found."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.requests: Counter[str] = Counter()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                entry = self.path.strip("/").removesuffix(".cif.gz")
                server.requests[entry] += 1
                if entry == "2bbb" and server.requests[entry] == 1:
                    self.send_error(503)
                elif entry in files:
                    body = files[entry][:200] if entry == "3ccc" else files[entry]
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                else:
                    self.send_error(404)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/{{entry}}.cif.gz"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    files = {}
    for seed, entry in enumerate(("1aaa", "2bbb", "3ccc")):
        write_structure(chain(seed, 24, entry), tmp_path / f"{entry}.cif.gz")
        files[entry] = (tmp_path / f"{entry}.cif.gz").read_bytes()
    served = Server(files)
    thread = threading.Thread(target=served.http.serve_forever)
    thread.start()
    yield served
    served.http.shutdown()
    thread.join()
    served.http.server_close()


def test_failures_are_told_and_the_rest_is_done(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "download"
    found = {d.entry: d for d in fetch_entries(["3ccc", "2BBB", "1aaa", "9zzz"], folder, server.url, first_pause=0.01)}
    assert list(found) == ["1aaa", "2bbb", "3ccc", "9zzz"]
    assert [bool(d.failure) for d in found.values()] == [False, False, True, True]
    assert "404" in found["9zzz"].failure
    assert server.requests == {"1aaa": 1, "2bbb": 2, "3ccc": 4, "9zzz": 1}
    assert sorted(p.name for p in folder.iterdir()) == ["1aaa.cif.gz", "2bbb.cif.gz"]
    assert gzip.decompress((folder / "1aaa.cif.gz").read_bytes()).startswith(b"data_")


def test_a_second_run_asks_only_for_what_is_missing(server: Server, tmp_path: Path) -> None:
    for _ in range(2):
        fetch_entries(["1aaa", "9zzz"], tmp_path / "download", server.url, first_pause=0.01)
    assert server.requests == {"1aaa": 1, "9zzz": 2}


def test_no_server_is_a_failure_of_each_entry(tmp_path: Path) -> None:
    downloads = fetch_entries(["1aaa"], tmp_path, "http://127.0.0.1:9/{entry}", first_pause=0.01)
    assert "refused" in downloads[0].failure


def test_only_listed_chains_are_prepared(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    split = tmp_path / "train.csv"
    split.write_text("id,sequence,release_date,cluster,length\n1aaa_A,A,2001-02-03,5,1\n")
    out = tmp_path / "data"
    options = PrepareConfig((), out, workers=1, fetch=split, fetch_url=server.url)
    assert run(options) == 0
    (info,) = Dataset.open(out).chains.infos
    assert (info.name, info.release_date, info.cluster) == ("1aaa_A", "2001-02-03", 5)
    assert run(options) == 0
    assert "nothing changed" in capsys.readouterr().out
    split.write_text("id,sequence,release_date,cluster,length\n1aaa_A,A,2001-02-03,5,1\n9zzz_A,A,2001-02-03,6,1\n")
    assert run(options) == 1
    assert "9zzz: HTTP 404" in capsys.readouterr().err
