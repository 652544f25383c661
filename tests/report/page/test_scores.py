"""A run is scored against references."""

import shutil
from pathlib import Path

from rnagen.cli.main import main
from rnagen.report.page.html import parts_of
from rnagen.report.page.pack import unpacked
from rnagen.report.page.scores import score_run


def test_without_references_there_are_no_scores(run_folder: Path) -> None:
    assert score_run(run_folder, None).by_name == {}


def test_a_conformer_as_reference_is_found(run_folder: Path, tmp_path: Path) -> None:
    references = tmp_path / "references"
    references.mkdir()
    shutil.copy(run_folder / "_a&b'" / "conformer_2.cif", references / "_a&b'.cif")
    flags = ["--references", str(references), "--out", str(tmp_path / "page.html")]
    assert main(["report", str(run_folder), *flags]) == 0
    headers = [unpacked(part.data)[0] for part in parts_of((tmp_path / "page.html").read_text()).values()]
    scored = {header["name"]: header["scores"] for header in headers}
    assert scored["\"a&b'"]["best5"] > 0.99
    assert scored["<script>alert(1)</script>"] is None
