"""RDAT: where each value belongs, and what does not fit."""

from pathlib import Path

import numpy as np
import pytest

from rnagen.errors import InputError
from rnagen.io.profiles import Profile
from rnagen.io.rdat import is_rdat, read_rdat

FILE = Path("x.rdat")
HEADER = "RDAT_VERSION\t0.34\nNAME\tmy construct\nSEQUENCE\tGGGAAACCC\nOFFSET\t-10\nSTRUCTURE\t(((...)))\n"
SEQPOS = "SEQPOS\tG-8\tG-7\tA-6\nANNOTATION\texperimentType:StandardState\tchemical:MgCl2:10mM\tmodifier:1M7\n"


def read(text: str) -> list[Profile]:
    assert is_rdat(text.split("\n")[0])
    return read_rdat(FILE, text.split("\n"))


def test_values_are_placed_by_offset() -> None:
    text = HEADER + SEQPOS + "ANNOTATION_DATA:1\tsignal_to_noise:weak:1.5\nREACTIVITY:1\t0.1\tnan\t0.3\n"
    (profile,) = read(text + "REACTIVITY_ERROR:1\t0.1\t0.1\t0.1\nCOMMENT more\n")
    assert (profile.name, profile.sequence, profile.experiment) == ("my construct:1", "GGGAAACCC", "1M7")
    assert profile.signal_to_noise == 1.5
    assert profile.fault is None
    expected = np.array([np.nan, 0.1, np.nan, 0.3, *[np.nan] * 5], dtype=np.float32)
    np.testing.assert_array_equal(profile.reactivity, expected)


def test_data_lines_override_the_construct() -> None:
    lines = [
        "ANNOTATION_DATA:1\tmodifier:DMS\tsequence:CCGAA",
        "ANNOTATION_DATA:2\tmutation:G-9C",
        "ANNOTATION_DATA:3\tmutation:WT",
        "SEQUENCE:4\tUUUU UU",
        *(f"REACTIVITY:{n}\t1\t2\t3" for n in range(1, 5)),
    ]
    profiles = read(HEADER + SEQPOS + "\n".join(lines))
    assert [p.sequence for p in profiles] == ["CCGAA", "CGGAAACCC", "GGGAAACCC", "UUUUUU"]
    assert [p.experiment for p in profiles] == ["DMS", "1M7", "1M7", "1M7"]
    assert [p.fault for p in profiles] == [None] * 4
    np.testing.assert_array_equal(profiles[0].reactivity, [np.nan, 1, 2, 3, np.nan])


def test_positions_beyond_a_short_design_have_no_meaning() -> None:
    (profile,) = read(HEADER + SEQPOS + "ANNOTATION_DATA:1 sequence:GGG\nREACTIVITY:1 1 2 3")
    np.testing.assert_array_equal(profile.reactivity, [np.nan, 1, 2])


def test_several_constructs_and_former_versions() -> None:
    one = "NAME {}\nSEQUENCE {}\nOFFSET 0\nSEQPOS 1 2\nANNOTATION modifier:{}\nAREA_PEAK:1 1 2\n"
    profiles = read("RDAT_VERSION 0.24\n" + one.format("a", "GG", "NMIA") + one.format("b", "CC", "CMCT"))
    assert [(p.name, p.sequence, p.experiment) for p in profiles] == [("a:1", "GG", "NMIA"), ("b:2", "CC", "CMCT")]


def test_without_seqpos_the_values_are_those_of_all_residues() -> None:
    (profile,) = read("RDAT_VERSION 0.34\nSEQUENCE GGC\nANNOTATION modifier:1M7\nREACTIVITY:1 1 2 3\n")
    assert profile.name == "x.rdat:1"
    assert profile.reactivity.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("header", "data", "words"),
    [
        (HEADER + SEQPOS, "REACTIVITY:1 1 2", "2 values of REACTIVITY, but SEQPOS has 3"),
        (HEADER + SEQPOS, "REACTIVITY:1 1 2 x", "could not convert"),
        (HEADER + SEQPOS, "ANNOTATION_DATA:1 mutation:A-9C\nREACTIVITY:1 1 2 3", "mutation A-9C does not fit"),
        (HEADER + SEQPOS, "ANNOTATION_DATA:1 mutation:many\nREACTIVITY:1 1 2 3", "mutation many does not fit"),
        (HEADER.replace("-10", "0") + SEQPOS, "REACTIVITY:1 1 2 3", "SEQPOS does not fit OFFSET"),
        (HEADER.replace("-10", "-13") + SEQPOS, "REACTIVITY:1 1 2 3", "3 of 3 letters differ"),
        (HEADER.replace("-10", "9" * 5000) + SEQPOS, "REACTIVITY:1 1 2 3", "OFFSET 99999"),
        (HEADER + "SEQPOS A" + "9" * 5000, "REACTIVITY:1 1", "not a list of numbers"),
        (HEADER + "SEQPOS A1", "REACTIVITY:1 1", "SEQPOS ends beyond"),
        (HEADER + "SEQPOS one", "REACTIVITY:1 1", "not a list of numbers"),
        (HEADER + "SEQPOS -9", "REACTIVITY:1 1", "no modifier"),
        ("RDAT_VERSION 0.34", "REACTIVITY:1 1", "no SEQUENCE"),
    ],
)
def test_a_profile_that_does_not_fit_has_a_reason(header: str, data: str, words: str) -> None:
    (profile,) = read(f"{header}\n{data}\n")
    assert profile.fault is not None
    assert words in profile.fault


def test_nothing_measured() -> None:
    with pytest.raises(InputError, match="without a REACTIVITY line"):
        read(HEADER)
