"""Which file belongs to which chain or target."""

from pathlib import Path

import pytest

from rnagen.errors import InputError
from rnagen.secondary.alignments import alignment_name, find_alignments


@pytest.mark.parametrize(
    ("file", "target"),
    [
        ("NR_999999.1.a3m", "NR_999999.1"),
        ("NR_999999.2.a3m", "NR_999999.2"),
        ("rna.v2.a3m", "rna.v2"),
        ("1abc_A.MSA.fasta.gz", "1abc_A"),
        ("1ABC_A.a3m", "1abc_A"),
        ("1abc_A", "1abc_A"),
        ("rna.fasta.GZ", "rna"),
        ("x.sto.txt", "x"),
        ("X99999.1_12-29.sto", "X99999.1/12-29"),
        ("X99999.1_12-29.sto", "X99999.1_12-29"),
        ("rna.other", "rna.other"),
    ],
)
def test_the_name_is_what_remains_without_suffixes(tmp_path: Path, file: str, target: str) -> None:
    (tmp_path / file).touch()
    assert find_alignments(tmp_path) == {alignment_name(target): tmp_path / file}


def test_names_that_differ_behind_a_dot_stay_apart(tmp_path: Path) -> None:
    for name in ("NR_999999.1", "NR_999999.2", "rna.v2", "rna"):
        (tmp_path / f"{name}.a3m").touch()
    found = find_alignments(tmp_path)
    assert found[alignment_name("NR_999999.2")].name == "NR_999999.2.a3m"
    assert len(found) == 4


def test_two_files_of_one_name_are_both_named(tmp_path: Path) -> None:
    (tmp_path / "rna.v2.a3m").touch()
    (tmp_path / "rna.v2.fasta.gz").touch()
    with pytest.raises(InputError, match=r"rna\.v2\.fasta\.gz: has the same name as rna\.v2\.a3m"):
        find_alignments(tmp_path)


def test_the_folder_must_exist_and_other_things_in_it_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "folder.a3m").mkdir()
    (tmp_path / ".a3m").touch()
    assert find_alignments(tmp_path) == {}
    with pytest.raises(InputError, match="no such folder"):
        find_alignments(tmp_path / "absent")
