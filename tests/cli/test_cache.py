"""rnagen cache: lists and clears what is stored, and touches nothing else."""

from pathlib import Path

import pytest

from rnagen.caches import CACHE, cache_folder
from rnagen.cli.main import main


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    for name in (
        *("base_pairs/aa/one.npz", "base_pairs/bb/two.npz", "synthetic-8-2/chains.safetensors"),
        *("groups-x.npy", ".groups-x.npy.abc.tmp", "mine/groups-y.npy", "notes.txt"),
    ):
        (tmp_path / "cache" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "cache" / name).write_bytes(b"x" * 100_000)
    return tmp_path / "cache"


def printed(capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    return [line.split()[:5] for line in capsys.readouterr().out.splitlines()[1:]]


def test_it_lists_name_files_and_size(folder: Path, capsys) -> None:
    assert main(["cache"]) == 0
    assert printed(capsys) == [
        ["base_pairs", "2", "files", "0.2", "MB"],
        ["synthetic", "1", "files", "0.1", "MB"],
        ["groups", "2", "files", "0.2", "MB"],
    ]
    assert (folder / "groups-x.npy").is_file()


def test_it_clears_one_or_all_and_nothing_else(folder: Path, capsys) -> None:
    assert main(["cache", "--clear", "groups"]) == 0
    assert not (folder / "groups-x.npy").exists()
    assert (folder / "base_pairs/aa/one.npz").is_file()
    assert main(["cache", "--clear"]) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["mine", "notes.txt"]
    capsys.readouterr()
    assert main(["cache"]) == 0
    assert capsys.readouterr().out == f"{folder}: empty\n"


def test_an_unknown_name_is_one_line(folder: Path, capsys) -> None:
    assert main(["cache", "--clear", "everything"]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "clear: 'everything' is not a cache; choose from base_pairs," in line
    assert (folder / "groups-x.npy").is_file()


@pytest.mark.parametrize("word", ["list", "clear"])
def test_a_word_is_answered_by_the_option(folder: Path, capsys, word: str) -> None:
    assert main(["cache", word]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    hint = "(`rnagen cache` lists the caches, `rnagen cache --clear [NAME ...]` clears them)"
    assert line == f"rnagen cache: '{word}': takes no such word {hint}"
    assert (folder / "groups-x.npy").is_file()


def test_the_folder_is_that_of_the_option_the_variable_or_the_user(folder: Path, tmp_path: Path, monkeypatch) -> None:
    assert cache_folder() == folder
    assert main(["cache", "--cache", str(tmp_path / "other"), "--clear"]) == 0
    assert (folder / "groups-x.npy").is_file()
    monkeypatch.delenv(CACHE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "rnagen"
