"""Alignments in the query's columns."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rnagen.errors import InputError
from rnagen.io.alignment import GAP, Alignment, read_alignment
from rnagen.structure import BASES


def write(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def texts(alignment: Alignment) -> list[str]:
    return ["".join((BASES + "-")[code] for code in row) for row in alignment.rows]


@pytest.mark.parametrize("name", ["x.fasta", "x.a3m.gz"])
def test_columns_where_the_query_has_a_gap_are_left_out(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, "\n>query of mine\r\nGG-CT\r\n>a\nG.ACA\n>b\ngg-\nau\n>c\n-RACA\n")
    alignment = read_alignment(path, "GGCU")
    assert texts(alignment) == ["GGCU", "G-CA", "GGAU", "-NCA"]
    assert alignment.sequence == "GGCU"
    assert alignment.rows[1, 1] == GAP


def test_insertions_of_an_a3m_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "x.a3m", ">q\nGGCU\n>a\nGaaG-U\n>b\nG.GCuA\n>c\nGACU\n")
    assert texts(read_alignment(path, "GGCU")) == ["GGCU", "GG-U", "GGCA", "GACU"]


def test_rows_that_repeat_are_left_out_and_the_first_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "x", ">q\nGGCU\n>a\nAAAA\n>b\nGGCU\n>c\nCCCC\n>d\nAAAA\n>e\nUUUU\n")
    assert texts(read_alignment(path, "GGCU")) == ["GGCU", "AAAA", "CCCC", "UUUU"]
    assert texts(read_alignment(path, "GGCU", maximum_rows=3)) == ["GGCU", "AAAA", "CCCC"]
    with pytest.raises(ValueError, match="0 rows"):
        read_alignment(path, "GGCU", maximum_rows=0)


def test_an_unknown_residue_fits_any_and_the_caller_knows_it(tmp_path: Path) -> None:
    path = write(tmp_path / "x", ">q\nGXCU\n>a\nGGCU\n")
    assert texts(read_alignment(path, "GACN")) == ["GACN", "GGCU"]


def test_one_sequence_is_an_alignment(tmp_path: Path) -> None:
    assert texts(read_alignment(write(tmp_path / "x", ">q\nG-GCU"), "GGCU")) == ["GGCU"]


@pytest.mark.parametrize(
    "text",
    [
        "#A3M#\n#5 1\n; a comment\n>q\nGG-CU\n#\n>a\nGGAC-\n",
        "# STOCKHOLM 1.0\n#=GF ID x\nq GG-\na GGA\n\nq CU\na C~\n#=GC SS_cons <>\n//\n",
        "CLUSTAL W\n\nq GG_C 3\na ggac 4\n  ** *\n\nq U 4\na . 4\n",
    ],
    ids=["a3m", "stockholm", "clustal"],
)
@pytest.mark.parametrize("name", ["x", "x.gz"])
def test_the_content_decides_the_format(tmp_path: Path, text: str, name: str) -> None:
    path = write(tmp_path / name, text.replace("\n", "\r\n"))
    assert texts(read_alignment(path, "GGCU")) == ["GGCU", "GGC-"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=15)
@given(
    st.integers(1, 30).flatmap(
        lambda n: st.lists(st.text("ACGU-", min_size=n, max_size=n), min_size=1, max_size=6, unique=True)
    ),
    st.text("ACGU", min_size=30, max_size=30),
)
def test_insertions_change_nothing(tmp_path: Path, rows: list[str], query: str) -> None:
    query = query[: len(rows[0])]
    plain = [query, *(row for row in rows if row != query)]
    with_insertions = [
        plain[0],
        *(row[: k % len(row)] + "gu." + row[k % len(row) :] for k, row in enumerate(plain[1:])),
    ]
    for lines in (plain, with_insertions):
        path = write(tmp_path / "x", "".join(f">{k}\n{row}\n" for k, row in enumerate(lines)))
        assert texts(read_alignment(path, query)) == plain
        np.testing.assert_array_equal(
            read_alignment(path, query, maximum_rows=1).rows, [[BASES.index(b) for b in query]]
        )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty file"),
        ("GGCU\nGGCU", "is not FASTA"),
        ("GG\n>q\nGGCU", "is not FASTA"),
        ("# STOCKHOLM 1.0\nq GGCU\n//\nq GGCU\n//\n", "holds 2 alignments"),
        (">q\n\n>a\nGGCU", "q: empty row"),
        (">q\nGGCU\n>\n", "record 2: empty row"),
        (">q\nGGCU\n>a\nGGC", "a: ragged: 3 columns without insertions, but the query has 4"),
        (">q\nGGCU\n>a\nGGC*", r"a: position 4: '\*'"),
        (">q\nGGCU\n>a\nGGCΨ", "a: position 4: 'Ψ'"),
        (">q\nGGC-\n>a\nGGCU", "q: the query has 3 residues, but the sequence has 4"),
        (">q\nGACU\n>a\nGGCU", "q: position 2: the query has A, but the sequence has G"),
        (">q\n----\n>a\nGGCU", "q: the query has 0 residues"),
    ],
)
def test_bad_alignments(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as raised:
        read_alignment(write(tmp_path / "x.fasta", text), "GGCU")
    assert str(raised.value).startswith(str(tmp_path / "x.fasta"))


def test_truncated_gzip(tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(b">q\n" + b"GGCU" * 900)[:-12])
    with pytest.raises(InputError, match="truncated gzip"):
        read_alignment(path, "GGCU" * 900)


@pytest.mark.data
def test_every_shared_alignment_is_read(shared_data: Path) -> None:
    files = sorted((shared_data / "msa").glob("*.gz"))
    assert len(files) == 1000
    for file in files[::10]:
        query = gzip.decompress(file.read_bytes()).decode().split(">")[1].split("\n", 1)[1]
        sequence = "".join(query.split()).replace("X", "N")
        alignment = read_alignment(file, sequence)
        assert alignment.sequence == sequence
        assert 1 <= len(alignment.rows) <= 128
