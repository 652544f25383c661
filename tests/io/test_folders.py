"""Folder names that every system can hold."""

import os
import re
import unicodedata
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnagen.io.folders import MAXIMUM_BYTES, folder_names, safe_name

RESERVED = ("run.json", "submission.csv")


@pytest.mark.parametrize(
    "name", ["rna", "1ehz_A", "R1107", "a..b", "tRNA-Phé", "x" * 120, "NA", "null", "_", "CONSOLE"]
)
def test_a_name_that_is_safe_stays(name: str) -> None:
    assert safe_name(name) == name


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("../etc", "___etc"),
        ("a/b\\c:d", "a_b_c_d"),
        ('<x>|"y"?*', "_x___y___"),
        ("two words\tand\nlines\x00", "two_words_and_lines_"),
        (".hidden", "_hidden"),
        ("ends.", "ends_"),
        ("...", "___"),
        ("con", "_con"),
        ("NUL.fasta.gz", "_NUL.fasta.gz"),
        ("Com1", "_Com1"),
        ("\ud800", "_"),
    ],
)
def test_what_some_system_cannot_hold_is_replaced(name: str, folder: str) -> None:
    assert safe_name(name) == folder


def test_a_long_name_is_cut_between_characters() -> None:
    one, other = safe_name("Å" * 200 + "1"), safe_name("Å" * 200 + "2")
    assert one != other
    assert re.fullmatch("Å{55}-[0-9a-f]{8}", one)


def test_names_of_one_folder_are_numbered_in_order() -> None:
    assert folder_names(["A", "a", "a-2", "b", "B"]) == {"A": "A", "a": "a-3", "a-2": "a-2", "b": "b", "B": "B-2"}
    assert folder_names(["x/y", "x_y", "x:y"]) == {"x/y": "x_y-2", "x_y": "x_y", "x:y": "x_y-3"}
    composed, decomposed = "é", unicodedata.normalize("NFD", "é")
    assert folder_names([decomposed, composed]) == {decomposed: decomposed, composed: "é-2"}
    assert folder_names(["Run.json", "run.json", "_run.json"], RESERVED) == {
        "Run.json": "_Run.json-2",
        "run.json": "_run.json-3",
        "_run.json": "_run.json",
    }


PIECES = [
    "..",
    "/",
    "\\",
    ".",
    "~",
    "C:",
    "\0",
    "\u2215",
    "\uff0f",
    "\u202e",
    "CON",
    "nul.",
    " ",
    "\n",
    "%2e%2e",
    "a",
    "é",
]
"""Of paths, and of what some system reads as one."""


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join), st.sampled_from(["out", "/out"]))
def test_no_name_leaves_the_folder(name: str, out: str) -> None:
    """Whatever a name is, what is written for it is one level below the output, by the rules of either system."""
    (folder,) = folder_names([name], RESERVED).values()
    for kind in (PurePosixPath, PureWindowsPath):
        place = kind(out) / folder
        assert place.parent == kind(out)
        assert place.name == folder
        assert not kind(folder).is_absolute()
        assert not kind(folder).drive
    assert os.path.normpath(os.path.join(out, folder)) == os.path.join(out, folder)
    assert folder.isprintable() or "\u202e" in folder
    assert not any(c.isspace() or c < " " for c in folder)


@given(st.lists(st.text(st.sampled_from("aAéé.-_2/ ß") | st.characters(), min_size=1, max_size=130), unique=True))
def test_every_folder_is_safe_and_its_own(names: list[str]) -> None:
    folders = folder_names(names, RESERVED)
    assert list(folders) == names
    seen = set()
    for folder in folders.values():
        assert safe_name(folder) == folder
        assert 0 < len(folder.encode()) <= MAXIMUM_BYTES
        assert folder.casefold() not in {*RESERVED, *seen}
        seen.add(folder.casefold())
