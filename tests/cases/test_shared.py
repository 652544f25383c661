"""The small hard cases of the shared data, each as its README says, through the command line."""

import json
from pathlib import Path

import numpy as np
import pytest

from rnagen.cli.main import main
from rnagen.data.dataset import Dataset
from rnagen.io.formats import is_structure_file
from rnagen.secondary.alignments import alignment_name, find_alignments
from rnagen.structure import HEAVY_ATOMS, RNAStructure

pytestmark = pytest.mark.data
C1 = HEAVY_ATOMS.index("C1'")
WHOLE = "GCUCGGCGGUGGGGGAGCAUCUCC"


@pytest.fixture(scope="module")
def cases(shared_data: Path) -> Path:
    if not (shared_data / "cases").is_dir():
        pytest.skip("the small hard cases (shared/data/cases beside the checkout) are not here")
    return shared_data / "cases"


def prepared(path: Path, out: Path, *flags: str) -> dict[str, RNAStructure]:
    assert main(["prepare", str(path), "--out", str(out), "--workers", "1", *flags]) == 0
    chains = Dataset.open(out).chains
    return {name: chains.structure(row) for name, row in chains.rows.items()}


def lengths(path: Path, out: Path, *flags: str) -> list[int]:
    return [len(chain) for chain in prepared(path, out, *flags).values()]


def resolved(chain: RNAStructure) -> list[int]:
    return chain.residue_index[chain.mask[0, :, C1]].tolist()


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("01-amber-ter/duplex.pdb", [24, 22]),
        ("01-amber-ter/gap_ter.pdb", [20]),
        ("02-shifted-columns/overflow_stars.pdb", [24]),
        ("05-predictor-cif/zero_based_label.cif", [24]),
        ("05-predictor-cif/same_auth_two_label.cif", [24, 22]),
        ("07-nan/nan.pdb", [24]),
        ("07-nan/placeholder9999.pdb", [24]),
        ("13-part2/two_chains", [30, 25]),
        ("20-order-and-numbers/one_chain_bad.pdb", [22]),
    ],
)
def test_chains(file: str, expected: list[int], cases: Path, tmp_path: Path) -> None:
    assert lengths(cases / file, tmp_path / "out") == expected


@pytest.mark.parametrize("name", ["het_at_end", "shuffled", "trna_numbers"])
def test_order_and_numbers(name: str, cases: Path, tmp_path: Path) -> None:
    (chain,) = prepared(cases / "20-order-and-numbers" / f"{name}.pdb", tmp_path / "out").values()
    assert (chain.sequence, resolved(chain)) == (WHOLE, list(range(1, 25)))


def test_a_label_that_contradicts(cases: Path, tmp_path: Path) -> None:
    paths = [cases / "21-label-seq-contradicts" / f"{name}.cif" for name in ("consecutive_label", "right")]
    (found,), (right,) = (prepared(path, tmp_path / path.stem).values() for path in paths)
    assert resolved(found) == [i for i in range(1, 25) if i != 12]
    np.testing.assert_array_equal(found.coords, right.coords)


def test_shifted_columns(cases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = cases / "02-shifted-columns" / "all_shifted.pdb"
    assert main(["prepare", str(path), "--out", str(tmp_path / "out"), "--workers", "1"]) == 2
    assert "line 1: the coordinates begin in column 32" in capsys.readouterr().err


def test_files_of_one_name(cases: Path, tmp_path: Path) -> None:
    assert lengths(cases / "22-same-file-name" / "pdb", tmp_path / "out") == [25, 25, 25]


def test_suffixes(cases: Path, tmp_path: Path) -> None:
    folder = cases / "09-evaluate-suffix"
    for references in ("ref", "refmm"):
        assert len(lengths(folder / references, tmp_path / references)) == 3
        assert list(scores(folder / "pred", folder / references, tmp_path)) == ["t1", "t2", "t3"]


def scores(predictions: Path, references: Path, folder: Path) -> dict[str, float]:
    out = folder / "scores.json"
    assert main(["evaluate", str(predictions), str(references), "--no-baselines", "--out", str(out)]) == 0
    return {target["target"]: target["best5"] for target in json.loads(out.read_text())["targets"]}


def test_evaluation(cases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = cases / "18-evaluate"
    assert scores(folder / "rep_pred", folder / "rep_ref", tmp_path)["cug"] == pytest.approx(0.929, abs=1e-3)
    assert scores(folder / "pred_af3", folder / "ref_author", tmp_path)["R9001"] == pytest.approx(1, abs=1e-3)
    capsys.readouterr()
    assert main(["evaluate", str(folder / "sub_allzero.csv"), str(folder / "ref_author")]) == 2
    assert "not predicted" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["us", "eu", "year"])
def test_dates(kind: str, cases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", str(cases / "10-dates" / kind), "--out", str(tmp_path / "out"), "--workers", "1"]) == 2
    assert "is not a date (expected YYYY-MM-DD)" in capsys.readouterr().err


def test_nan_is_no_date(cases: Path, tmp_path: Path) -> None:
    assert len(lengths(cases / "10-dates" / "nan", tmp_path / "out")) == 2
    assert {info.release_date for info in Dataset.open(tmp_path / "out").chains.infos} == {""}


@pytest.mark.parametrize(("kind", "count"), [("duplicate_row", 2), ("float_resid", 2), ("gap_resname", 1)])
def test_one_bad_row(kind: str, count: int, cases: Path, tmp_path: Path) -> None:
    assert len(lengths(cases / "11-one-bad-row" / kind, tmp_path / "out")) == count


@pytest.mark.parametrize("kind", ["plain_refs", "quoted_refs"])
def test_the_mark_of_the_benchmark(kind: str, cases: Path, tmp_path: Path) -> None:
    flags = ("--splits", str(tmp_path / "splits"))
    assert len(lengths(cases / "12-csv-wrapping" / kind, tmp_path / "out", *flags)) == 1
    rows = {name: (tmp_path / "splits" / f"{name}.csv").read_text().count("\n") - 1 for name in ("casp15", "train")}
    assert rows == {"casp15": 1, "train": 0}


def test_wrapped_tables(cases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert lengths(cases / "12-csv-wrapping" / "gz_content", tmp_path / "out")
    path = cases / "12-csv-wrapping" / "zip"
    assert main(["prepare", str(path), "--out", str(tmp_path / "zip"), "--workers", "1"]) == 2
    assert "is a zip archive: unpack it" in capsys.readouterr().err


def test_files_of_sequences(cases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file in sorted((cases / "14-fasta").iterdir()):
        out = tmp_path / file.name
        assert main(["sample", "--fasta", str(file), "--n", "1", "--steps", "1", "--out", str(out)]) == 0
        assert (out / "submission.csv").is_file()
    assert "the first secondary structure counts" in capsys.readouterr().err


def test_names_with_dots(cases: Path) -> None:
    names = ("NR_999999.1", "NR_999999.2", "rna.v2")
    found = find_alignments(cases / "16-dotted-names")
    assert {name: found[alignment_name(name)].name for name in names} == {name: f"{name}.a3m" for name in names}


def test_every_structure_file_is_known(cases: Path) -> None:
    suffixes = {path.suffix.lower() for path in cases.rglob("*") if path.is_file()}
    known = {suffix for suffix in suffixes if is_structure_file(Path(f"x{suffix}"))}
    assert known == {".pdb", ".cif", ".mmcif", ".pdb1"}
