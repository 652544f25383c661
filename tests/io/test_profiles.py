"""Which experiment stands for which, and how files are told apart."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from rnagen.io.profiles import FAULT, Profile, first_line, fitting_experiment, profile_table


@pytest.mark.parametrize(
    ("wanted", "available", "found"),
    [
        ("1M7_MaP", ["1M7", "1M7_MaP"], "1M7_MaP"),
        ("1M7_MaP", ["DMS", "1M7"], "1M7"),
        ("DMS_MaP", ["1M7", "dms"], "dms"),
        ("SHAPE", ["DMS", "NMIA"], "NMIA"),
        ("2A3_MaP", ["DMS", "SHAPE"], "SHAPE"),
        ("DMS_MaP", ["SHAPE"], None),
        ("1M7", ["2A3"], None),
        ("1M7", [], None),
    ],
)
def test_fitting_experiments(wanted: str, available: list[str], found: str | None) -> None:
    assert fitting_experiment(wanted, available) == found


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_the_first_line_with_content(tmp_path: Path, pack) -> None:
    (tmp_path / "x").write_bytes(pack(b"\n# comment\n\n1 0.5\n2 0.5\n" + b"x" * 100_000))
    assert first_line(tmp_path / "x") == "1 0.5"
    (tmp_path / "x").write_bytes(gzip.compress(b"1 0.5")[:12])
    assert first_line(tmp_path / "x") == first_line(tmp_path / "absent") == ""


def test_profiles_of_several_lengths_are_one_table() -> None:
    values = np.array([1, 2], dtype=np.float32)
    table = profile_table([Profile("a", "GG", "1M7", values), Profile("b", "G", "1M7", values[:1], 3.0, "bad")])
    assert table["reactivity_0002"].to_pylist()[0] == 2
    assert np.isnan(table["reactivity_0002"].to_pylist()[1])
    assert table[FAULT].to_pylist() == [None, "bad"]
