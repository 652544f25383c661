"""Known structures become a template library: which go in, and what is known of them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rnagen.config.library import LibraryConfig
from rnagen.data.dataset import Dataset
from rnagen.errors import ConfigError, InputError
from rnagen.io.kaggle import write_labels
from rnagen.io.write import write_structure
from rnagen.preparation.dataset import prepare
from rnagen.preparation.library import BuiltLibrary, build_library, make_library
from rnagen.structure import BEADS, RNAStructure
from rnagen.templates.library import C1, SHIPPED, Library
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


def reasons(built: BuiltLibrary) -> dict[str, str]:
    return {skip.chain: skip.reason for skip in built.left_out}


def names(built: BuiltLibrary) -> list[str]:
    return [info.name for info in built.library.infos]


def test_chains_of_a_dataset_with_what_is_known_of_them(
    collection: tuple[Path, list[RNAStructure]], dataset: Path
) -> None:
    built = build_library(dataset)
    facts = [(i.name, i.entry, i.release_date, i.cluster, i.benchmark) for i in built.library.infos]
    assert facts == [
        ("1aaa_A", "1aaa", "2001-01-01", 7, ""),
        ("2bbb_A", "2bbb", "2022-05-27", 8, ""),
        ("3ccc_b", "3ccc", "2023-01-01", 9, "casp15"),
        ("4ddd_A", "4ddd", "2023-01-01", 10, ""),
    ]
    assert not built.left_out
    for row, original in enumerate(collection[1][:3]):
        beads = original.select_atoms(BEADS)
        np.testing.assert_allclose(built.library.chain(row).coords, beads.coords[0], atol=2e-3)
        np.testing.assert_array_equal(built.library.chain(row).mask, beads.mask[0])
    np.testing.assert_array_equal(
        built.library.chain(0).pair_table, Dataset.open(dataset).chains.chain(0).pair_tables[:, 0]
    )


def test_beads_of_a_chain_with_c1_alone_are_rebuilt(dataset: Path) -> None:
    found = build_library(dataset).library.chain(3)
    assert found.mask[:, C1].all()
    assert found.mask[2:-2].all()
    # From the shipped library: three short chains have too few fragments.
    steps = np.linalg.norm(found.coords[2:-2, BEADS.index("N")] - found.coords[2:-2, C1], axis=-1)
    assert (np.abs(steps - 1.47) < 0.1).all()


@pytest.mark.slow
def test_place_order_and_base_pairs_change_no_byte(
    collection: tuple[Path, list[RNAStructure]], dataset: Path, tmp_path: Path
) -> None:
    for name, source, workers in (("a", dataset, 1), ("b", dataset, 1), ("c", collection[0], 2)):
        build_library(source, workers=workers).library.write(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()


def test_a_folder_of_structures_needs_no_dataset(collection: tuple[Path, list[RNAStructure]]) -> None:
    built = build_library(collection[0])
    assert len(built.library) == 4
    assert [(skip.file, "gzip" in skip.reason) for skip in built.skipped] == [("structures/broken.cif.gz", True)]


def of_one_sequence(folder: Path, structures: Sequence[RNAStructure], dates: Sequence[str]) -> BuiltLibrary:
    folder.mkdir()
    for one in structures:
        write_structure(one, folder / f"{one.entry}.cif")
    rows = [f"{one.entry},{one.chain},{date}\n" for one, date in zip(structures, dates)]
    (folder / "index.csv").write_text("pdb_id,chain,release_date\n" + "".join(rows))
    return build_library(folder)


def unresolved(structure: RNAStructure, first: int) -> RNAStructure:
    """The chain without its residues from `first` on."""
    mask = structure.mask.copy()
    mask[:, first:] = False
    return replace(structure, coords=np.where(mask[..., None], structure.coords, 0).astype(np.float32), mask=mask)


def test_of_equal_sequences_the_first_and_later_ones_that_resolve_more(tmp_path: Path) -> None:
    one = chain(1, 40, "1aaa")
    copies = [replace(one, entry=f"{k}aaa", name=f"{k}aaa_A") for k in range(1, 6)]
    parts = [unresolved(one, first) for one, first in zip(copies, (40, 30, 31, 36, 40))]
    built = of_one_sequence(tmp_path / "in", parts, ["", "2001-01-01", "2002-01-01", "2003-01-01", "2004-01-01"])
    # 31 of 40 residues are hardly more than 30; an undated structure comes last, and resolves no more than the fifth.
    assert names(built) == ["2aaa_A", "4aaa_A", "5aaa_A"]
    again = "resolves no more than an earlier structure of its sequence"
    assert reasons(built) == {"1aaa_A": again, "3aaa_A": again}


def test_undated_chains_are_in_unless_a_date_is_assumed(tmp_path: Path) -> None:
    built = of_one_sequence(tmp_path / "in", [chain(1, 24, "1aaa"), chain(2, 24, "2bbb")], ["", "2001-01-01"])
    assert built.library.dates.tolist() == ["", "2001-01-01"]
    for source in (tmp_path / "in", prepared(tmp_path)):
        assert build_library(source, "2020-02-02").library.dates.tolist() == ["2020-02-02", "2001-01-01"]


def prepared(folder: Path) -> Path:
    prepare([folder / "in"], folder / "data")
    return folder / "data"


def line(name: str, length: int, step: float) -> RNAStructure:
    """C1' in one line, with steps as in a molecule."""
    one = replace(chain(1, length, name), entry="").select_atoms(("C1'",))
    coords = np.zeros_like(one.coords)
    coords[0, :, 0, 0] = step * np.arange(length)
    coords[0, :, 0, 1] = np.arange(length) % 2
    return replace(one, name=name, coords=coords)


