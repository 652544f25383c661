"""Files without a name in them."""

from pathlib import Path

import pytest

from rnagen.io.plain import is_folding, is_plain, read_folding, read_plain
from rnagen.io.records import Record

FILE = Path("NR_999999.1.seq.gz")


def test_a_sequence_and_its_structure() -> None:
    lines = ["#Name: x", "GGGAAACCC", "(((...))) (-1.20)"]
    assert is_folding(lines)
    assert read_folding(FILE, lines) == [Record("NR_999999.1", "GGGAAACCC", "(((...)))")]


def test_a_sequence_alone() -> None:
    assert is_plain(["", "ggtN AA", ""])
    assert read_plain(FILE, ["ggtN AA", ""]) == [Record("NR_999999.1", "ggtN AA")]
    (record,) = read_plain(FILE, ["GG", "CC"])
    assert (record.sequence, record.warnings) == ("GG\nCC", ("2 lines are read as one sequence",))


@pytest.mark.parametrize("lines", [["what is this"], ["GGRY"], [], ["(((...)))"], ["GG", ">a", "CC"], ["1 G"]])
def test_anything_else_is_neither(lines: list[str]) -> None:
    assert not is_folding(lines)
    assert not is_plain(lines)
