"""A user's files as templates: what they may be, what becomes of their chains, and why others are refused."""

import gzip
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rnagen.errors import InputError
from rnagen.io.kaggle import write_labels, write_submission
from rnagen.io.write import write_structure
from rnagen.preparation.synthetic import synthetic_rna
from rnagen.structure import BEADS, RNAStructure, encode_sequence
from rnagen.templates.files import TemplateFiles, read_template_files
from rnagen.templates.library import C1, TemplateChain
from tests.helpers.chains import chain
from tests.helpers.rna_files import OTHER, SEQUENCE, mmcif, pdb, residue, strand, without


def write(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def chains_of(found: TemplateFiles) -> list[TemplateChain]:
    return [found.library.chain(row) for row in range(len(found.library))]


def names_of(found: TemplateFiles) -> list[str]:
    return [info.name for info in found.library.infos]


def read(path: Path) -> TemplateChain:
    (found,) = chains_of(read_template_files([path]))
    return found


@pytest.mark.parametrize("suffix", [".cif", ".pdb", ".cif.gz", ".pdb.gz"])
def test_a_structure_file_is_a_template_with_its_beads(tmp_path: Path, suffix: str) -> None:
    structure = chain(1, 30, "1aaa")
    write_structure(structure, tmp_path / f"1aaa{suffix}")
    found = read(tmp_path / f"1aaa{suffix}")
    assert (found.info.name, found.info.entry, found.info.release_date) == ("1aaa_A", "1aaa", "")
    assert found.bases.tolist() == encode_sequence(structure.sequence).tolist()
    np.testing.assert_allclose(found.coords, structure.select_atoms(BEADS).coords[0], atol=2e-3)


def test_all_chains_of_a_file_with_foreign_numbers_gaps_and_modified_residues(tmp_path: Path) -> None:
    first = without(strand(SEQUENCE, start=-3), 4, 5)
    second = [replace(atom, base="PSU") if atom.base == "U" else atom for atom in strand(OTHER, 501, "B", shift=60)]
    found = read_template_files([write(tmp_path / "two.pdb", pdb(first, second))])
    assert names_of(found) == ["two_A", "two_B"]
    a, b = chains_of(found)
    assert len(b) == len(OTHER)
    assert b.bases.tolist() == encode_sequence(OTHER).tolist()
    assert int(a.mask[:, C1].sum()) == len(SEQUENCE) - 2


def test_residues_that_are_not_resolved_are_in_their_place(tmp_path: Path) -> None:
    atoms = without(strand(SEQUENCE), 3, 4, 24)
    found = read(write(tmp_path / "gap.cif", mmcif({"A": (SEQUENCE, atoms)})))
    assert len(found) == len(SEQUENCE)
    assert np.flatnonzero(~found.mask[:, C1]).tolist() == [2, 3, 23]


@pytest.mark.data
def test_base_pairs_are_those_of_the_structure(shared_data: Path) -> None:
    found = read(shared_data / "structures" / "1ehz_A.cif.gz")
    assert (found.pair_table >= 0).sum() > len(found) / 3


def test_of_several_models_the_first_is_the_template(tmp_path: Path) -> None:
    one = chain(1, 24, "1aaa")
    shifted = np.concatenate([one.coords, one.coords + 5])
    write_structure(replace(one, coords=shifted, mask=np.concatenate([one.mask] * 2)), tmp_path / "nmr.cif")
    np.testing.assert_allclose(read(tmp_path / "nmr.cif").coords, one.select_atoms(BEADS).coords[0], atol=2e-3)


def conformers(length: int, *seeds: int) -> RNAStructure:
    """Conformers of one sequence."""
    several = [synthetic_rna(seed, length) for seed in seeds]
    coords, mask = (np.concatenate([getattr(one, name) for one in several]) for name in ("coords", "mask"))
    # Of the C1' alone, which every base has.
    return replace(several[0], coords=coords, mask=mask, name="rna").select_atoms(("C1'",))


def test_each_conformer_of_a_table_is_a_template_with_all_beads(tmp_path: Path) -> None:
    several = conformers(24, 1, 2, 3)
    write_submission(tmp_path / "submission.csv", [several], n=3)
    found = read_template_files([tmp_path / "submission.csv"])
    assert names_of(found) == ["rna_1", "rna_2", "rna_3"]
    for k, one in enumerate(chains_of(found)):
        np.testing.assert_allclose(one.coords[:, C1], several.coords[k, :, 0], atol=2e-3)
        assert one.mask[2:-2].all()
        paired = np.flatnonzero(one.pair_table >= 0)
        assert len(paired) > 4
        np.testing.assert_array_equal(one.pair_table[one.pair_table[paired]], paired)


def test_conformers_without_coordinates_are_no_templates(tmp_path: Path) -> None:
    several = conformers(24, 1, 2)
    mask = several.mask.copy()
    mask[1] = False
    write_labels(tmp_path / "x.csv", [replace(several, mask=mask)])
    assert names_of(read_template_files([tmp_path / "x.csv"])) == ["rna"]


def test_a_folder_is_all_of_its_files_and_names_are_unique(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_structure(replace(chain(1, 24, ""), name="", entry=""), tmp_path / folder / "model.pdb")
    write_labels(tmp_path / "a" / "x.csv", [conformers(24, 5)])
    (tmp_path / "a" / "notes.txt").write_text("nothing")
    found = read_template_files([tmp_path / "a", tmp_path / "b" / "model.pdb"])
    assert names_of(found) == ["model_A", "rna", "model_A-2"]


def test_a_chain_that_cannot_be_used_costs_itself_alone(tmp_path: Path) -> None:
    file = write(tmp_path / "two.pdb", pdb(strand(SEQUENCE), strand("GC", 1, "B", shift=60)))
    found = read_template_files([file])
    assert names_of(found) == ["two_A"]
    assert [str(failure) for failure in found.failures] == [
        f"{file}: two_B: has 2 residues with coordinates of C1'; a template needs 3 at least: name a structure that "
        "has them"
    ]


PROTEIN = [replace(atom, name="CA", base="ALA") for atom in strand("GGGGG") if atom.name == "C1'"]
NO_C1 = [atom for atom in strand(SEQUENCE) if atom.name == "P"]
NANOMETRES = [replace(atom, xyz=tuple(value / 10 for value in atom.xyz)) for atom in strand(SEQUENCE)]
ZEROS = "".join(f"R_{k},G,{k},0,0,0\n" for k in range(1, 9))
ORIGIN = [replace(atom, xyz=(0.0, 0.0, 0.0)) for atom in strand(SEQUENCE)]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("protein.pdb", pdb(PROTEIN), "has no RNA chain"),
        ("one.pdb", pdb(residue(strand(SEQUENCE), 1)), "one_A: has 1 residue with .* a template needs 3 at least"),
        ("p.pdb", pdb(NO_C1), "p_A: has no residue with coordinates of C1'; a template needs 3 at least"),
        ("nm.pdb", pdb(NANOMETRES), r"nm_A: C1' of neighbours lie 0\.\d+ Å apart \(median\): give .* in Å"),
        ("zero.pdb", pdb(ORIGIN), "has no coordinates of RNA"),
        ("empty.pdb", "", "empty file"),
        ("text.cif", "nothing of this kind", "text.cif: "),
        ("sequences.csv", "target_id,sequence\nR1,GGG\n", "has no column ID.*; a table of templates has the columns"),
        ("none.csv", "ID,resname,resid,x_1,y_1,z_1\n", "has no record"),
        ("bad.csv", "ID,resname,resid,x_1,y_1,z_1\nR_1,G,1,a,b,c\n", "bad.csv: R: row R_1: 'a' is not a coordinate"),
        (
            "zeros.csv",
            "ID,resname,resid,x_1,y_1,z_1\n" + "".join(f"R_{k},G,{k},0,0,0\n" for k in range(1, 9)),
            "R: has",
        ),
        ("notes.txt", "x", "is of an unknown kind; templates are .cif, .* and .csv, also as .gz"),
    ],
)
def test_what_is_no_template_is_one_line_with_file_reason_and_remedy(
    tmp_path: Path, name: str, text: str, words: str
) -> None:
    file = write(tmp_path / name, text)
    with pytest.raises(InputError, match=words) as caught:
        read_template_files([file])
    assert str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)


def test_folders_and_paths_without_templates_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="contains no file of templates"):
        read_template_files([tmp_path])
    with pytest.raises(InputError, match="no such file or folder"):
        read_template_files([tmp_path / "none.cif"])


@pytest.mark.data
def test_what_users_bring_is_read(shared_data: Path) -> None:
    """Complexes, ligands, modified residues, alternate locations, NMR bundles, missing headers."""
    found = read_template_files([shared_data / "originals"])
    assert len(found.library) > 36
    assert not found.failures
    resolved = {info.name: int(one.mask[:, C1].sum()) for info, one in zip(found.library.infos, chains_of(found))}
    assert resolved["1vc5_B"] == 70
    assert resolved["1fcw_A"] == 76
    assert not [name for name in resolved if re.search(r"-\d$", name) and "-2csx" not in name]
