"""A page follows its run: after sampling, after adding, on demand; what cannot be read is refused or left out."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from rnagen.cli.main import main
from rnagen.config.report import ReportConfig
from rnagen.errors import InputError
from rnagen.report.page import write
from rnagen.report.page.html import parts_of
from rnagen.report.page.write import write_report
from tests.report.page.conftest import NAMES

Sample = Callable[..., int]
ONE = ">one\nGGGAAACCC\n"


def rows(page: Path) -> list[tuple[str, int]]:
    return [(part.row["name"], part.row["conformers"]) for part in parts_of(page.read_text()).values()]


def test_without_a_page(sample_to: Sample, tmp_path: Path) -> None:
    assert sample_to(tmp_path / "out", ONE, 1, "--no-report") == 0
    assert not (tmp_path / "out" / "report.html").exists()
    assert sample_to(tmp_path / "out", ONE, 1) == 0
    assert rows(tmp_path / "out" / "report.html") == [("one", 1)]


def test_a_run_that_goes_on_gets_its_page_anew(
    sample_to: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "out" / "report.html"
    assert sample_to(tmp_path / "out", ONE, 1) == 0
    made: list[str] = []
    record_of = write.record_of
    monkeypatch.setattr(write, "record_of", lambda rna: made.append(rna.name) or record_of(rna))
    assert sample_to(tmp_path / "out", f"{ONE}>two\nGGCGAAAGCC\n", 1) == 0
    assert (rows(page), made) == ([("one", 1), ("two", 1)], ["two"])
    assert sample_to(tmp_path / "out", ONE, 3) == 0
    assert (rows(page), made) == ([("one", 3), ("two", 1)], ["two", "one"])
    before = page.stat().st_mtime_ns
    assert sample_to(tmp_path / "out", ONE, 3) == 0
    assert page.stat().st_mtime_ns == before


def test_a_clock_that_was_set_back_does_not_make_a_page_current(sample_to: Sample, tmp_path: Path) -> None:
    page = tmp_path / "out" / "report.html"
    assert sample_to(tmp_path / "out", ONE, 1) == 0
    tomorrow = page.stat().st_mtime_ns + 86_400 * 10**9
    os.utime(page, ns=(tomorrow, tomorrow))
    assert sample_to(tmp_path / "out", ONE, 2) == 0
    assert rows(page) == [("one", 2)]


def test_equal_runs_have_equal_pages(sample_to: Sample, run_folder: Path, tmp_path: Path) -> None:
    assert sample_to(tmp_path / "again") == 0
    assert (run_folder / "report.html").read_bytes() == (tmp_path / "again" / "report.html").read_bytes()


def test_the_verb_writes_the_page_and_the_figures(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["report", run_folder, "--out", tmp_path / "page.html", "--figures", tmp_path / "figures"]
    assert main(list(map(str, given))) == 0
    assert "3 RNAs:" in capsys.readouterr().out
    assert "alert" not in (tmp_path / "page.html").read_text().split("<title>")[1].split("</title>")[0]
    files = sorted(path.name for path in (tmp_path / "figures" / "_a&b'").iterdir())
    names = ("distances", "rmsf", "secondary_structure", "tm")
    assert files == sorted(f"{name}.{kind}" for name in names for kind in ("png", "svg"))


def test_an_rna_that_cannot_be_read_is_left_out(run_folder: Path, tmp_path: Path, capsys) -> None:
    shutil.copytree(run_folder, tmp_path / "run")
    entries = json.loads((tmp_path / "run" / "run.json").read_text())["targets"]
    (tmp_path / "run" / entries[2]["folder"] / "ensemble.cif").write_text("damaged")
    assert main(["report", str(tmp_path / "run")]) == 1
    assert "left out" in capsys.readouterr().err
    text = (tmp_path / "run" / "report.html").read_text()
    assert 'class="note">left out: ' in text
    assert text.count('<details class="rna"') == len(NAMES) - 1


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda folder: None, "has no run.json: expected the folder of a run of sample.py"),
        (lambda folder: (folder / "run.json").write_text("{"), "cannot be parsed as JSON"),
        (lambda folder: (folder / "run.json").write_text('{"identity": {"task": "reactivity"}}'), "not of a run of"),
        (lambda folder: (folder / "run.json").write_text('{"identity": {}, "targets": [1]}'), "not a list of RNAs"),
        (lambda folder: (folder / "run.json").write_text('{"identity": {}, "targets": []}'), "has no finished RNA"),
    ],
)
def test_what_is_not_a_run_is_refused(make, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(tmp_path)
    assert main(["report", str(tmp_path)]) == 2
    assert reason in capsys.readouterr().err


def test_a_sequence_that_is_none_of_rna_is_refused(run_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(run_folder, tmp_path / "run")
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    for entry in run["targets"]:
        entry["sequence"] = "<b>" + entry["sequence"][3:]
    (tmp_path / "run" / "run.json").write_text(json.dumps(run))
    with pytest.raises(InputError, match="not one of RNA"):
        write_report(ReportConfig(tmp_path / "run"))


def test_a_page_that_cannot_be_written_does_not_stop_sampling(
    sample_to: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(write, "write_text", full)
    assert sample_to(tmp_path / "out", ONE, 1) == 0
    assert "warning: report.html was not written (disk full); repeat with: rnagen report" in capsys.readouterr().err
