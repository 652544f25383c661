"""Clustal: blocks are joined; counts and the consensus are left out."""

from pathlib import Path

import pytest

from rnagen.errors import InputError
from rnagen.io.clustal import is_clustal, read_clustal, split_clustal
from rnagen.io.records import Record, text_lines

FILE = Path("x.aln")


@pytest.mark.parametrize("header", ["CLUSTAL W (1.83) multiple alignment", "CLUSTALW", "MUSCLE (3.8) alignment"])
def test_blocks_counts_and_consensus(header: str) -> None:
    text = (
        f"\n{header}\n\n\na/1-5   GGA-C 4\nb       GG--C 3\n        **  *\n\na/1-5   UU 6\nb       -U 4\n         *\n"
    )
    assert is_clustal(text_lines(text))
    assert split_clustal(FILE, text_lines(text)) == {"a/1-5": "GGA-CUU", "b": "GG--C-U"}
    assert read_clustal(FILE, text_lines(text)) == [Record("a/1-5", "GGACUU"), Record("b", "GGCU")]


@pytest.mark.parametrize(
    ("text", "words"), [("CLUSTAL\n\n", "without a sequence"), ("CLUSTAL\na GG x\n", "perhaps a count")]
)
def test_bad_files(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        split_clustal(FILE, text_lines(text))
