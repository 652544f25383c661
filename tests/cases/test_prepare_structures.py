"""Structure files as programs and people leave them, through `rnagen prepare`."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rnagen.cli.prepare import main
from rnagen.data.dataset import Dataset
from rnagen.io.files import write_text
from rnagen.structure import HEAVY_ATOMS, RNAStructure
from tests.helpers.rna_files import OTHER, SEQUENCE, mmcif, pdb, residue, strand, without

WHOLE = strand(SEQUENCE)


def prepared(folder: Path, files: dict[str, str], *flags: str) -> dict[str, RNAStructure]:
    """The chains of the dataset that is made of these files."""
    for name, text in files.items():
        write_text(folder / "in" / name, text)
    assert main([str(folder / "in"), "--out", str(folder / "out"), "--workers", "1", *flags]) == 0
    chains = Dataset.open(folder / "out").chains
    return {name: chains.structure(row) for name, row in chains.rows.items()}


def resolved(chain: RNAStructure) -> list[int]:
    """Numbers of the residues with C1'."""
    has_c1 = chain.mask[0, :, HEAVY_ATOMS.index("C1'")]
    return chain.residue_index[has_c1].tolist()


def skipped(folder: Path) -> str:
    return (folder / "out" / "skipped.csv").read_text()


def test_strands_that_ter_separates_and_whose_numbers_run_on(tmp_path: Path) -> None:
    first, second = strand(SEQUENCE, chain=" "), strand(OTHER, start=25, chain=" ", shift=40.0)
    for numbered in (second, [replace(atom, base=f"{atom.base}5") for atom in second]):
        chains = prepared(tmp_path, {"duplex.pdb": pdb(first, numbered)})
        assert [chain.sequence for chain in chains.values()] == [SEQUENCE, OTHER]


def test_segments_separate_strands_too(tmp_path: Path) -> None:
    lines = pdb(strand(SEQUENCE, chain=" ")).splitlines()[:-2]
    others = pdb(strand(OTHER, start=25, chain=" ", shift=40.0)).splitlines()[:-2]
    text = "".join(f"{line:<72.72}{name}\n" for part, name in ((lines, "RNAA"), (others, "RNAB")) for line in part)
    chains = prepared(tmp_path, {"x.pdb": text})
    assert sorted(chain.sequence for chain in chains.values()) == [OTHER, SEQUENCE]


def test_ter_at_a_gap_separates_nothing(tmp_path: Path) -> None:
    gap = pdb([a for a in WHOLE if a.number <= 10], [a for a in WHOLE if a.number >= 15])
    (chain,) = prepared(tmp_path, {"gap.pdb": gap}).values()
    assert chain.sequence == SEQUENCE[:10] + SEQUENCE[14:]
    assert resolved(chain) == [*range(1, 11), *range(15, 25)]


