"""Other programs read the files as RNA, with the right sequence."""

from pathlib import Path

import gemmi
import numpy as np
import pytest

from rnagen.allatom import complete
from rnagen.io.model_cif import UNKNOWN, PredictedQuality
from rnagen.io.write import COMPUTED, write_structure
from rnagen.structure import RNAStructure
from tests.helpers.helices import double_helix

SEQUENCE = "GGAC"


@pytest.fixture(scope="module")
def rna() -> RNAStructure:
    """Two models of two strands, all heavy atoms."""
    one = complete(double_helix(SEQUENCE))
    half = len(SEQUENCE)
    return RNAStructure(
        "duplex",
        one.sequence,
        np.concatenate([one.coords, one.coords + 1]),
        np.concatenate([one.mask, one.mask]),
        one.atoms,
        method=COMPUTED,
        strands=(half, len(one) - half),
    )


@pytest.fixture(scope="module", params=["cif", "pdb"])
def file(rna: RNAStructure, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files") / f"duplex.{request.param}"
    write_structure(rna, path, quality_of(rna))
    return path


def quality_of(rna: RNAStructure) -> PredictedQuality:
    lddt = np.arange(2.0 * len(rna)).reshape(2, -1) + 10
    return PredictedQuality(lddt, np.array([0.25, 0.5]))


def test_gemmi_reads_a_polymer_of_rna(rna: RNAStructure, file: Path) -> None:
    found = gemmi.read_structure(str(file))
    found.setup_entities()
    chains = [chain.get_polymer() for chain in found[1]]
    assert [one.check_polymer_type() for one in chains] == [gemmi.PolymerType.Rna] * 2
    assert [gemmi.one_letter_code([residue.name for residue in one]) for one in chains] == [
        rna.sequence[:4],
        rna.sequence[4:],
    ]
    assert sum(found[0].count_atom_sites() for _ in "1") == rna.mask[0].sum()
    assert found[1][1][0][0].b_iso == 10 + len(rna) + 4


def test_biopython_reads_all_residues(rna: RNAStructure, file: Path) -> None:
    pytest.importorskip("Bio")
    from Bio.PDB import MMCIFParser, PDBParser

    parser = MMCIFParser(QUIET=True) if file.suffix == ".cif" else PDBParser(QUIET=True, PERMISSIVE=False)
    found = parser.get_structure("duplex", file)
    assert len(found) == 2
    assert ["".join(residue.resname.strip() for residue in chain) for chain in found[0]] == [
        rna.sequence[:4],
        rna.sequence[4:],
    ]
    assert len(list(found[0].get_atoms())) == rna.mask[0].sum()


def test_biotite_reads_nucleotides_and_their_bonds(rna: RNAStructure, file: Path) -> None:
    struc = pytest.importorskip("biotite.structure")
    from biotite.structure.io import pdb, pdbx

    if file.suffix == ".cif":
        found = pdbx.get_structure(pdbx.CIFFile.read(file), include_bonds=True)
        assert list(pdbx.get_sequence(pdbx.CIFFile.read(file))) == ["A", "B"]
    else:
        found = pdb.PDBFile.read(file).get_structure(include_bonds=True)
    assert found.shape == (2, rna.mask[0].sum())
    assert struc.filter_nucleotides(found).all()
    bonds = {frozenset(found.atom_name[list(pair)]) for pair in found.bonds.as_array()[:, :2]}
    assert {"O3'", "P"} in bonds
    np.testing.assert_allclose(found.coord[0], rna.coords[0][rna.mask[0]], atol=1e-3)


def test_the_quality_stands_where_modelcif_has_it(rna: RNAStructure, tmp_path: Path) -> None:
    quality = quality_of(rna)
    write_structure(rna, tmp_path / "x.cif", quality)
    block = gemmi.cif.read(str(tmp_path / "x.cif")).sole_block()
    kinds = {row[0]: (row[1], row[2]) for row in block.find("_ma_qa_metric.", ["id", "type", "mode"])}
    assert kinds == {"1": ("pLDDT", "global"), "2": ("pLDDT", "local"), "3": ("pTM", "global")}
    tm = [float(row[1]) for row in block.find("_ma_qa_metric_global.", ["metric_id", "metric_value"]) if row[0] == "3"]
    assert tm == quality.tm.tolist()
    rows = list(block.find("_ma_qa_metric_local.", ["model_id", "label_asym_id", "label_seq_id", "metric_value"]))
    assert [float(row[3]) for row in rows] == quality.lddt.reshape(-1).tolist()
    assert [tuple(rows[5])[k] for k in range(3)] == ["1", "B", "2"]
    assert list(block.find_values("_entity_poly.type")) == ["polyribonucleotide"] * 2
    assert list(block.find_values("_software.name")) == ["rnagen"]


@pytest.mark.parametrize("suffix", ["cif", "pdb"])
def test_without_confidence_no_b_factor_stands_for_one(rna: RNAStructure, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x.{suffix}"
    write_structure(rna, path)
    found = gemmi.read_structure(str(path))
    assert {atom.atom.b_iso for atom in found[0].all()} == {UNKNOWN}
    assert "_ma_qa_metric" not in path.read_text()
