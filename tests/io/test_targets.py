import gzip
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rnagen.errors import InputError
from rnagen.io.target import Target
from rnagen.io.targets import read_targets


def write(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def read_fasta(path: Path) -> list[Target]:
    """The targets of a file, or its first error."""
    targets, errors = read_targets(path)
    if errors:
        raise errors[0]
    return targets


@pytest.mark.parametrize("name", ["x.fasta", "x.fa.gz"])
def test_records_with_comments_wraps_and_windows_line_ends(tmp_path: Path, name: str) -> None:
    targets = read_fasta(write(tmp_path / name, "\ufeff\n>one first RNA\r\nGGg\r\nccc\r\n\r\n>two|x\nACGT>"[:-1]))
    assert [(t.name, t.sequence) for t in targets] == [("one", "GGGCCC"), ("two|x", "ACGU")]


def test_a_structure_below_its_sequence_is_read_with_it(tmp_path: Path) -> None:
    text = ">a\nGGGA\nAACCC\n(((...)))  (-1.20)\n>b\nGG\n>c\nGGGGAA\nAACCCC\n((([....\n])))\n"
    targets = read_fasta(write(tmp_path / "x.fasta", text))
    assert [t.secondary_structure for t in targets] == ["(((...)))", None, "((([....])))"]
    assert targets[1].pair_table is None
    assert targets[0].pair_table is not None
    assert targets[0].pair_table.tolist() == [8, 7, 6, -1, -1, -1, 2, 1, 0]


@pytest.mark.parametrize(
    ("secondary_structure", "words"),
    [("((.)", "secondary structure: position 1"), ("(.)", "3 symbols for 4 residues")],
)
def test_a_structure_that_does_not_fit_is_named(tmp_path: Path, secondary_structure: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_fasta(write(tmp_path / "x.fasta", f">a\nGGCC\n{secondary_structure}\n"))


SEQUENCE, STRUCTURE = "GGGAAACUUCGGUUUCCC", "((((((......))))))"
CT = "18 dG = -5.4 ct1\n" + "".join(
    f"{n} {base} {n - 1} {n + 1} {j} {n}\n"
    for n, (base, j) in enumerate(zip(SEQUENCE, [*range(18, 12, -1), *[0] * 6, *range(6, 0, -1)]), start=1)
)
BPSEQ = "# bpseq\n" + "".join(f"{row.split()[0]} {row.split()[1]} {row.split()[4]}\n" for row in CT.splitlines()[1:])
FORMATS = {
    "fasta1": f"; a comment\n>fasta1 my RNA\n{SEQUENCE}*\n{STRUCTURE} (-5.40)\n",
    "sto1": "# STOCKHOLM 1.0\nsto1 GGG-AAACUUCGGUUUCCC\n#=GC SS_cons <<<-<<<......>>>>>>\n//\n",
    "aln1": "CLUSTAL W (1.83)\n\naln1 GGGAAACUUC 10\n     **********\n\naln1 GGUUU--CCC 18\n",
    "ct1": CT,
    "bpseq1": BPSEQ,
    "dbn1": f"{SEQUENCE}\n{STRUCTURE}\n",
    "plain1": f"{SEQUENCE.lower()}\n",
    "table1": f"sequence_id,sequence,experiment_type,SN_filter\ntable1,{SEQUENCE},2A3,1\ntable1,{SEQUENCE},DMS,0\n",
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_the_content_decides_the_format(tmp_path: Path, name: str, suffix: str) -> None:
    (target,) = read_fasta(write(tmp_path / f"{name}.xyz{suffix}", FORMATS[name].replace("\n", "\r\n")))
    assert (target.name, target.sequence, target.warnings) == (name, SEQUENCE, ())
    assert target.secondary_structure in (None, STRUCTURE, STRUCTURE.translate(str.maketrans("()", "<>")))
    assert (target.secondary_structure is None) == (name in ("aln1", "plain1", "table1"))


def test_a_folder_of_all_formats(tmp_path: Path) -> None:
    for name, text in FORMATS.items():
        write(tmp_path / f"{name}.xyz", text)
    targets, errors = read_targets(tmp_path)
    assert {target.name for target in targets} == set(FORMATS)
    assert {target.sequence for target in targets} == {SEQUENCE}
    assert not errors


def test_an_unknown_format_lists_what_is_understood(tmp_path: Path) -> None:
    with pytest.raises(InputError) as raised:
        read_targets(write(tmp_path / "x", "LOCUS x"))
    for name in ("FASTA", "Stockholm", "Clustal", "ct", "bpseq", "dot-bracket", "sequence_id", "alone"):
        assert name in raised.value.reason


@pytest.mark.parametrize("text", [">a\nGGCC\n>\n", ">\n>a\nGGCC\n", ">a\nGGCC\n>", "> \nAA\n>a\nGGCC"])
def test_a_bare_header_is_an_error_of_that_record_alone(tmp_path: Path, text: str) -> None:
    write(tmp_path / "1.fa", text)
    write(tmp_path / "2.fa", ">b\nAAAA")
    targets, (error,) = read_targets(tmp_path)
    assert [target.name for target in targets] == ["a", "b"]
    assert "has no name" in error.reason
    assert error.record is not None
    assert error.record.startswith("record")


def test_a_row_of_a_table_is_named_by_its_line(tmp_path: Path) -> None:
    text = "target_id,sequence\nA,GGCC\nA,GGCC\n\n,GGCC\nB,GGCC,1\nC,GGCC\n"
    targets, errors = read_targets(write(tmp_path / "x.csv", text))
    assert [target.name for target in targets] == ["A", "C"]
    assert [(error.record, error.reason) for error in errors] == [
        ("line 5", "has no name"),
        ("B", "3 fields under 2 columns"),
    ]


def test_an_aligned_fasta_file_loses_its_gaps(tmp_path: Path) -> None:
    text = ">a\nGGCC--\nAA..\n>b\n------\nAACC\n>c\nGGCCGG\nAAGG\n"
    targets, errors = read_targets(write(tmp_path / "x.fasta", text))
    assert not errors
    assert [(one.name, one.sequence) for one in targets] == [("a", "GGCCAA"), ("b", "AACC"), ("c", "GGCCGGAAGG")]


@pytest.mark.parametrize("text", [">a\nGG-CC\n", ">a\nGG-CC\n>b\nGGCC\n"])
def test_gaps_elsewhere_are_refused_with_a_remedy(tmp_path: Path, text: str) -> None:
    _, (error, *_) = read_targets(write(tmp_path / "x.fasta", text))
    assert error.record == "a"
    assert error.reason.startswith("position 3: '-' is not a nucleotide (a gap: ")


def test_structures_of_dots_are_not_gaps(tmp_path: Path) -> None:
    targets, errors = read_targets(write(tmp_path / "x.fasta", ">a\nGGCC\n....\n>b\nGGAA\n....\n"))
    assert not errors
    assert [one.secondary_structure for one in targets] == ["....", "...."]


def test_a_structure_of_the_wrong_length_is_an_error_of_that_record(tmp_path: Path) -> None:
    text = f">a\n{SEQUENCE}\n{STRUCTURE}.\n>b\n{SEQUENCE}\n{STRUCTURE}\n>c\n{SEQUENCE}\n(((((AA..aa))))))\n"
    targets, errors = read_targets(write(tmp_path / "x", text))
    assert [target.name for target in targets] == ["b"]
    assert [(error.record, error.reason) for error in errors] == [
        ("a", "secondary structure of 19 symbols for 18 residues"),
        ("c", "secondary structure of 17 symbols for 18 residues"),
    ]


def test_alternatives_are_a_warning_of_the_target(tmp_path: Path) -> None:
    text = f">v\n{SEQUENCE}  -540 100\n{STRUCTURE}  -5.40\n..................   0.00\n"
    (target,) = read_fasta(write(tmp_path / "x", text))
    assert target.secondary_structure == STRUCTURE
    (warning,) = target.warnings
    assert "first secondary structure counts" in warning


def test_rows_of_a_table_that_differ_are_two_records(tmp_path: Path) -> None:
    targets, errors = read_targets(write(tmp_path / "x", "sequence_id,sequence\nNA,GG\nNA,GG\nNA,CC\n"))
    assert [(target.name, target.sequence) for target in targets] == [("NA", "GG")]
    assert ["second record" in error.reason for error in errors] == [True]


names = st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=20)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(st.dictionaries(names, st.text("ACGUN", min_size=1, max_size=200), min_size=1), st.integers(1, 80))
def test_round_trip(tmp_path: Path, records: dict[str, str], width: int) -> None:
    lines = []
    for name, sequence in records.items():
        lines += [f">{name}", *(sequence[i : i + width] for i in range(0, len(sequence), width))]
    targets = read_fasta(write(tmp_path / "x.fasta", "\n".join(lines)))
    assert {t.name: t.sequence for t in targets} == records
    assert [t.name for t in targets] == list(records)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty file"),
        (" \n\n", "empty file"),
        ("GGGRCC\n", "no known format; understood are FASTA"),
        ("GGG\n>a\nC", "no known format; understood are FASTA"),
        (">\nGGG", "has no name"),
        (">a\n\n>b\nGG", "a: empty sequence"),
        (">a\nGG\n>b\nGGQ", "b: position 3: 'Q'"),
        (">a\nGG\n>a\nCC", "a: a second record"),
    ],
)
def test_bad_fasta(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as raised:
        read_fasta(write(tmp_path / "x.fasta", text))
    assert str(raised.value).startswith(str(tmp_path / "x.fasta"))


def test_missing_and_truncated_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_fasta(tmp_path / "absent.fasta")
    whole = gzip.compress(b">a\n" + b"GGGCCCAU" * 500)
    (tmp_path / "x.fasta.gz").write_bytes(whole[:-20])
    with pytest.raises(InputError, match="truncated gzip"):
        read_fasta(tmp_path / "x.fasta.gz")


def test_good_records_are_returned_beside_the_bad_ones(tmp_path: Path) -> None:
    path = write(tmp_path / "x", ">a\nGGR\n>b\nG!\n>c\n\n>a\nCC\n>d\nAU")
    targets, errors = read_targets(path)
    assert [(t.name, t.sequence, t.warnings) for t in targets] == [
        ("a", "GGN", ("position 3: R read as N",)),
        ("d", "AU", ()),
    ]
    assert [(e.record, e.file) for e in errors] == [(name, str(path)) for name in "bca"]


def test_folder_of_fasta_and_tables(tmp_path: Path) -> None:
    write(tmp_path / "2.csv", 'target_id,sequence,temporal_cutoff\nR1,GG AA,2020-01-01\nR2,"G\nC",\n')
    write(tmp_path / "1.fa.gz", ">f\nACGU")
    write(tmp_path / "3.txt", "what is this")
    write(tmp_path / "4.fa", ">R1\nGG")
    write(tmp_path / ".hidden", "x")
    targets, errors = read_targets(tmp_path)
    assert [(t.name, t.sequence) for t in targets] == [("f", "ACGU"), ("R1", "GGAA"), ("R2", "GC")]
    assert [Path(e.file).name for e in errors] == ["3.txt", "4.fa"]


@pytest.mark.parametrize("text", ["", "hello", "target_id,sequence\n", "target_id,other\na,b\n"])
def test_nothing_to_read(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError):
        read_targets(write(tmp_path / "x", text))


def test_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file"):
        read_targets(tmp_path)


def test_a_quote_that_stays_open_is_found(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"in the row that begins in line 3: does a quote stay open there\?"):
        read_targets(write(tmp_path / "x.csv", 'id,sequence\nx,GGGAAACCC\nz,"GGGA\n'))


def test_a_table_of_other_columns_is_called_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a table without a column sequence"):
        read_targets(write(tmp_path / "x.csv", "name,seq\nx,GGGAAACCC\n"))