def test_shifted_columns_are_refused_with_line_and_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "".join(line[:30] + " " + line[30:] + "\n" for line in pdb(WHOLE).splitlines())
    write_text(tmp_path / "in" / "bad.pdb", text)
    assert main([str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--workers", "1"]) == 2
    message = capsys.readouterr().err
    assert "bad.pdb" in message
    assert "line 1: the coordinates begin in column 32" in message


@pytest.mark.parametrize("text", ["*" * 24, f"{'nan':>8}" * 3, "9999.000" * 3, f"{'1e30':>8}" * 3, " 1.00-2.00x3.00"])
def test_residues_stay_when_their_atoms_cannot_be_read(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (chain,) = prepared(tmp_path, {"x.pdb": pdb(WHOLE, positions={5: f"{text:<24}"})}).values()
    assert chain.sequence == SEQUENCE
    assert resolved(chain) == [i for i in range(1, 25) if i != 5]
    assert "5 atoms without a readable position are masked (the first: line 21)" in capsys.readouterr().out


@pytest.mark.parametrize("cell", ["?", "nan", "1e30", "********"])
def test_unreadable_cells_of_mmcif_are_masked(cell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = mmcif({"A": (SEQUENCE, WHOLE)})
    x = f"{residue(WHOLE, 5)[0].xyz[0]:.3f}"
    (chain,) = prepared(tmp_path, {"x.cif": text.replace(f"A 1 5 {x} ", f"A 1 5 {cell} ", 1)}).values()
    assert not chain.mask[0, 4, HEAVY_ATOMS.index("P")]
    assert chain.mask[0, 4].sum() == 4
    assert "1 atoms without a readable position are masked (the first: atom_site row 21)" in capsys.readouterr().out


@pytest.mark.parametrize("shift", [-1, -5, 7])
def test_label_numbers_that_do_not_begin_at_one(shift: int, tmp_path: Path) -> None:
    atoms = [replace(atom, label=atom.label + shift, number=atom.number + 100) for atom in WHOLE]
    (chain,) = prepared(tmp_path, {"x.cif": mmcif({"A": (SEQUENCE, atoms)})}).values()
    assert (chain.sequence, resolved(chain)) == (SEQUENCE, list(range(1, 25)))


def test_label_numbers_that_run_on_over_a_missing_residue(tmp_path: Path) -> None:
    atoms = [replace(a, label=a.label - (a.number > 12)) for a in without(WHOLE, 12)]
    (chain,) = prepared(tmp_path, {"x.cif": mmcif({"A": (SEQUENCE, atoms)})}).values()
    assert (chain.sequence, resolved(chain)) == (SEQUENCE, [i for i in range(1, 25) if i != 12])


def test_two_polymers_of_one_author_chain(tmp_path: Path) -> None:
    both = {"A": (SEQUENCE, WHOLE), "B": (OTHER, strand(OTHER, start=101, shift=40.0))}
    chains = prepared(tmp_path, {"x.cif": mmcif(both)})
    assert {name: chain.sequence for name, chain in chains.items()} == {"x_A": SEQUENCE, "x_A-2": OTHER}


def test_modified_residues_at_the_end_or_after_ter(tmp_path: Path) -> None:
    moved = [replace(atom, record="HETATM") for number in (12, 5) for atom in residue(WHOLE, number)]
    rest = without(WHOLE, 5, 12)
    for text in (pdb(rest + moved), pdb(rest, moved)):
        (chain,) = prepared(tmp_path, {"x.pdb": text}).values()
        assert (chain.sequence, resolved(chain)) == (SEQUENCE, list(range(1, 25)))


def test_residues_in_any_order(tmp_path: Path) -> None:
    half = [a for a in WHOLE if a.number > 12] + [a for a in WHOLE if a.number <= 12]
    backwards = [atom for number in range(24, 0, -1) for atom in residue(WHOLE, number)]
    numbered_backwards = [replace(atom, number=25 - atom.number) for atom in WHOLE]
    reversed_too = [atom for number in range(1, 25) for atom in residue(numbered_backwards, number)]
    for atoms in (half, backwards, numbered_backwards, reversed_too):
        (chain,) = prepared(tmp_path, {"x.pdb": pdb(atoms)}).values()
        assert chain.sequence == SEQUENCE
        assert (np.diff(chain.residue_index) == 1).all()


def test_a_jump_of_the_numbers_over_a_bond_is_a_step_of_one(tmp_path: Path) -> None:
    atoms = [replace(atom, number=atom.number + (atom.number > 16)) for atom in WHOLE]
    atoms = [replace(atom, number=20, insertion="A") if atom.number == 21 else atom for atom in atoms]
    (chain,) = prepared(tmp_path, {"x.pdb": pdb(atoms)}).values()
    assert (chain.sequence, resolved(chain)) == (SEQUENCE, list(range(1, 25)))


def test_one_bad_chain_leaves_the_others(tmp_path: Path) -> None:
    twice = [*WHOLE, replace(residue(WHOLE, 8)[3], xyz=(1.0, 2.0, 3.0))]
    chains = prepared(tmp_path, {"x.pdb": pdb(twice, strand(OTHER, chain="B", shift=40.0))})
    assert list(chains) == ["x_B"]
    assert "x.pdb,chain A,residue 8 G: atom C1' given twice" in skipped(tmp_path)


def test_an_atom_repeated_exactly_is_no_fault(tmp_path: Path) -> None:
    (chain,) = prepared(tmp_path, {"x.pdb": pdb([*WHOLE, residue(WHOLE, 8)[3]])}).values()
    assert resolved(chain) == list(range(1, 25))


def test_a_residue_number_that_cannot_be_read_costs_its_chain(tmp_path: Path) -> None:
    text = pdb(WHOLE, strand(OTHER, chain="B", shift=40.0)).replace("G A   6 ", "G A**** ")
    assert list(prepared(tmp_path, {"x.pdb": text})) == ["x_B"]
    assert "residue number '****' cannot be read" in skipped(tmp_path)


def test_other_rnas_in_files_of_one_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {f"rna{k}/unrelaxed_model.pdb": pdb(strand(SEQUENCE[k:])) for k in range(3)}
    chains = prepared(tmp_path, files | {"copy/unrelaxed_model.pdb": pdb(WHOLE)})
    assert {name: chain.sequence for name, chain in chains.items()} == {
        "unrelaxed_model_A": SEQUENCE,
        "unrelaxed_model-2_A": SEQUENCE[1:],
        "unrelaxed_model-3_A": SEQUENCE[2:],
    }
    assert "2 chains renamed, because another RNA has their id" in capsys.readouterr().out
    duplicates = (tmp_path / "out" / "duplicates.csv").read_text()
    assert "rna0/unrelaxed_model.pdb,unrelaxed_model_A,copy/unrelaxed_model.pdb" in duplicates


def test_a_chain_in_other_units_does_not_train(tmp_path: Path) -> None:
    nanometres = [replace(atom, xyz=tuple(value / 10 for value in atom.xyz)) for atom in WHOLE]
    chains = prepared(tmp_path, {"good.pdb": pdb(WHOLE), "nm.pdb": pdb(nanometres)})
    assert list(chains) == ["good_A"]
    assert 'nm.pdb,nm_A,"100% of its bonds are out of range' in skipped(tmp_path)


def test_every_suffix_in_any_case_and_the_others_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("t1.pdb", "t2.PDB", "t3.pdb1", "t4.Ent.gz", "t5.cif", "t6.mmcif", "t7.pdbx", "t8.CIF.GZ")
    files = {}
    for k, name in enumerate(names):
        part = strand(SEQUENCE[k:])
        is_pdb = k < 4
        files[name] = pdb(part) if is_pdb else mmcif({"A": (SEQUENCE[k:], part)})
    chains = prepared(tmp_path, files | {"notes.txt": "of the thesis", "x.sdf": "a ligand"})
    assert [name.split("_")[0] for name in chains] == [f"t{k}" for k in range(1, 9)]
    assert "2 files left out, which are not structures: notes.txt, x.sdf" in capsys.readouterr().out


def test_a_file_that_no_reader_was_made_for_is_a_row(tmp_path: Path) -> None:
    files = {"good.pdb": pdb(WHOLE), "binary.pdb": "\0\1\2"}
    files["wrong.cif"] = mmcif({"A": (SEQUENCE, WHOLE)}).replace("A 1 5 ", "A 1 five ")
    files["large.cif"] = mmcif({"A": (SEQUENCE, WHOLE)}).replace(" 5 A 1\n", " 99999999999999999999 A 1\n")
    chains = prepared(tmp_path, files)
    assert "good_A" in chains
    assert "binary.pdb,,line 1: holds a NUL byte: not text" in skipped(tmp_path)
    assert main([str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--workers", "1", "--strict"]) == 1


def models(*parts: str) -> str:
    """A PDB file of several models."""
    bodies = (part.removesuffix("END\n") for part in parts)
    return "".join(f"MODEL     {k:4d}\n{body}ENDMDL\n" for k, body in enumerate(bodies, 1)) + "END\n"


def test_models_of_other_rnas_are_other_chains(tmp_path: Path) -> None:
    shifted = [replace(atom, xyz=(atom.xyz[0] + 1, *atom.xyz[1:])) for atom in WHOLE]
    chains = prepared(tmp_path, {"x.pdb": models(pdb(WHOLE), pdb(strand(OTHER)), pdb(shifted))})
    assert {name: (chain.sequence, chain.num_models) for name, chain in chains.items()} == {
        "x_A": (SEQUENCE, 2),
        "x_A-2": (OTHER, 1),
    }


def test_strands_whose_numbers_begin_anew_without_ter(tmp_path: Path) -> None:
    lines = pdb([*WHOLE, *strand(OTHER, shift=60.0)])
    chains = prepared(tmp_path, {"x.pdb": lines})
    assert {name: chain.sequence for name, chain in chains.items()} == {"x_A": SEQUENCE, "x_A-2": OTHER}


def test_strands_without_a_name_that_lie_apart(tmp_path: Path) -> None:
    text = pdb([*strand(SEQUENCE, chain=" "), *strand(OTHER, start=25, chain=" ", shift=60.0)])
    chains = prepared(tmp_path, {"x.pdb": text})
    assert sorted(chain.sequence for chain in chains.values()) == [OTHER, SEQUENCE]


def test_indented_records_are_read(tmp_path: Path) -> None:
    lines = pdb(WHOLE).splitlines()
    text = "\n".join("  " * (k % 3 == 0) + line for k, line in enumerate(lines)) + "\n"
    (chain,) = prepared(tmp_path, {"x.pdb": text}).values()
    assert chain.mask.sum() == len(WHOLE)


def test_atoms_at_the_origin_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (chain,) = prepared(tmp_path, {"x.pdb": pdb(WHOLE, positions={5: f"{'0.000':>8}" * 3})}).values()
    assert resolved(chain) == [i for i in range(1, 25) if i != 5]
    assert "5 atoms without a readable position are masked (the first: line 21)" in capsys.readouterr().out


def without_column(text: str, name: str) -> str:
    """An mmCIF file without a column of its atoms."""
    lines = text.splitlines()
    columns = [line for line in lines if line.startswith("_atom_site.")]
    place = columns.index(f"_atom_site.{name}")
    kept = []
    for line in lines:
        if line.startswith("ATOM "):
            cells = line.split(" ")
            line = " ".join(cells[:place] + cells[place + 1 :])
        if line != f"_atom_site.{name}":
            kept.append(line)
    return "\n".join(kept) + "\n"


@pytest.mark.parametrize(
    "name", ["id", "type_symbol", "label_alt_id", "label_asym_id", "auth_asym_id", "auth_seq_id", "label_seq_id"]
)
def test_a_column_of_atoms_that_is_missing(name: str, tmp_path: Path) -> None:
    (chain,) = prepared(tmp_path, {"x.cif": without_column(mmcif({"A": (SEQUENCE, WHOLE)}), name)}).values()
    assert (chain.sequence, resolved(chain)) == (SEQUENCE, list(range(1, 25)))


def test_one_author_number_for_all_residues(tmp_path: Path) -> None:
    long = SEQUENCE + OTHER
    atoms = [replace(atom, number=1) for atom in strand(long)]
    (chain,) = prepared(tmp_path, {"x.cif": mmcif({"A": (long, atoms)})}).values()
    assert (chain.sequence, resolved(chain)) == (long, list(range(1, 47)))


def test_a_declared_sequence_of_another_molecule_is_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    declared = "AUAUAUAUAUAUAUAUAUAUAUAUAUAUAU"
    (chain,) = prepared(tmp_path, {"x.cif": mmcif({"A": (declared, WHOLE)})}).values()
    assert chain.sequence == SEQUENCE
    assert "chain A: the declared sequence is that of another molecule" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["INDEX.CSV", "index.csv.gz", "Index.csv"])
def test_metadata_in_any_case_and_gzipped(name: str, tmp_path: Path) -> None:
    files = {"9xxa.pdb": pdb(WHOLE), "9xxb.pdb": pdb(strand(OTHER))}
    table = "id,release_date,benchmark\n9xxa_A,2020-01-01,casp15\n9xxb_A,2024-01-01,\n"
    prepared(tmp_path, files | {name: table}, "--assume-date", "2001-01-01", "--splits", str(tmp_path / "splits"))
    assert (tmp_path / "splits" / "train.csv").read_text().count("\n") == 1


def test_rows_of_the_metadata_that_contradict_each_other(tmp_path: Path) -> None:
    table = "id,release_date\n9xxa_A,2021-01-01\n9xxa_A,2024-01-01\n9xxb_A,2021-01-01\n9xxb_A,2021-01-01\n"
    files = {"9xxa.pdb": pdb(WHOLE), "9xxb.pdb": pdb(strand(OTHER)), "index.csv": table}
    assert list(prepared(tmp_path, files)) == ["9xxb_A"]
    assert "two rows of the metadata give it the release_date 2021-01-01 and 2024-01-01" in skipped(tmp_path)


def test_tabs_after_the_coordinates_are_harmless(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = pdb(WHOLE)
    assert list(prepared(tmp_path, {"x.pdb": text.replace("  1.00 20.00", "\t1.00\t20.00")})) == ["x_A"]
    write_text(tmp_path / "in" / "x.pdb", "\n".join("\t".join(line.split()) for line in text.splitlines()))
    assert main([str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--workers", "1"]) == 2
    assert "line 1: tabs where the format has columns of fixed width" in capsys.readouterr().err


def test_residue_numbers_at_the_left_of_their_columns(tmp_path: Path) -> None:
    text = "".join(f"{line[:22]}{line[22:26].strip():<4}{line[26:]}\n" for line in pdb(WHOLE).splitlines()[:-2])
    (chain,) = prepared(tmp_path, {"x.pdb": text}).values()
    assert resolved(chain) == list(range(1, 25))
