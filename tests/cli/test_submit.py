"""`rnagen submit`: sources are merged, and twelve ways to break a submission are refused by name."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import rnagen
from rnagen.cli.main import main
from rnagen.errors import ConfigError
from rnagen.io.labels import read_labels
from tests.helpers.submissions import SEQUENCES, rna, run_folder, sequences_csv, table

Rows = list[list[str]]


@pytest.fixture
def sequences(tmp_path: Path) -> Path:
    return sequences_csv(tmp_path / "test_sequences.csv")


def submit(*arguments: object) -> int:
    return main(["submit", *map(str, arguments)])


def set_cell(row: int, column: int, value: str) -> Callable[[Rows], None]:
    def change(rows: Rows) -> None:
        rows[row][column] = value

    return change


def on_target(name: str, slot: int, value: str | None) -> Callable[[Rows], None]:
    """All coordinates of a conformer become a value, or those of its first residue."""

    def change(rows: Rows) -> None:
        own = [row for row in rows if row[0].startswith(f"{name}_")]
        for row in own:
            row[3 * slot : 3 * slot + 3] = [value] * 3 if value is not None else own[0][3 * slot : 3 * slot + 3]

    return change


def without_slot(rows: Rows) -> None:
    for row in rows:
        del row[15:]


def without_target(rows: Rows) -> None:
    rows[:] = [row for row in rows if not row[0].startswith("R1_")]


def swapped(rows: Rows) -> None:
    rows[3], rows[4] = rows[4], rows[3]


def out_of_order(rows: Rows) -> None:
    rows[:] = [rows[0], *rows[17:], *rows[1:17]]


def in_nanometres(rows: Rows) -> None:
    for row in rows[1:]:
        row[3:6] = [str(float(cell) / 10) for cell in row[3:6]]


# Rows 1 to 16 are R2, 17 to 28 are R1; slot k has the columns 3 k to 3 k + 2.
BREAKS: dict[str, tuple[Callable[[Rows], None], str]] = {
    "nan": (set_cell(2, 3, "nan"), "R2, residue 2, slot 1: x_1 is NaN"),
    "empty": (set_cell(2, 7, ""), "R2, residue 2, slot 2: y_2 is empty"),
    "text": (set_cell(2, 7, "far"), "R2, residue 2, slot 2: y_2 is 'far', not a number"),
    "infinite": (set_cell(20, 5, "inf"), "R1, residue 4, slot 1: a coordinate is infinite"),
    "range": (set_cell(1, 3, "10000"), "R2, residue 1, slot 1: [10000.0"),
    "mark": (set_cell(1, 3, "-1e18"), "R2, residue 1, slot 1: x_1 is -1e18, which marks a missing coordinate (predict"),
    "unreadable ID": (set_cell(1, 0, "R2-1"), "\n  'R2-1' is not an ID: expected target_number ("),
    "missing slot": (without_slot, "no column x_5"),
    "empty slot": (on_target("R1", 5, ""), "R1, slot 5: has no coordinates"),
    "zero": (on_target("R1", 2, "0.0"), "R1, slot 2: all coordinates are zero: nothing was predicted"),
    "one point": (on_target("R2", 3, None), "R2, slot 3: all residues are at one point"),
    "units": (in_nanometres, "R1, slot 1: C1' atoms of neighbours are 0.5"),
    "duplicate": (lambda rows: rows.insert(2, rows[1]), "R2, residue 1: R2_1 has 2 rows"),
    "missing row": (lambda rows: rows.pop(3), "R2, residue 3: no row R2_3"),
    "missing target": (without_target, "R1: has none of its 12 rows"),
    "unknown row": (lambda rows: rows.append(["R9_1", *rows[1][1:]]), "R9, residue 1: 'R9_1': no such target"),
    "order": (swapped, "R2, residue 4: R2_4 stands where R2_3 belongs"),
    "order of targets": (out_of_order, "R1, residue 1: R1_1 stands where R2_1 belongs"),
    "base": (set_cell(1, 1, "A"), "R2, residue 1: residue name 'A', the sequence has G"),
    "number": (set_cell(1, 2, "7"), "R2, residue 1: resid '7' under the ID R2_1"),
    "fields": (lambda rows: rows[4].append("1"), "R2, residue 4: 19 fields under 18 columns"),
    "column": (lambda rows: [row.append("1") for row in rows], "a column '1'"),
}


@pytest.mark.parametrize("way", BREAKS)
def test_a_broken_submission_is_refused_by_name(
    way: str, tmp_path: Path, sequences: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = table(tmp_path / "x.csv", 1)
    rows = [line.split(",") for line in path.read_text().splitlines()]
    change, words = BREAKS[way]
    change(rows)
    path.write_text("\n".join(map(",".join, rows)) + "\n")
    assert submit("--check", path, "--sequences", sequences) == 1
    printed = capsys.readouterr()
    assert words in printed.err
    assert not printed.out


def test_a_good_submission_passes(tmp_path: Path, sequences: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = table(tmp_path / "x.csv", 1)
    packed = tmp_path / "x.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    for options in ((), ("--sequences", sequences), ("--sample", path)):
        for file in (path, packed):
            assert submit("--check", file, *options) == 0
            assert f"{file}: no problem" in capsys.readouterr().out


def test_many_problems_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = table(tmp_path / "x.csv", 1)
    frame = pd.read_csv(path)
    frame["x_1"] = [f"{value} A" for value in frame["x_1"]]
    frame.to_csv(path, index=False)
    assert submit("--check", path) == 1
    err = capsys.readouterr().err
    assert "missing coordinate: 28" in err
    assert "R2, residue 16, slot 1: x_1 is " in err
    assert "… and 8 more" in err
    assert len(err.splitlines()) == 24


def test_what_can_be_seen_without_sequences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = table(tmp_path / "x.csv", 1)
    whole = path.read_text()
    assert submit("--check", path) == 0
    assert "checked alone: rows missing at the ends" in capsys.readouterr().err
    path.write_text("\n".join(line for line in whole.split("\n") if line[:5] not in ("R2_8,", "R2_9,", "R1_4,")))
    assert submit("--check", path) == 1
    err = capsys.readouterr().err
    assert "gap in the numbers: 2" in err
    assert "R2: no row of residue 8 to 9, between 7 and 10 (add the rows" in err
    assert "R1: no row of residue 4, between 3 and 5 (add the rows" in err


@pytest.mark.parametrize(("separator", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_only_commas_separate(separator: str, name: str, tmp_path: Path, sequences: Path, capsys) -> None:
    path = table(tmp_path / "x.csv", 1)
    path.write_text(path.read_text().replace(",", separator))
    assert submit("--check", path, "--sequences", sequences) == 1
    assert f"x.csv: 1 problem\nseparator: 1\n  {name} separate the columns" in capsys.readouterr().err


@pytest.mark.parametrize("column", ["x_3", "z_5", "resname", "resid"])
def test_a_missing_column_is_one_problem(column: str, tmp_path: Path, sequences: Path, capsys) -> None:
    path = table(tmp_path / "x.csv", 1)
    pd.read_csv(path).drop(columns=column).to_csv(path, index=False)
    assert submit("--check", path, "--sequences", sequences) == 1
    assert f"x.csv: 1 problem\nmissing column: 1\n  no column {column} (" in capsys.readouterr().err


def test_what_is_no_table_is_a_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.csv").write_text("ID,ID\n1,2\n")
    assert submit("--check", tmp_path / "x.csv") == 1
    assert "two columns 'ID'" in capsys.readouterr().err
    assert submit("--check", tmp_path / "no.csv") == 2
    assert submit("--check", tmp_path / "x.csv", tmp_path) == 2
    assert "takes neither sources nor slots" in capsys.readouterr().err


def test_two_runs_and_a_foreign_table(tmp_path: Path, sequences: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = run_folder(tmp_path / "one", 1), run_folder(tmp_path / "two", 11, tm=0.5, cutoff="2021-02-03")
    other = table(tmp_path / "foreign.csv", 21)
    out = tmp_path / "merged" / "submission.csv"
    assert submit(one, two, f"theirs={other}", "--sequences", sequences, "--out", out) == 0
    printed = capsys.readouterr()
    assert "slots: 4 of one, 4 of two, 2 of theirs" in printed.out
    assert "R2  0.510  slot 5, two; 4 of 5 slots predicted" in printed.out
    assert "mean of 2 of 2 targets: 0.510" in printed.out
    assert "not a measurement" in printed.out
    found = {structure.name: structure.coords[:, :, 0] for structure in read_labels(out)}
    assert list(found) == ["R2", "R1"]
    for k, name in enumerate(SEQUENCES):
        parts = [rna(name, 5, seed + k).coords[:, :, 0] for seed in (1, 11, 21)]
        expected = [parts[0][0], parts[1][0], parts[2][0], parts[0][1], parts[1][1]]
        np.testing.assert_allclose(found[name], expected, atol=1e-3)
    record = json.loads((out.parent / "submission.json").read_text())
    assert [source["cutoff"] for source in record["sources"]] == ["2020-01-01", "2021-02-03", None]
    first, *_, last = record["targets"][0]["slots"]
    assert first == {"source": "one", "conformer": 1, "predicted_tm": 0.2, "template_date": "2019-01-01"}
    assert last == {"source": "two", "conformer": 2, "predicted_tm": 0.51, "template_date": None}
    assert submit("--check", out, "--sequences", sequences) == 0


def test_a_run_alone_is_its_own_submission(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "one", 1)
    assert submit(run, "--out", tmp_path / "x.csv") == 0
    assert (tmp_path / "x.csv").read_bytes() == (run / "submission.csv").read_bytes()
    assert submit(run, "--out", tmp_path / "y.csv.gz") == 0
    assert gzip.decompress((tmp_path / "y.csv.gz").read_bytes()) == (run / "submission.csv").read_bytes()
    assert (tmp_path / "y.json").is_file()


def test_strands_of_a_run_are_rows_of_one_target(tmp_path: Path) -> None:
    run = tmp_path / "run"
    rnagen.sample_targets({"duplex": "GGGGAAAC&GUUUCCCC"}, 5, steps=2, out=run)
    assert submit(run, "--out", tmp_path / "x.csv") == 0
    assert (tmp_path / "x.csv").read_bytes() == (run / "submission.csv").read_bytes()


def test_a_source_that_lacks_something_is_replaced(
    tmp_path: Path, sequences: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    some = table(tmp_path / "some.csv", 1, names=("R1",))
    few = run_folder(tmp_path / "few", 11, models=2)
    packed = tmp_path / "all.csv.gz"
    packed.write_bytes(gzip.compress(table(tmp_path / "all.csv", 21).read_bytes()))
    assert submit(some, few, packed, "--sequences", sequences, "--out", tmp_path / "x.csv") == 0
    printed = capsys.readouterr()
    assert "R2: slot 1: some does not have it: conformer 1 of few" in printed.err
    assert "R2: slot 5: few has no further conformer: conformer 3 of all" in printed.err
    assert "slots: 4 of few, 4 of all, 2 of some" in printed.out


def test_nothing_is_written_where_something_is_missing(
    tmp_path: Path, sequences: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "x.csv"
    out.write_text("mine")
    some = table(tmp_path / "some.csv", 1, models=3, names=("R1",))
    assert submit(some, "--sequences", sequences, "--out", out) == 1
    err = capsys.readouterr().err
    assert "R2: no source has a whole conformer of it (sample it, or add a source)" in err
    assert "R1, slot 4: the sources have 3 whole conformers together" in err
    assert out.read_text() == "mine"
    assert not (tmp_path / "x.json").exists()
    found = rnagen.submit(some, out, sequences=sequences)
    assert not found.good
    assert repr(found) == "Submission(x.csv: 2 targets, 3 problems)"


def test_a_conformer_with_a_gap_does_not_fill_a_slot(
    tmp_path: Path, sequences: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = table(tmp_path / "x.csv", 1)
    frame = pd.read_csv(path)
    frame.loc[2, "y_2"] = np.nan
    frame.to_csv(path, index=False)
    assert submit(path, run_folder(tmp_path / "run", 11), "--sequences", sequences, "--out", tmp_path / "y.csv") == 0
    assert "x: R2: conformer 2 is not used: residue 3: a coordinate is empty" in capsys.readouterr().err


def test_near_duplicates_are_replaced(tmp_path: Path, sequences: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = table(tmp_path / "x.csv", 1)
    frame = pd.read_csv(path)
    for axis in "xyz":
        frame[f"{axis}_2"] = frame[f"{axis}_1"] + 30.0
    frame.to_csv(path, index=False)
    assert submit(path, "--sequences", sequences, "--out", tmp_path / "y.csv") == 0
    assert (
        "R1: slot 2: conformer 2 of x is nearly that of slot 1 (TM-score over 0.95), and no" in capsys.readouterr().err
    )
    slots = tmp_path / "slots.yaml"
    slots.write_text("bands:\n- {to: 14, slots: [1, 1, 1, 1, more]}\n- {to: null, slots: [x, x, x, x, x]}\n")
    more = table(tmp_path / "more.csv", 21)
    assert submit(path, more, "--sequences", sequences, "--slots", slots, "--out", tmp_path / "y.csv") == 0
    err = capsys.readouterr().err
    assert "R1: slot 2: conformer 2 of x is nearly that of slot 1 (TM-score over 0.95): conformer 5 of x in its" in err
    assert (
        "R2: slot 2: conformer 2 of x is nearly that of slot 1 (TM-score over 0.95): conformer 1 of more in its" in err
    )


def test_a_submission_is_not_written_into_a_run(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "one", 1)
    before = (run / "submission.csv").read_bytes()
    assert submit(run, "--out", run / "submission.csv") == 2
    assert (run / "submission.csv").read_bytes() == before
    assert submit(run, "--out", tmp_path / "x.txt") == 2
    assert submit() == 2
    assert submit(tmp_path / "nowhere") == 2
    with pytest.raises(ConfigError, match="submit: no such option: slotz"):
        rnagen.submit(run, tmp_path / "x.csv", slotz=1)
    with pytest.raises(ConfigError, match="leave one of them"):
        rnagen.submit(run, tmp_path / "x.csv", sequences=run / "submission.csv", sample=run / "submission.csv")
