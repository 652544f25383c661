"""Structures below a sequence, as programs print them."""

import time

import pytest

from rnagen.io.folding import is_structure, split_folding

SEQUENCE = "GGGAAACUUCGGUUUCCC"
FIRST = "((((((......))))))"


@pytest.mark.parametrize(
    "line",
    [
        "((...)) ( -1.20)",
        "((...))",
        "....  0.00",
        "{{{{...,|}}}} [ -5.80]",
        "((...)) {-5.40 d=1.2}",
        "((...)) { -5.40 MEA=6.1}",
        "((...)) (-16.19 = -13.62 +  -2.57)",
        "((((((AA..aa))))))",
        "((((AAaa))))",
        "(A...)..a",
        "AAA...aaa",
    ],
)
def test_structures(line: str) -> None:
    assert is_structure(line)


@pytest.mark.parametrize(
    "line", ["", "GGCC", "aacc", "GG(5MC)A", "GG(PSU)A", "(PSU)", "GG.AA", "GG-A", "GG----CC--", "GGA -540 100"]
)
def test_sequences(line: str) -> None:
    assert not is_structure(line)


def test_a_structure_may_be_wrapped() -> None:
    assert split_folding(["GGGA", "AACCC", "(((...", ")))", ""]) == ("GGGA\nAACCC", "(((...)))", ())
    assert split_folding(["GGGAAACCC", "(((...", ")))  (-1.20)"])[1] == "(((...)))"
    assert split_folding(["GGGAAACCC", "((AA..", ")aa)"])[1] == "((AA..)aa)"


def test_rnafold_with_partition_function() -> None:
    lines = [
        SEQUENCE,
        f"{FIRST} ( -5.40)",
        "((((((,,..,,}}}}}} [ -5.80]",
        f"{FIRST} {{ -5.40 d=1.20}}",
        " frequency of mfe structure in ensemble 0.55; ensemble diversity 2.1",
    ]
    sequence, structure, (warning,) = split_folding(lines)
    assert (sequence, structure) == (SEQUENCE, FIRST)
    assert "first secondary structure counts; lines ignored below it: 2" in warning


def test_rnasubopt() -> None:
    lines = [f"{SEQUENCE}  -540 100", f"{FIRST}  -5.40", ".................." + "   0.00"]
    sequence, structure, (warning,) = split_folding(lines)
    assert (sequence, structure) == (SEQUENCE, FIRST)
    assert "lines ignored below it: 1" in warning


def test_several_structures_without_energies() -> None:
    assert split_folding([SEQUENCE, FIRST, "." * 18, "." * 18])[1:] == (
        FIRST,
        ("the first secondary structure counts; lines ignored below it: 2",),
    )


def test_an_energy_ends_a_structure_that_is_too_short() -> None:
    assert split_folding([SEQUENCE, "((..)) (-1.0)", FIRST])[1] == "((..))"


def test_time_grows_with_length_alone() -> None:
    start = time.process_time()
    blanks = " " * 2_000_000
    for line in (blanks, f"((..)){blanks}(", f"((..)){blanks}x", f"GG{blanks}1", "(" * 2_000_000, "(A" * 1_000_000):
        is_structure(line)
        split_folding([line, "((..))"])
    # Many minutes, if it grew with the square.
    assert time.process_time() - start < 10
