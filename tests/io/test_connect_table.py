"""ct and bpseq files: pseudoknots, several structures, damaged tables."""

import time
from pathlib import Path

import pytest

from rnagen.errors import InputError
from rnagen.io.connect_table import is_bpseq, is_ct, read_bpseq, read_ct
from rnagen.io.dot_bracket import parse_dot_bracket
from rnagen.io.records import Found, Record

FILE = Path("file.ct")
SEQUENCE, KNOT = "GGGAAACUUCGGUUUCCC", "((((((AA..aa))))))"


def rows(sequence: str, structure: str) -> list[tuple[int, str, int]]:
    table = parse_dot_bracket(structure)
    return [(n, base, max(int(j), -1) + 1) for n, (base, j) in enumerate(zip(sequence, table), start=1)]


def ct(title: str, sequence: str, structure: str) -> list[str]:
    table = rows(sequence, structure)
    return [f"  {len(table)} {title}", *(f"  {n} {base} {n - 1} {n + 1} {j} {n}" for n, base, j in table)]


def pairs(found: Found) -> list[int]:
    assert isinstance(found, Record)
    assert found.secondary_structure is not None
    return parse_dot_bracket(found.secondary_structure).tolist()


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("dG = -5.4 made", "made"),
        ("ENERGY =     -5.4  made of it", "made"),
        ("dG = -20.7 [initially -22.9] made", "made"),
        ("made", "made"),
        ("-5.40", "file"),
        ("Energy = -5.4", "file"),
        ("", "file"),
    ],
)
def test_a_table_is_named_by_its_title_or_its_file(title: str, name: str) -> None:
    lines = ["# a comment", *ct(title, SEQUENCE, KNOT), ""]
    assert is_ct(lines)
    assert not is_bpseq(lines)
    (record,) = read_ct(FILE, lines)
    assert isinstance(record, Record)
    assert (record.name, record.sequence, record.warnings) == (name, SEQUENCE, ())
    assert pairs(record) == parse_dot_bracket(KNOT).tolist()


def test_the_first_of_several_structures_counts() -> None:
    lines = ct("dG = -5.4 a", SEQUENCE, KNOT) + ct("dG = -1 b", "GC", "..") + 2 * ct("dG = 0 a", SEQUENCE, "." * 18)
    first, second = read_ct(FILE, lines)
    assert isinstance(first, Record)
    assert pairs(first) == parse_dot_bracket(KNOT).tolist()
    assert first.warnings == ("the first secondary structure counts; others ignored: 2",)
    assert second == Record("b", "GC", "..")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: [table[0], *table[2:], table[1]], "a: residue 1: '2 G 0' where"),
        (lambda table: [*table[:2], "  2 G 1 3 4 2", *table[3:]], "but not the other way round"),
        (lambda table: [*table[:2], "  2 G 1", *table[3:]], "residue 2: '2 G' where"),
        (lambda table: [*table[:2], "  2 G 1 3 -1 2", *table[3:]], "residue 2: '2 G -1' where"),
        (lambda table: [*table[:2], f"  2 G 1 3 {'9' * 5000} 2", *table[3:]], "where its number"),
    ],
)
def test_a_damaged_table_leaves_the_others(change, words: str) -> None:
    good, bad = read_ct(FILE, [*change(ct("a", "GGC", "(.)")), *ct("b", "GC", "..")])
    assert good == Record("b", "GC", "..")
    assert isinstance(bad, InputError)
    assert words in str(bad)


def test_a_table_cut_short_and_a_line_between_tables() -> None:
    (error,) = read_ct(FILE, ct("a", "GGC", "(.)")[:-1])
    assert "a: 2 residues, but the header has 3" in str(error)
    good, error = read_ct(FILE, [*ct("a", "GGC", "(.)"), "what is this"])
    assert good == Record("a", "GGC", "(.)")
    assert "what is this: stands where the header" in str(error)


@pytest.mark.parametrize(
    "head", [[], ["# comment"], ["Filename: x", "Organism: y", "Accession Number: z", "Citation and more"]]
)
def test_bpseq(head: list[str]) -> None:
    lines = [*head, *(f"{n} {base} {j}" for n, base, j in rows(SEQUENCE, KNOT))]
    assert is_bpseq(lines)
    assert not is_ct(lines)
    (record,) = read_bpseq(FILE, lines)
    assert isinstance(record, Record)
    assert (record.name, record.sequence) == ("file", SEQUENCE)
    assert pairs(record) == parse_dot_bracket(KNOT).tolist()


def test_bad_bpseq() -> None:
    (error,) = read_bpseq(FILE, ["1 G 2", "2 C 0"])
    assert "file: secondary structure: position 1 is paired with 2" in str(error)


def test_time_grows_with_length_alone() -> None:
    start = time.perf_counter()
    for title in ("[initially " * 200_000, "dG = " * 400_000, "1" * 2_000_000 + "x", " " * 2_000_000):
        read_ct(FILE, [f"1 {title}", "1 G 0 2 0 1"])
    assert time.perf_counter() - start < 3