def test_what_is_no_template_is_left_out_with_the_reason(tmp_path: Path) -> None:
    nine = line("nine", 16, 4.0)
    short = RNAStructure("short", "GGGAAACCC", nine.coords[:, :9], nine.mask[:, :9], ("C1'",))
    good = replace(chain(3, 30, ""), name="good", entry="")
    few = replace(unresolved(chain(2, 30, ""), 9), name="few", entry="")
    write_labels(tmp_path / "x_labels.csv", [line("far", 200, 5), line("stretched", 100, 4), short, few, good])
    built = build_library(tmp_path / "x_labels.csv")
    assert names(built) == ["good"]
    assert reasons(built) == {
        "far": "reaches further than 328 Å from its centre",
        "few": "unresolved but for less than 10 residues",
        "short": "shorter than 10 residues",
        "stretched": "more stretched than a molecule",
    }
    assert built.library.infos[0].entry == "good"


def test_entries_are_in_lower_case_and_never_empty(dataset: Path, tmp_path: Path) -> None:
    structure = replace(chain(1, 24, ""), name="R1107", entry="")
    write_labels(tmp_path / "x_labels.csv", [structure])
    (info,) = build_library(tmp_path / "x_labels.csv").library.infos
    assert (info.name, info.entry) == ("R1107", "r1107")


def test_options_that_cannot_be_used(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "l.safetensors"
    for options, words in (
        ({"source": dataset}, "is not a template library; --out"),
        ({"source": dataset, "out": tmp_path / "x.txt"}, "must end in .safetensors"),
        ({"source": SHIPPED, "out": out}, "is a template library already"),
        ({"out": out}, "source: is missing"),
        ({"source": dataset, "out": out, "assume_date": "3/1/2024"}, "is not a date"),
    ):
        with pytest.raises(ConfigError, match=words):
            make_library(LibraryConfig(**options))
    for source, words in ((tmp_path / "none", "does not exist"), (tmp_path / "no.safetensors", "no such dataset")):
        with pytest.raises(InputError, match=words):
            make_library(LibraryConfig(source, out))
    assert not out.exists()


def test_a_source_without_a_template_writes_nothing(tmp_path: Path) -> None:
    write_labels(tmp_path / "x_labels.csv", [line("stretched", 100, 4)])
    with pytest.raises(InputError, match="no chain of it is a template: more stretched than a molecule"):
        make_library(LibraryConfig(tmp_path / "x_labels.csv", tmp_path / "l.safetensors"))
    assert not (tmp_path / "l.safetensors").exists()


@pytest.mark.slow
@pytest.mark.data
def test_the_shipped_library_is_what_the_command_makes(shared_data: Path, tmp_path: Path) -> None:
    build_library(shared_data, workers=2).library.write(tmp_path / "l")
    made, shipped = Library.open(tmp_path / "l"), Library.open()
    assert made.infos == shipped.infos
    for name in ("lengths", "bases", "mask", "pair_tables"):
        np.testing.assert_array_equal(getattr(made, name), getattr(shipped, name))
    np.testing.assert_allclose(made.coords, shipped.coords, atol=0.011)
