"""Tables as people leave them, through `rnagen prepare`."""

import codecs
import gzip
import io
import zipfile
from pathlib import Path

import pytest

from rnagen.cli.prepare import main
from rnagen.data.dataset import Dataset
from rnagen.io.files import write_text
from rnagen.structure import HEAVY_ATOMS, RNAStructure
from tests.helpers.rna_files import OTHER, SEQUENCE, pdb, strand

HEADER = "ID,resname,resid,x_1,y_1,z_1"


def rows(target: str, sequence: str, suffix: str = "", first: int = 1) -> list[str]:
    """Rows of a table of labels: an A-form strand."""
    c1 = [atom.xyz for atom in strand(sequence) if atom.name == "C1'"]
    numbered = enumerate(zip(sequence, c1), start=first)
    return [f"{target}_{i},{base},{i},{x:.3f},{y:.3f},{z:.3f}{suffix}" for i, (base, (x, y, z)) in numbered]


GOOD, BAD = rows("9ZZA_A", OTHER), rows("9ZZB_A", SEQUENCE)


def table(*parts: list[str], header: str = HEADER) -> str:
    return "\n".join([header, *(row for part in parts for row in part)]) + "\n"


def run(folder: Path, *flags: str) -> int:
    return main([str(folder / "in"), "--out", str(folder / "out"), "--workers", "1", *flags])


def prepared(folder: Path, labels: str | bytes, *flags: str, sequences: str = "") -> dict[str, RNAStructure]:
    """The chains of the dataset that is made of a table of labels, and perhaps one of sequences."""
    (folder / "in").mkdir(exist_ok=True)
    content = labels.encode() if isinstance(labels, str) else labels
    (folder / "in" / "train_labels.csv").write_bytes(content)
    if sequences:
        (folder / "in" / "train_sequences.csv").write_text(sequences)
    assert run(folder, *flags) == 0
    chains = Dataset.open(folder / "out").chains
    return {name: chains.structure(row) for name, row in chains.rows.items()}


def skipped(folder: Path) -> str:
    return (folder / "out" / "skipped.csv").read_text()


def with_row(place: int, row: str) -> list[str]:
    return [*BAD[:place], row, *BAD[place + 1 :]]


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        (with_row(4, "9ZZB_A_5,-,5,1,2,3"), "residue name '-'"),
        (with_row(4, "9ZZB_A_5,GG,5,1,2,3"), "residue name 'GG' is not one letter"),
        (with_row(4, "9ZZB_A_5,G,five,1,2,3"), "residue number 'five' is not an integer"),
        (with_row(4, "9ZZB_A_5,G,5.5,1,2,3"), "residue number '5.5' is not an integer"),
        (with_row(4, "9ZZB_A_5,G,2147483648,1,2,3"), "residue number 2147483648 cannot be right"),
        (with_row(4, "9ZZB_A_5,G,5,1,2,x"), "'x' is not a coordinate"),
        (with_row(4, "9ZZB_A_5,G,5,1,2"), "5 fields under 6 columns"),
        (with_row(4, "9ZZB,G,5,1,2,3"), "is not an ID"),
        (with_row(4, "9ZZB_A_4,C,4,1,2,3"), "residue 4 is given twice, with different values"),
    ],
)
def test_one_bad_row_costs_its_target_alone(damaged: list[str], reason: str, tmp_path: Path) -> None:
    assert list(prepared(tmp_path, table(GOOD, damaged))) == ["9zza_A"]
    assert reason in skipped(tmp_path)
    assert "9ZZB" in skipped(tmp_path)
    assert run(tmp_path, "--strict") == 1


@pytest.mark.parametrize("row", [BAD[3], "9ZZB_A_4,C,4,1e39,1,1", "9ZZB_A_4,C,4.0," + BAD[3].split(",", 3)[3]])
def test_what_is_no_fault(row: str, tmp_path: Path) -> None:
    repeated = [*BAD[:4], row, *BAD[4:]] if row == BAD[3] else with_row(3, row)
    chains = prepared(tmp_path, table(GOOD, repeated))
    assert chains["9zzb_A"].sequence == SEQUENCE
    assert chains["9zzb_A"].mask[0, 3, HEAVY_ATOMS.index("C1'")] == ("1e39" not in row)
    assert skipped(tmp_path) == "file,chain,reason\n"


