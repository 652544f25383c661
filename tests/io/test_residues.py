import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnagen.io.residues import clean_sequence, is_dna, is_rna, parent_base


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("A", "A"), ("DA", "A"), ("DT", "U"), ("T", "U"), ("PSU", "U"), ("5MU", "U"), ("1MA", "A"), ("GTP", "G"),
        ("5MC", "C"), ("YG", "G"), ("CCC", "C"), ("I", "G"), ("H2U", "U"), ("RC5", "C"), ("URA", "U"), ("N", "N"),
        ("g", "G"), ("ALA", "N"), ("HOH", "N"), ("MG", "N"), ("SAM", "N"), ("???", "N"), ("", "N"),
    ],
)  # fmt: skip
def test_parent_base(name: str, base: str) -> None:
    assert parent_base(name) == base


def test_rna_is_told_from_dna_protein_and_free_nucleotides() -> None:
    assert all(is_rna(name) for name in ("A", "C", "G", "U", "PSU", "5MC", "OMG", "G5", "N"))
    assert not any(is_rna(name) for name in ("DA", "DT", "T", "ALA", "GTP", "ATP", "HOH", "XYZ", "MG"))
    assert all(is_dna(name) for name in ("DA", "DC5", "T", "DU"))
    assert not any(is_dna(name) for name in ("A", "U", "GTP", "ASP"))


def test_clean_sequence_changes_and_says_so() -> None:
    assert clean_sequence("gatu\n ccN") == ("GAUUCCN", [])
    sequence, warnings = clean_sequence("GRa(5MC)P?".replace("?", "x"))
    assert sequence == "GNACUN"
    assert warnings == [
        "position 2: R read as N",
        "position 4: 5MC read as C",
        "position 5: P read as U",
        "position 6: X read as N",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("GGE", "position 3: 'E'"),
        ("G-A", "position 2: '-' is not a nucleotide \\(a gap: remove it"),
        ("A1", "position 2: '1' is not a nucleotide \\(a number: remove it\\)"),
        ("MKLFEQLLA", "position 3: 'L' is not a nucleotide \\(this looks like a protein"),
        ("GGZCC", "write A, C, G, U, T, or N for an unknown base"),
    ],
)
def test_clean_sequence_refuses(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        clean_sequence(text)


@given(st.text(max_size=30))
def test_clean_sequence_is_clean_or_refused(text: str) -> None:
    try:
        sequence, _ = clean_sequence(text)
    except ValueError:
        return
    assert sequence
    assert set(sequence) <= set("ACGUN")
    assert clean_sequence(sequence) == (sequence, [])
