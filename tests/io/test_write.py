import gzip
from pathlib import Path

import gemmi
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rnagen.errors import InputError
from rnagen.io.files import write_text
from rnagen.io.model_cif import PredictedQuality
from rnagen.io.read import read_structures
from rnagen.io.write import write_structure
from rnagen.structure import BEADS, HEAVY_ATOMS, RNAStructure

SUFFIXES = (".cif", ".pdb", ".cif.gz", ".pdb.gz")


def beads(sequence: str, models: int = 1, seed: int = 0, missing: float = 0.0, **fields: object) -> RNAStructure:
    """A random walk of beads, a share of the residues and of the beads missing; the first residue is always there."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=(models, len(sequence), 4, 3)) * 3
    mask = (rng.random((models, len(sequence), 4)) >= missing) & (rng.random((1, len(sequence), 1)) >= missing)
    mask[:, 0] = True
    coords = np.where(mask[..., None], np.cumsum(steps, axis=1), 0).astype(np.float32)
    return RNAStructure("test_A", sequence, coords, mask, atoms=BEADS, **fields)  # type: ignore[arg-type]


def read_back(structure: RNAStructure, path: Path) -> RNAStructure:
    write_structure(structure, path)
    (read,) = read_structures(path)
    return read


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(
    st.text("ACGUN", min_size=1, max_size=40),
    st.integers(1, 3),
    st.sampled_from(SUFFIXES),
    st.sampled_from([0.0, 0.4]),
    st.integers(0, 1000),
)
def test_round_trip(tmp_path: Path, sequence: str, models: int, suffix: str, missing: float, seed: int) -> None:
    written = beads(sequence, models, seed, missing)
    read = read_back(written, tmp_path / f"x{suffix}")
    assert (read.sequence, read.num_models, read.chain) == (sequence, models, "A")
    np.testing.assert_array_equal(read.residue_index, written.residue_index)
    again = read.select_atoms(BEADS)
    np.testing.assert_array_equal(again.mask, written.mask)
    np.testing.assert_allclose(again.coords, written.coords, atol=1e-3)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_all_atoms_header_and_confidence(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(1)
    coords = rng.normal(size=(2, 3, 27, 3)).astype(np.float32) * 20
    mask = rng.random((2, 3, 27)) < 0.7
    coords[~mask] = 0
    written = RNAStructure(
        "9xyz_B", "GAU", coords, mask, entry="9xyz", chain="B", title="A STEM", method="SOLUTION NMR"
    )
    path = tmp_path / f"x{suffix}"
    write_structure(
        written, path, quality=PredictedQuality(np.array([[5.0, 6.0, 7.0], [11.5, 22.25, 99.0]]), np.array([0.25, 0.5]))
    )
    (read,) = read_structures(path)
    assert (read.name, read.title, read.method, read.atoms) == ("9xyz_B", "A STEM", "SOLUTION NMR", HEAVY_ATOMS)
    np.testing.assert_array_equal(read.mask, mask)
    np.testing.assert_allclose(read.coords, coords, atol=1e-3)
    model = gemmi.read_structure(str(path))[1]
    assert [residue[0].b_iso for residue in model["B"]] == [11.5, 22.25, 99.0]
    assert [residue[0].b_iso for residue in gemmi.read_structure(str(path))[0]["B"]] == [5.0, 6.0, 7.0]


@pytest.mark.parametrize("suffix", [".cif", ".pdb"])
def test_a_gap_stays_a_jump(tmp_path: Path, suffix: str) -> None:
    index = np.array([5, 6, 7, 30, 31], dtype=np.int32)
    written = beads("GGGCC", residue_index=index)
    written.coords[:, 3:] += 100
    np.testing.assert_array_equal(read_back(written, tmp_path / f"x{suffix}").residue_index, index)


def test_what_viewers_need_is_in_the_mmcif(tmp_path: Path) -> None:
    write_structure(beads("GACUN", 2), tmp_path / "x.cif")
    block = gemmi.cif.read(str(tmp_path / "x.cif")).sole_block()
    assert list(block.find_values("_entity.type")) == ["polymer"]
    assert list(block.find_values("_entity_poly.type")) == ["polyribonucleotide"]
    assert list(block.find_values("_struct_asym.id")) == ["A"]
    assert list(block.find_values("_entity_poly_seq.mon_id")) == list("GACUN")
    assert set(block.find_values("_chem_comp.type")) == {"'RNA linking'"}
    columns = ["label_asym_id", "label_seq_id", "label_entity_id", "auth_asym_id", "auth_seq_id", "label_atom_id"]
    rows = [list(row) for row in block.find("_atom_site.", columns)]
    assert len(rows) == 2 * 5 * 4
    assert rows[3] == ["A", "1", "1", "A", "1", "N9"]
    assert rows[11][-1] == "N1"
    assert list(block.find_values("_atom_site.pdbx_PDB_model_num"))[::20] == ["1", "2"]


def test_models_and_sequence_in_the_pdb(tmp_path: Path) -> None:
    write_structure(beads("GACUN", 2), tmp_path / "x.pdb")
    lines = (tmp_path / "x.pdb").read_text().splitlines()
    assert [line.split()[:2] for line in lines if line.startswith("MODEL")] == [["MODEL", "1"], ["MODEL", "2"]]
    assert [line.split()[4:] for line in lines if line.startswith("SEQRES")] == [list("GACUN")]
    assert sum(line.startswith("TER") for line in lines) == 2


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_structure_gives_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_structure(beads("GGAC", 2), tmp_path / name / f"x{suffix}")
    assert (tmp_path / "a" / f"x{suffix}").read_bytes() == (tmp_path / "b" / f"x{suffix}").read_bytes()
    assert [path.name for path in (tmp_path / "a").iterdir()] == [f"x{suffix}"]


EMPTY = RNAStructure("a", "A", np.zeros((1, 1, 4, 3), np.float32), np.zeros((1, 1, 4), bool), BEADS)


def shifted(by: float) -> RNAStructure:
    structure = beads("GAC")
    structure.coords[...] += by
    return structure


@pytest.mark.parametrize(
    ("structure", "name", "reason"),
    [
        (shifted(1e5), "x.pdb", "do not fit the PDB format"),
        (shifted(-1200), "x.pdb", "do not fit the PDB format"),
        (shifted(np.nan), "x.cif", "not finite"),
        (beads("A" * 10_000), "x.pdb", "10000 residues"),
        (beads("AA", residue_index=np.array([1, 12000], dtype=np.int32)), "x.pdb", "residue numbers 1 to 12000"),
        (beads("AA", chain="XB"), "x.pdb", "chain name 'XB'"),
        (beads("AA"), "x.xyz", "suffix '.xyz'"),
        (beads("AA"), "x.gz", "suffix"),
        (EMPTY, "x.cif", "has no atoms to write"),
    ],
)  # fmt: skip
def test_refusals_write_nothing(tmp_path: Path, structure: RNAStructure, name: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        write_structure(structure, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_what_pdb_refuses_mmcif_holds(tmp_path: Path) -> None:
    np.testing.assert_allclose(
        read_back(shifted(1e5), tmp_path / "x.cif").select_atoms(BEADS).coords, shifted(1e5).coords, atol=0.01
    )
    assert read_back(beads("AA", chain="XB"), tmp_path / "x.cif").chain == "XB"


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    write_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "new \ud800")
    blocked = tmp_path / "folder.txt"
    blocked.mkdir()
    with pytest.raises(OSError):  # noqa: PT011
        write_text(blocked, "new")
    assert path.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder.txt", "x.txt"]


def test_gzip_holds_the_same_text(tmp_path: Path) -> None:
    for suffix in (".cif", ".cif.gz"):
        write_structure(beads("GAC"), tmp_path / f"x{suffix}")
    assert gzip.decompress((tmp_path / "x.cif.gz").read_bytes()) == (tmp_path / "x.cif").read_bytes()