SEQUENCES = "target_id,sequence,temporal_cutoff,description\n"


@pytest.mark.parametrize("date", ["3/1/2024", "01.03.2024", "2022", "20240301", "2024-W09-5", "2024-3-1", "2024-02-30"])
def test_only_iso_dates_decide(date: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sequences = f"{SEQUENCES}9ZZA_A,{OTHER},2021-01-01,a\n9ZZB_A,{SEQUENCE},{date},b\n"
    flags = ("--splits", str(tmp_path / "splits"))
    assert list(prepared(tmp_path, table(GOOD, BAD), *flags, sequences=sequences)) == ["9zza_A"]
    assert f"9ZZB_A,train_sequences.csv: temporal_cutoff: '{date}' is not a date (expected YYYY-MM-DD)" in skipped(
        tmp_path
    )
    assert "9zzb" not in (tmp_path / "splits" / "train.csv").read_text()
    (tmp_path / "in" / "train_labels.csv").write_text(table(BAD))
    assert run(tmp_path) == 2
    message = capsys.readouterr().err
    assert (
        f"train_labels.csv: 9ZZB_A: no usable RNA chain: train_sequences.csv: temporal_cutoff: '{date}' is not a date"
        in message
    )


@pytest.mark.parametrize("date", ["nan", "", "NaT", "2021-03-01 00:00:00"])
def test_a_date_that_is_missing_or_has_a_time(date: str, tmp_path: Path) -> None:
    prepared(tmp_path, table(BAD), sequences=f"{SEQUENCES}9ZZB_A,{SEQUENCE},{date},b\n")
    assert Dataset.open(tmp_path / "out").chains.infos[0].release_date == date[:10] * (len(date) > 3)


def test_a_bad_date_in_the_metadata_costs_its_chain(tmp_path: Path) -> None:
    write_text(tmp_path / "in" / "index.csv", "id,release_date\n9zza_A,2020-01-01\n9zzb_A,1/2/2024\n")
    assert list(prepared(tmp_path, table(GOOD, BAD), "--assume-date", "2001-01-01")) == ["9zza_A"]
    assert "9zzb_A,\"index.csv, row 3 (9zzb_A): '1/2/2024' is not a date" in skipped(tmp_path)


@pytest.mark.parametrize("flags", [("--cutoff", "tomorrow"), ("--cutoff", "2022"), ("--assume-date", "1/2/2003")])
def test_dates_of_options(flags: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_text(tmp_path / "in" / "x.pdb", pdb(strand(SEQUENCE)))
    assert run(tmp_path, *flags) == 2
    assert f"{flags[0]}: {flags[1]!r} is not a date (expected YYYY-MM-DD)" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


TWO = f"{HEADER},x_2,y_2,z_2"
REFERENCES = [f"{row},{row.split(',', 3)[3]}" for row in rows("R9001", SEQUENCE)]
PLAIN = table(REFERENCES, header=TWO)


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(PLAIN.encode()),
        gzip.compress(PLAIN[:200].encode()) + gzip.compress(PLAIN[200:].encode()),
        codecs.BOM_UTF8 + PLAIN.encode(),
        PLAIN.encode("utf-16"),
        codecs.BOM_UTF16_BE + PLAIN.encode("utf-16-be"),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("\n", "\r").encode(),
        PLAIN.replace(TWO, ",".join(f'"{name}"' for name in TWO.split(","))).encode(),
    ],
    ids=["gzip", "two gzip members", "UTF-8 mark", "UTF-16", "UTF-16 BE", "CRLF", "CR", "quoted header"],
)
def test_a_benchmark_stays_one_however_its_table_is_wrapped(content: bytes, tmp_path: Path) -> None:
    flags = ("--splits", str(tmp_path / "splits"), "--assume-date", "2001-01-01")
    assert list(prepared(tmp_path, content, *flags)) == ["R9001"]
    assert Dataset.open(tmp_path / "out").chains.infos[0].benchmark == "casp15"
    assert "R9001" in (tmp_path / "splits" / "casp15.csv").read_text()
    assert (tmp_path / "splits" / "train.csv").read_text().count("\n") == 1


