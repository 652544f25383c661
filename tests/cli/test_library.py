"""rnagen library: makes a library, tells what one holds, and names what it cannot use."""

from dataclasses import replace
from pathlib import Path

import pytest

import rnagen
from rnagen.cli.main import main
from rnagen.io.write import write_structure
from rnagen.templates.library import SHIPPED, Library
from tests.helpers.chains import chain, write_collection


@pytest.fixture
def structures(tmp_path: Path) -> Path:
    write_collection(tmp_path / "in")
    again = replace(chain(1, 24, "9zzz"), release_date="2024-01-01")
    write_structure(again, tmp_path / "in" / "structures" / "9zzz_A.cif.gz")
    return tmp_path / "in"


def test_it_tells_what_went_in_and_what_did_not(structures: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "new" / "my.safetensors"
    assert main(["library", str(structures), "--out", str(out), "--workers", "1"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{out}: 4 chains of 4 sequences, 122 residues, released 2001-01-01 to 2023-01-01, 1 of a benchmark; 0.0 MB",
        "1 chains left out:",
        "      1  resolves no more than an earlier structure of its sequence (for example 9zzz_A)",
        "1 skipped:",
        "      1  corrupt gzip file (Unknown compression method) (for example structures/broken.cif.gz)",
    ]
    assert main(["library", str(out)]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{out}: 4 chains of 4 sequences, ")
    assert {path.name for path in tmp_path.iterdir()} == {"in", "new"}


def test_without_arguments_it_describes_the_shipped_library(capsys) -> None:
    assert main(["library"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{SHIPPED}: 1,7")
    assert "released 19" in line


def test_refusals_are_one_line(structures: Path, tmp_path: Path, capsys) -> None:
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(SHIPPED.read_bytes()[:10000])
    for arguments, words in (
        ([str(structures)], "is not a template library; --out FILE.safetensors makes one of it"),
        ([str(tmp_path / "none")], "no such template library"),
        ([str(damaged)], "is not a template library"),
        ([str(tmp_path / "none"), "--out", "x.safetensors"], "none: does not exist"),
    ):
        assert main(["library", *arguments]) == 2
        error = capsys.readouterr().err
        assert words in error
        assert error.count("\n") == 1


def test_the_function_of_the_api_returns_the_library(structures: Path, tmp_path: Path) -> None:
    made = rnagen.library(str(structures), str(tmp_path / "l.safetensors"), workers=1)
    assert [skip.chain for skip in made.left_out] == ["9zzz_A"]
    opened = rnagen.library(tmp_path / "l.safetensors")
    assert isinstance(opened.library, Library)
    assert opened.library.infos == made.library.infos
