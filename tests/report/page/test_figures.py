"""Figures are there and are not empty."""

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
from matplotlib.image import imread

from rnagen.report.page.figures import write_figures
from rnagen.report.page.folder import RunFolder
from rnagen.report.page.record import record_of


def test_figures(run_folder: Path, tmp_path: Path) -> None:
    run = RunFolder.open(run_folder)
    record = record_of(run.read(run.finished[1]))
    written = write_figures(record, tmp_path)
    assert sorted(written) == sorted(tmp_path.iterdir())
    assert len(written) == 8
    for path in written:
        if path.suffix == ".png":
            assert np.ptp(imread(path)[..., :3]) > 0.5, path
        else:
            assert len(list(ET.parse(path).getroot().iter())) > 10, path
    again = {path: path.read_bytes() for path in written}
    write_figures(record, tmp_path)
    assert again == {path: path.read_bytes() for path in written}


def test_one_conformer_has_no_comparison(run_folder: Path, tmp_path: Path, sample_to) -> None:
    assert sample_to(tmp_path / "out", ">one\nGGGAAACCC\n", 1, "--no-report") == 0
    run = RunFolder.open(tmp_path / "out")
    written = write_figures(record_of(run.read(run.finished[0])), tmp_path / "figures")
    assert {path.stem for path in written} == {"distances", "secondary_structure"}
