"""FASTA records, before they are checked."""

from pathlib import Path

import pytest

from rnagen.errors import InputError
from rnagen.io.fasta import is_fasta, read_fasta, split_fasta
from rnagen.io.records import Record, text_lines

FILE = Path("x.fa")


def test_the_name_is_the_first_word_as_it_stands() -> None:
    lines = text_lines(">X99999.1/12-29 Made-up organism tRNA\nGGGCCC\n> Y00001.2/40-23\nCC\n\nAA*\n")
    assert read_fasta(FILE, lines) == [Record("X99999.1/12-29", "GGGCCC"), Record("Y00001.2/40-23", "CC\n\nAA")]


def test_comments_are_skipped() -> None:
    text = ";first\n#A3M#\n\n>a\n;in the sequence\nGG\n#101 1\nCC\n"
    assert is_fasta(text_lines(text))
    assert read_fasta(FILE, text_lines(text)) == [Record("a", "GG\nCC")]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lines_of_any_system(newline: str) -> None:
    assert split_fasta(FILE, text_lines(newline.join([">a b", "GG", ">c"]))) == [("a b", ["GG"]), ("c", [])]


@pytest.mark.parametrize("text", ["GG\n>a\nCC", ";only a comment", ""])
def test_what_is_not_fasta_is_refused(text: str) -> None:
    assert not is_fasta(text_lines(text))
    with pytest.raises(InputError, match="is not FASTA"):
        split_fasta(FILE, text_lines(text))
