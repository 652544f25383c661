"""`prepare`: what goes in, what is left out, and that nothing but the inputs decides the result."""

import csv
import multiprocessing
import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from rnagen.cli.prepare import PrepareOptions, main, run
from rnagen.data.store import StructureStore
from rnagen.errors import InputError
from rnagen.io.kaggle import write_labels
from rnagen.io.write import write_structure
from rnagen.prepare.dataset import prepare
from rnagen.prepare.synthetic import synthetic_rna
from rnagen.structure import BEADS, ENERGIES, RNAStructure
from tests.helpers.chains import chain, write_collection


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[RNAStructure]]:
    folder = tmp_path_factory.mktemp("collection")
    return folder, write_collection(folder)


@pytest.fixture(scope="module")
def dataset(collection: tuple[Path, list[RNAStructure]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dataset") / "data"
    prepare([collection[0]], out)
    return out


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


def test_chains_come_out_as_they_went_in(collection: tuple[Path, list[RNAStructure]], dataset: Path) -> None:
    store = StructureStore.open(dataset)
    assert list(store.index["id"]) == ["1aaa_A", "2bbb_A", "3ccc_b", "4ddd_A"]
    for original in collection[1][:3]:
        found = store.structure(store.row(original.name))
        assert found.sequence == original.sequence
        np.testing.assert_array_equal(found.mask, original.mask)
        np.testing.assert_allclose(found.coords, original.coords, atol=2e-3)
    c1 = store.structure(store.row("4ddd_A"))
    expected = collection[1][3].select_atoms(("C1'",))
    np.testing.assert_allclose(c1.select_atoms(("C1'",)).coords, expected.coords, atol=2e-3)
    assert not c1.select_atoms(tuple(b for b in BEADS if b != "C1'")).mask.any()


def test_metadata_kind_and_benchmark(dataset: Path) -> None:
    index = StructureStore.open(dataset).index.set_index("id")
    assert index["kind"].to_dict() == {"1aaa_A": "full", "2bbb_A": "full", "3ccc_b": "full", "4ddd_A": "c1"}
    assert index["release_date"].to_dict() == {
        "1aaa_A": "2001-01-01",  # the metadata stand before the table's date
        "2bbb_A": "2022-05-27",
        "3ccc_b": "2023-01-01",
        "4ddd_A": "2023-01-01",
    }
    assert index["cluster"].to_dict() == {"1aaa_A": 7, "2bbb_A": 8, "3ccc_b": 9, "4ddd_A": 10}
    assert index["benchmark"].to_dict() == {"1aaa_A": "", "2bbb_A": "", "3ccc_b": "casp15", "4ddd_A": ""}


def test_skips_and_duplicates_are_listed(dataset: Path) -> None:
    skipped = list(csv.DictReader((dataset / "skipped.csv").open()))
    assert [row["file"] for row in skipped] == ["structures/broken.cif.gz"]
    assert "gzip" in skipped[0]["reason"]
    duplicates = list(csv.DictReader((dataset / "duplicates.csv").open()))
    selected = {"file": "kaggle/train_labels.csv", "chain": "1aaa_A", "kept": "structures/1aaa_A.cif.gz"}
    assert duplicates == [selected]


def test_second_run_does_nothing(collection: tuple[Path, list[RNAStructure]], dataset: Path) -> None:
    before = (dataset / "coords.npy").stat().st_mtime_ns
    report = prepare([collection[0]], dataset)
    assert report.up_to_date
    assert report.chains == 4
    assert len(report.skipped) == 1
    assert (dataset / "coords.npy").stat().st_mtime_ns == before


def test_workers_and_place_change_no_byte(
    collection: tuple[Path, list[RNAStructure]], dataset: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(collection[0], copy)
    prepare([copy], tmp_path / "data", workers=2)
    assert contents(tmp_path / "data") == contents(dataset)


def test_changed_input_rebuilds(collection: tuple[Path, list[RNAStructure]], tmp_path: Path) -> None:
    copy, out = tmp_path / "in", tmp_path / "out"
    shutil.copytree(collection[0], copy)
    first = prepare([copy], out)
    (copy / "structures" / "3ccc_b.cif.gz").unlink()
    second = prepare([copy], out)
    assert not second.up_to_date
    assert second.fingerprint != first.fingerprint
    assert list(StructureStore.open(out).index["id"]) == ["1aaa_A", "2bbb_A", "4ddd_A"]


def _prepare(folder: Path, out: Path) -> None:
    prepare([folder], out)


@pytest.mark.parametrize("delay", [0.0, 0.02, 0.05, 0.1, 0.2])
def test_killed_run_continues_to_the_same_bytes(
    collection: tuple[Path, list[RNAStructure]], dataset: Path, tmp_path: Path, delay: float
) -> None:
    out = tmp_path / "data"
    process = multiprocessing.get_context("fork").Process(target=_prepare, args=(collection[0], out))
    process.start()
    time.sleep(delay)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    prepare([collection[0]], out)
    assert contents(out) == contents(dataset)
    assert sorted(p.name for p in out.iterdir()) == sorted(p.name for p in dataset.iterdir())


def test_damaged_work_is_made_again(collection: tuple[Path, list[RNAStructure]], dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    shutil.copytree(dataset, out)
    (out / "index.parquet").unlink()
    for file in (out / "work").rglob("*.npz"):
        file.write_bytes(file.read_bytes()[:100])
    assert not prepare([collection[0]], out).up_to_date
    assert contents(out) == contents(dataset)


def test_table_with_several_references_is_a_benchmark(tmp_path: Path) -> None:
    one = chain(5, 24, "r1", "x")
    models = RNAStructure("R1107", one.sequence, np.repeat(one.coords, 2, 0), np.repeat(one.mask, 2, 0))
    write_labels(tmp_path / "validation_labels.csv", [models])
    prepare([tmp_path / "validation_labels.csv"], tmp_path / "data")
    store = StructureStore.open(tmp_path / "data")
    assert store.value(0, "id") == "R1107"
    assert store.value(0, "benchmark") == "casp15"
    assert store.value(0, "target")
    assert store.structure(0).num_models == 2


def test_foreign_folder_is_refused_and_kept(collection: tuple[Path, list[RNAStructure]], tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match=r"thesis\.txt"):
        prepare([collection[0]], tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_exit_codes(
    collection: tuple[Path, list[RNAStructure]], dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = PrepareOptions((collection[0],), dataset, workers=1, splits=tmp_path / "splits")
    assert run(options) == 0
    assert "nothing changed" in capsys.readouterr().out
    assert sorted(p.name for p in (tmp_path / "splits").iterdir()) == ["casp15.csv", "train.csv", "val.csv"]
    options.strict = True
    assert run(options) == 1
    for arguments, words in (
        ([str(tmp_path / "absent")], "absent"),
        ([], "no input"),
        ([str(collection[0]), "--assume-date", "soon"], "'soon' is no date"),
    ):
        assert main([*arguments, "--out", str(tmp_path / "x")]) == 2
        assert words in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_assumed_dates_fill_in_for_missing_ones_only(
    collection: tuple[Path, list[RNAStructure]], tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    write_structure(synthetic_rna(1, 24), tmp_path / "mine" / "unpublished.cif")
    inputs = [collection[0], tmp_path / "mine"]
    report = prepare(inputs, tmp_path / "plain")
    prepare(inputs, tmp_path / "dated", assume_date="2001-02-03")
    plain, dated = (StructureStore.open(tmp_path / name).index.set_index("id") for name in ("plain", "dated"))
    assert report.chains == len(dated)
    missing = plain["release_date"] == ""
    assert missing.any()
    assert (dated["release_date"][missing] == "2001-02-03").all()
    assert (dated["release_date"][~missing] == plain["release_date"][~missing]).all()
    # Another assumption is another dataset, not "nothing changed".
    assert not prepare(inputs, tmp_path / "dated", assume_date="2002-02-03").up_to_date


def test_no_usable_chain_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty.cif").write_text("")
    with pytest.raises(InputError, match="no usable RNA chain: empty file"):
        prepare([tmp_path / "empty.cif"], tmp_path / "data")


@pytest.mark.data
@pytest.mark.slow
def test_real_data(shared_data: Path, tmp_path: Path) -> None:
    report = prepare([shared_data], tmp_path / "data", workers=2)
    assert report.chains > 2900
    assert report.full_atom > 2400
    assert {skip.chain for skip in report.duplicates} >= {"1a60_A", "1aud_B"}
    index = StructureStore.open(tmp_path / "data").index
    assert index["target"].sum() == 12
    assert (index["benchmark"] == "casp15").sum() >= 25


def test_alignments_are_kept_beside_the_probabilities(
    collection: tuple[Path, list[RNAStructure]], dataset: Path, tmp_path: Path
) -> None:
    folder, chains = collection
    msa = tmp_path / "msa"
    msa.mkdir()
    sequence = chains[1].sequence
    changed = "".join({"G": "A", "A": "G", "C": "U", "U": "C"}[base] for base in sequence)
    (msa / "2BBB_A.a3m").write_text(f">q\n{sequence}\n>h\n{changed}\n")
    (msa / "1aaa_A.fasta").write_text(">q\nGGG\n")
    (msa / "9xyz_A.fasta").write_text(">q\nGGG\n")
    report = prepare([folder], tmp_path / "d", alignments=msa)
    assert [(s.chain, s.reason) for s in report.skipped if s.file == "1aaa_A.fasta"] == [
        ("1aaa_A", f"its alignment: the query has 3 residues, but the sequence has {len(chains[0])}")
    ]
    with_them, without = StructureStore.open(tmp_path / "d"), StructureStore.open(dataset)
    for i in range(len(without)):
        np.testing.assert_array_equal(with_them.base_pairs(i), without.base_pairs(i))
        pair_features = with_them.sparse_base_pairs(i).dense_features()
        energies = slice(0, len(ENERGIES))
        np.testing.assert_array_equal(
            pair_features[..., energies], without.sparse_base_pairs(i).dense_features()[..., energies]
        )
        assert pair_features[..., len(ENERGIES) :].any() == (with_them.value(i, "id") == "2bbb_A")
    assert prepare([folder], tmp_path / "d", alignments=msa).up_to_date
    (msa / "2BBB_A.a3m").write_text(f">q\n{sequence}\n")
    assert not prepare([folder], tmp_path / "d", alignments=msa).up_to_date
