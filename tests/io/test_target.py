"""Targets from names and sequences."""

import pytest

from rnagen.errors import InputError
from rnagen.io.target import make_target


@pytest.mark.parametrize("name", ["../a", "a/b", "..", ".dot", "NA", "CON", "x" * 300, "two words", "tRNA-Phé"])
def test_a_name_stays_what_it_is(name: str) -> None:
    assert make_target("file", name, "GG").name == name


@pytest.mark.parametrize(("name", "reason"), [("", "no name"), (" \t", "no name"), ("a\udcff", "not Unicode")])
def test_what_is_not_a_name_is_refused(name: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        make_target("file", name, "GG")


def test_strands_stand_beside_the_joined_sequence() -> None:
    target = make_target("in.fasta", "duo", "ggt c&\nGCCI", "((((&))))")
    assert (target.sequence, target.strands, target.secondary_structure) == ("GGUCGCCG", (4, 4), "(((())))")
    assert target.warnings == ("strand 2: position 4: I read as G",)
    assert make_target("in.fasta", "duo", "GGGC&GCCC", "(((())))").secondary_structure == "(((())))"
    assert make_target("in.fasta", "one", "GGGC").strands == ()


@pytest.mark.parametrize(
    ("text", "structure", "reason"),
    [
        ("&GGGC", None, "strand 1 is empty"),
        ("GGGC&", None, "strand 2 is empty"),
        ("GG&&GC", None, "strand 2 is empty"),
        ("GG&G?C", None, "strand 2: position 2: '[?]' is not a nucleotide"),
        ("&".join("G" * 63), None, "63 strands: at most 62"),
        ("GGGC&GCCC", "(((&())))", "& stands elsewhere than in the sequence"),
        ("GGGCGCCC", "((((&))))", "& stands elsewhere than in the sequence"),
        ("GGGC&GCCC", "((((&...))))", "secondary structure: 7 symbols for the 4 residues of strand 2"),
    ],
)
def test_strands_that_cannot_be_used(text: str, structure: str | None, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        make_target("in.fasta", "duo", text, structure)