def test_archives_and_what_expands_without_end_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("train_labels.csv", PLAIN)
    (tmp_path / "in").mkdir()
    for content, reason in (
        (packed.getvalue(), "is a zip archive: unpack it first"),
        (gzip.compress(bytes(100 << 20)), "gzip that expands to more than 67 MB: refused"),
    ):
        (tmp_path / "in" / "train_labels.csv").write_bytes(content)
        assert run(tmp_path) == 2
        assert reason in capsys.readouterr().err


def test_targets_of_several_chains(tmp_path: Path) -> None:
    parts = [
        rows("9ZZC", SEQUENCE, ",A,1"),
        rows("9ZZC", OTHER, ",B,1", first=25),
        rows("9ZZC", OTHER, ",B,2", first=47),
    ]
    chains = prepared(
        tmp_path,
        table(*parts, header=f"{HEADER},chain,copy"),
        sequences=f"{SEQUENCES}9ZZC,{SEQUENCE}{OTHER}{OTHER},2021-01-01,complex\n",
    )
    assert {name: chain.sequence for name, chain in chains.items()} == {
        "9zzc_A": SEQUENCE,
        "9zzc_B": OTHER,
        "9zzc_B-2": OTHER,
    }
    assert chains["9zzc_B"].residue_index.tolist() == list(range(1, 23))
    assert {info.release_date for info in Dataset.open(tmp_path / "out").chains.infos} == {"2021-01-01"}


@pytest.mark.parametrize("names", [("TRAIN_LABELS.CSV", "TRAIN_SEQUENCES.CSV"), ("x_labels.CSV", "x_sequences.csv.gz")])
def test_the_table_beside_in_any_case(names: tuple[str, str], tmp_path: Path) -> None:
    write_text(tmp_path / "in" / names[0], table(BAD))
    content = f"{SEQUENCES}9ZZB_A,{SEQUENCE},2021-01-01,b\n".encode()
    (tmp_path / "in" / names[1]).write_bytes(gzip.compress(content) if names[1].endswith("gz") else content)
    assert run(tmp_path) == 0
    assert Dataset.open(tmp_path / "out").chains.infos[0].release_date == "2021-01-01"


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        (f"9ZZB_A,{SEQUENCE},2024-05-28,b\n", "two rows with the temporal_cutoff 2021-01-01 and 2024-05-28"),
        (f"9ZZB_A,{OTHER},2021-01-01,b\n", "its sequence there is another than that of the labels"),
        ("9ZZB_A,GCU\n", "2 fields under 4 columns"),
    ],
)
def test_a_table_of_sequences_that_contradicts(extra: str, reason: str, tmp_path: Path) -> None:
    sequences = f"{SEQUENCES}9ZZA_A,{OTHER},2021-01-01,a\n9ZZB_A,{SEQUENCE},2021-01-01,b\n{extra}"
    assert list(prepared(tmp_path, table(GOOD, BAD), sequences=sequences)) == ["9zza_A"]
    assert f"9ZZB_A,train_sequences.csv: {reason}" in skipped(tmp_path)


def test_a_damaged_table_of_sequences_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_text(tmp_path / "in" / "train_labels.csv", table(GOOD))
    write_text(tmp_path / "in" / "train_sequences.csv", f'{SEQUENCES}9ZZA_A,"{OTHER},2021-01-01,a\n')
    assert run(tmp_path) == 2
    assert "train_sequences.csv: not a CSV table" in capsys.readouterr().err


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators(separator: str, tmp_path: Path) -> None:
    assert list(prepared(tmp_path, table(GOOD).replace(",", separator))) == ["9zza_A"]


def test_what_is_not_a_table_shows_its_header(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_text(tmp_path / "in" / "train_labels.csv", "<!DOCTYPE html>\n<html>\n")
    assert run(tmp_path) == 2
    assert "(its header: <!DOCTYPE html>)" in capsys.readouterr().err


def test_copies_counted_in_floating_point(tmp_path: Path) -> None:
    parts = [rows("9ZZC", SEQUENCE, ",A,1.0"), rows("9ZZC", OTHER, ",B,2.0", first=25)]
    assert list(prepared(tmp_path, table(*parts, header=f"{HEADER},chain,copy"))) == ["9zzc_A", "9zzc_B-2"]
