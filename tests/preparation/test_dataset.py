"""`prepare`: what goes in, what is left out, and that nothing but the inputs decides the result."""

import csv
import multiprocessing
import os
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnagen.cli.prepare import main, run
from rnagen.config.prepare import PrepareConfig
from rnagen.data.chains import Chains
from rnagen.data.dataset import Dataset
from rnagen.errors import InputError
from rnagen.io.kaggle import write_labels
from rnagen.io.write import write_structure
from rnagen.preparation.dataset import prepare
from rnagen.preparation.synthetic import synthetic_rna
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


def opened(folder: Path) -> Chains:
    return Dataset.open(folder).chains


def column(folder: Path, name: str) -> dict[str, Any]:
    return {info.name: getattr(info, name) for info in opened(folder).infos}


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


def test_chains_come_out_as_they_went_in(collection: tuple[Path, list[RNAStructure]], dataset: Path) -> None:
    chains = opened(dataset)
    assert chains.names == ("1aaa_A", "2bbb_A", "3ccc_b", "4ddd_A")
    for original in collection[1][:3]:
        found = chains.structure(chains.rows[original.name])
        assert found.sequence == original.sequence
        np.testing.assert_array_equal(found.mask, original.mask)
        np.testing.assert_allclose(found.coords, original.coords, atol=2e-3)
    c1 = chains.structure(chains.rows["4ddd_A"])
    expected = collection[1][3].select_atoms(("C1'",))
    np.testing.assert_allclose(c1.select_atoms(("C1'",)).coords, expected.coords, atol=2e-3)
    assert not c1.select_atoms(tuple(b for b in BEADS if b != "C1'")).mask.any()


def test_metadata_kind_and_benchmark(dataset: Path) -> None:
    assert column(dataset, "kind") == {"1aaa_A": "full", "2bbb_A": "full", "3ccc_b": "full", "4ddd_A": "c1"}
    assert column(dataset, "release_date") == {
        "1aaa_A": "2001-01-01",  # the metadata stand before the table's date
        "2bbb_A": "2022-05-27",
        "3ccc_b": "2023-01-01",
        "4ddd_A": "2023-01-01",
    }
    assert column(dataset, "cluster") == {"1aaa_A": 7, "2bbb_A": 8, "3ccc_b": 9, "4ddd_A": 10}
    assert column(dataset, "benchmark") == {"1aaa_A": "", "2bbb_A": "", "3ccc_b": "casp15", "4ddd_A": ""}


def test_skips_and_duplicates_are_listed(dataset: Path) -> None:
    skipped = list(csv.DictReader((dataset / "skipped.csv").open()))
    assert [row["file"] for row in skipped] == ["structures/broken.cif.gz"]
    assert "gzip" in skipped[0]["reason"]
    duplicates = list(csv.DictReader((dataset / "duplicates.csv").open()))
    selected = {"file": "kaggle/train_labels.csv", "chain": "1aaa_A", "used": "structures/1aaa_A.cif.gz"}
    assert duplicates == [selected]


def test_second_run_does_nothing(collection: tuple[Path, list[RNAStructure]], dataset: Path) -> None:
    before = (dataset / "chains.safetensors").stat().st_mtime_ns
    report = prepare([collection[0]], dataset)
    assert report.up_to_date
    assert report.chains == 4
    assert len(report.skipped) == 1
    assert (dataset / "chains.safetensors").stat().st_mtime_ns == before


@pytest.mark.slow
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
    assert opened(out).names == ("1aaa_A", "2bbb_A", "4ddd_A")


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


def test_the_files_of_a_former_format_give_way(
    collection: tuple[Path, list[RNAStructure]], dataset: Path, tmp_path: Path
) -> None:
    out = tmp_path / "data"
    out.mkdir()
    for name in ("manifest.json", "index.parquet", "coords.npy"):
        (out / name).write_text("{}")
    prepare([collection[0]], out)
    assert contents(out) == contents(dataset)


def test_damaged_work_is_made_again(collection: tuple[Path, list[RNAStructure]], dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    shutil.copytree(dataset, out)
    (out / "chains.safetensors").unlink()
    for file in (out / "work").rglob("*.npz"):
        file.write_bytes(file.read_bytes()[:100])
    assert not prepare([collection[0]], out).up_to_date
    assert contents(out) == contents(dataset)


def test_table_with_several_references_is_a_benchmark(tmp_path: Path) -> None:
    one = chain(5, 24, "r1", "x")
    models = RNAStructure("R1107", one.sequence, np.repeat(one.coords, 2, 0), np.repeat(one.mask, 2, 0))
    write_labels(tmp_path / "validation_labels.csv", [models])
    prepare([tmp_path / "validation_labels.csv"], tmp_path / "data")
    chains = opened(tmp_path / "data")
    (info,) = chains.infos
    assert (info.name, info.benchmark, info.target) == ("R1107", "casp15", True)
    assert chains.structure(0).num_models == 2


def test_foreign_folder_is_refused_and_left_alone(collection: tuple[Path, list[RNAStructure]], tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match=r"thesis\.txt"):
        prepare([collection[0]], tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_exit_codes(
    collection: tuple[Path, list[RNAStructure]], dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = PrepareConfig((collection[0],), dataset, workers=1, splits=tmp_path / "splits")
    assert run(options) == 0
    assert "nothing changed" in capsys.readouterr().out
    assert sorted(p.name for p in (tmp_path / "splits").iterdir()) == [
        "casp15.csv",
        "ensemble.csv",
        "train.csv",
        "val.csv",
    ]
    assert run(replace(options, strict=True)) == 1
    for arguments, words in (
        ([str(tmp_path / "absent")], "absent"),
        ([], "no input"),
        ([str(collection[0]), "--assume-date", "soon"], "'soon' is not a date"),
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
    plain, dated = (column(tmp_path / name, "release_date") for name in ("plain", "dated"))
    assert report.chains == len(dated)
    assert "" in plain.values()
    assert dated == {name: date or "2001-02-03" for name, date in plain.items()}
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
    assert sum(column(tmp_path / "data", "target").values()) == 12
    assert list(column(tmp_path / "data", "benchmark").values()).count("casp15") >= 25


def test_alignments_are_stored_beside_the_probabilities(
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
    for with_it, without in zip(opened(tmp_path / "d").chains(), opened(dataset).chains(), strict=True):
        np.testing.assert_array_equal(with_it.pairs.dense(), without.pairs.dense())
        first, second = (chain.pairs.dense_features() for chain in (with_it, without))
        np.testing.assert_array_equal(first[..., : len(ENERGIES)], second[..., : len(ENERGIES)])
        assert first[..., len(ENERGIES) :].any() == (with_it.name == "2bbb_A")
    assert prepare([folder], tmp_path / "d", alignments=msa).up_to_date
    (msa / "2BBB_A.a3m").write_text(f">q\n{sequence}\n")
    assert not prepare([folder], tmp_path / "d", alignments=msa).up_to_date
