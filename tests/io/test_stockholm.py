"""Stockholm: blocks are joined, the consensus structure is projected on each sequence."""

from pathlib import Path

import pytest

from rnagen.errors import InputError
from rnagen.io.records import Record, text_lines
from rnagen.io.stockholm import is_stockholm, read_stockholm, split_stockholm

FILE = Path("x.sto")
TWO_BLOCKS = """# STOCKHOLM 1.0
#=GF ID made

one/1-9        GGG.AAA
#=GR one/1-9 PP 999.999
two            GG--A~A
#=GC SS_cons   <(<,:AA

one/1-9        CCC--
two            C-CGg
#=GC SS_cons   >)>aa
#=GC RF        xxxxx
//
"""


def test_a_pair_stays_where_both_ends_are_residues() -> None:
    lines = text_lines(TWO_BLOCKS)
    assert is_stockholm(lines)
    assert read_stockholm(FILE, lines) == [
        Record("one/1-9", "GGGAAACCC", "<(<...>)>"),
        # G G - - A ~ A C - C G g under < ( < , : A A > ) > a a
        Record("two", "GGAACCGg", "<..A.>a."),
    ]


def test_every_unpaired_symbol_of_wuss() -> None:
    lines = text_lines("# STOCKHOLM 1.0\na GGGGGGAACC\n#=GC SS_cons ,-_:~.{[]}\n")
    assert read_stockholm(FILE, lines) == [Record("a", "GGGGGGAACC", "......{[]}")]


def test_alignments_of_one_file_stay_apart() -> None:
    text = "# STOCKHOLM 1.0\na GG\n//\n# STOCKHOLM 1.0\na G-C\nb GGC\n#=GC SS_cons <.>\n//\n"
    first, second = split_stockholm(FILE, text_lines(text))
    assert (first.rows, first.structure) == ({"a": "GG"}, "")
    assert (second.rows, second.structure) == ({"a": "G-C", "b": "GGC"}, "<.>")
    assert read_stockholm(FILE, text_lines(text)) == [
        Record("a", "GG"),
        Record("a", "GC", "<>"),
        Record("b", "GGC", "<.>"),
    ]


def test_a_bad_row_and_a_bad_structure_leave_the_others() -> None:
    text = "# STOCKHOLM 1.0\na GGC\nb GG\n#=GC SS_cons <.>\n//\nc GGC\n#=GC SS_cons <..\n//\nd AA\n"
    good, row, structure, last = read_stockholm(FILE, text_lines(text))
    assert (good, last) == (Record("a", "GGC", "<.>"), Record("d", "AA"))
    assert str(row) == "x.sto: b: 2 columns, but SS_cons has 3"
    assert str(structure) == "x.sto: SS_cons: secondary structure: position 1: a bracket without its '>'"


@pytest.mark.parametrize(
    ("text", "words"), [("# STOCKHOLM 1.0\n//\n", "without a sequence"), ("# STOCKHOLM 1.0\na b c\n", "name and row")]
)
def test_bad_files(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        split_stockholm(FILE, text_lines(text))
