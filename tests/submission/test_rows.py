from pathlib import Path

import pytest

from rnagen.errors import InputError
from rnagen.submission.rows import rows_of_sample, rows_of_sequences
from tests.helpers.submissions import SEQUENCES, sequences_csv, table


def test_sequences_and_sample_give_the_same_rows(tmp_path: Path) -> None:
    found = rows_of_sequences(sequences_csv(tmp_path / "x.csv"))
    assert found == rows_of_sample(table(tmp_path / "sample.csv", 1))
    assert [(one.name, one.sequence) for one in found] == list(SEQUENCES.items())
    assert found[1].ids[:2] == ("R1_1", "R1_2")


def test_strands_follow_each_other(tmp_path: Path) -> None:
    (found,) = rows_of_sequences(sequences_csv(tmp_path / "x.csv", {"R1": "GGA&UCC"}))
    assert (found.sequence, found.resids) == ("GGAUCC", tuple("123456"))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("R1_1,G,1\nR1_1,G,1", "a second row of this ID"),
        ("R1_1,G,1\nR2_1,G,1\nR1_2,G,2", "the rows of R1 are not together"),
        ("R1_1,X9,1", "residue name 'X9' is not a nucleotide"),
        ("R1,G,1", "the ID must be the target, _ and the residue number"),
        (f"R1_{'9' * 5000},G,{'9' * 5000}", "the ID must be the target, _ and the residue number"),
        ("R1_²,G,²", "the ID must be the target, _ and the residue number"),
        ("R1_1,G,2", "the ID must be the target, _ and the residue number"),
    ],
)
def test_a_sample_that_cannot_be_used_is_refused(tmp_path: Path, rows: str, words: str) -> None:
    (tmp_path / "x.csv").write_text(f"ID,resname,resid\n{rows}\n")
    with pytest.raises(InputError, match=words):
        rows_of_sample(tmp_path / "x.csv")


@pytest.mark.parametrize(("sequence", "words"), [("GG?", "position 3"), ("", "empty sequence")])
def test_a_sequence_that_cannot_be_used_is_refused(tmp_path: Path, sequence: str, words: str) -> None:
    with pytest.raises(InputError, match=f"x.csv: R1: {words}"):
        rows_of_sequences(sequences_csv(tmp_path / "x.csv", {"R1": sequence}))


def test_a_target_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("target_id,sequence\nR1,GG\nR1,GG\n")
    with pytest.raises(InputError, match="a second row of this target"):
        rows_of_sequences(tmp_path / "x.csv")
