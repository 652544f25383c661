import csv
import gzip
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import gemmi
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rnagen.errors import InputError
from rnagen.io.formats import stem
from rnagen.io.read import read_structures
from rnagen.structure import HEAVY_ATOMS, RNAStructure
from tests.helpers.pdb_text import BASES, RIBOSE, atom_line, nucleotide, x_of

C1 = HEAVY_ATOMS.index("C1'")


def read_pdb(folder: Path, *records: str, name: str = "x.pdb") -> list[RNAStructure]:
    (folder / name).write_text("".join(records))
    return read_structures(folder / name)


def chain(sequence: str, start: int = 1, **details: str) -> str:
    return "".join(nucleotide(base, start + i, **details) for i, base in enumerate(sequence))


def test_plain_pdb_without_header(tmp_path: Path) -> None:
    (rna,) = read_pdb(tmp_path, chain("GGAUC"), "TER\nEND\n", name="mine.pdb")
    assert (rna.name, rna.entry, rna.chain, rna.sequence) == ("mine_A", "mine", "A", "GGAUC")
    assert rna.coords.shape == (1, 5, 27, 3)
    assert rna.mask.sum(axis=2).tolist() == [[len(RIBOSE) + len(BASES[b]) for b in "GGAUC"]]
    assert (rna.coords[~rna.mask] == 0).all()
    assert x_of(rna.coords) == [1, 2, 3, 4, 5]
    assert rna.residue_index.tolist() == [1, 2, 3, 4, 5]
    assert (rna.release_date, rna.method, rna.title) == ("", "", "")
    assert np.isnan(rna.resolution)


def test_header_of_a_pdb_entry(tmp_path: Path) -> None:
    header = (
        "HEADER    RNA                                     28-JAN-15   4XWF              \n"
        "TITLE     A RIBOSWITCH AT 1.80\n"
        "TITLE    2 ANGSTROM\n"
        "EXPDTA    X-RAY DIFFRACTION\n"
        "REVDAT   2   16-SEP-16 4XWF    1       JRNL\n"
        "REVDAT   1   09-SEP-15 4XWF    0\n"
        "REMARK   2 RESOLUTION.    1.80 ANGSTROMS.\n"
    )
    (rna,) = read_pdb(tmp_path, header, chain("GGC"))
    assert (rna.name, rna.entry, rna.release_date, rna.method) == ("4xwf_A", "4xwf", "2015-09-09", "X-RAY DIFFRACTION")
    assert (rna.title, rna.resolution) == ("A RIBOSWITCH AT 1.80 ANGSTROM", 1.8)


def test_dna_protein_ligands_water_and_ions_are_left_out(tmp_path: Path) -> None:
    protein = "".join(atom_line("CA", "ALA", i, (i, 0, 50), chain="P") for i in range(1, 20))
    dna = chain("GAC", chain="D", without=("O2'",))
    new_dna = "".join(nucleotide(f"D{b}", i, chain="E", without=("O2'",)) for i, b in enumerate("GAC", 1))
    ligands = (
        nucleotide("GTP", 101, base="G", at=40, chain="R", record="HETATM")
        + atom_line("MG", "MG", 102, (9, 9, 9), chain="R", record="HETATM")
        + atom_line("O", "HOH", 103, (9, 19, 9), chain="R", record="HETATM")
    )
    (rna,) = read_pdb(tmp_path, protein, dna, new_dna, chain("GGCU", chain="R"), ligands)
    assert (rna.name, rna.sequence) == ("x_R", "GGCU")


@pytest.mark.parametrize("ter", ["TER\n", ""])
def test_gtp_is_a_residue_where_it_is_bonded(tmp_path: Path, ter: str) -> None:
    start = nucleotide("GTP", 1, base="G", record="HETATM")
    free = nucleotide("A", 50, at=60, record="HETATM") + nucleotide("G", 90, at=80, record="HETATM")
    (rna,) = read_pdb(tmp_path, start, chain("GCU", 2), ter, free if ter else "")
    assert rna.sequence == "GGCU"


def test_modified_residues_become_their_parent_and_lose_their_extras(tmp_path: Path) -> None:
    extra = atom_line("CM5", "5MC", 2, (1, 1, 1), record="HETATM") + atom_line("S1P", "5MC", 2, (2, 1, 1))
    (rna,) = read_pdb(
        tmp_path,
        chain("G"),
        nucleotide("5MC", 2, base="C", record="HETATM"),
        extra,
        nucleotide("ZZ9", 3, base="A", record="HETATM"),
        chain("U", 4),
    )
    assert rna.sequence == "GCAU"
    assert rna.mask[0, 1].sum() == len(RIBOSE) + len(BASES["C"])


def test_modres_names_the_parent_of_what_no_table_knows(tmp_path: Path) -> None:
    modres = "MODRES 1XYZ ZZ9 A    2    C  SOME PARENT\n"
    bare = nucleotide("ZZ9", 2, base="U", record="HETATM", without=("O4", "N1"))
    assert read_pdb(tmp_path, modres, chain("G"), bare, chain("G", 3))[0].sequence == "GCG"
    assert read_pdb(tmp_path, chain("G"), bare, chain("G", 3))[0].sequence == "GNG"


def test_atoms_of_another_base_overrule_the_name(tmp_path: Path) -> None:
    wrong = nucleotide("U", 1, base="G") + nucleotide("N", 2, base="A") + nucleotide("C", 3, base="U")
    purine = nucleotide("N", 4, base="A", without=("N6",))
    (rna,) = read_pdb(tmp_path, wrong, purine)
    assert rna.sequence == "GACN"
    assert rna.select_atoms(("N",)).mask[0, :, 0].tolist() == [True, True, True, False]


def test_pseudouridine_hangs_on_n1(tmp_path: Path) -> None:
    """C5 of PSU is bonded to C1'; under the parent's names that atom is N1, and O2 and O4 change places."""
    ring = {"N1": 4.0, "C2": 3.5, "O2": 3.8, "N3": 3.0, "C4": 2.5, "O4": 2.8, "C5": 1.5, "C6": 2.6}
    atoms = atom_line("C1'", "PSU", 1, (0, 0, 1), record="HETATM")
    atoms += "".join(atom_line(name, "PSU", 1, (0, y, 1), record="HETATM") for name, y in ring.items())
    (rna,) = read_pdb(tmp_path, atoms, chain("GG", 2))
    y = {name: float(rna.coords[0, 0, HEAVY_ATOMS.index(name), 1]) for name in ring}
    assert y == pytest.approx({"N1": 1.5, "C2": 2.5, "O2": 2.8, "N3": 3.0, "C4": 3.5, "O4": 3.8, "C5": 4.0, "C6": 2.6})


def test_insertion_codes_keep_residues_apart_and_the_index_increasing(tmp_path: Path) -> None:
    (rna,) = read_pdb(
        tmp_path,
        nucleotide("G", 20, at=1),
        nucleotide("A", 20, at=2, insertion="A"),
        nucleotide("C", 20, at=3, insertion="B"),
        nucleotide("U", 21, at=4),
        nucleotide("G", 25, at=9),
    )
    assert rna.sequence == "GACUG"
    assert x_of(rna.coords) == [1, 2, 3, 4, 9]
    assert rna.residue_index.tolist() == [20, 21, 22, 23, 27]


def test_gap_is_a_jump_and_negative_numbers_are_numbers(tmp_path: Path) -> None:
    (rna,) = read_pdb(tmp_path, chain("GG", -3), chain("CC", 7))
    assert rna.residue_index.tolist() == [-3, -2, 7, 8]


def test_alternate_location_of_highest_occupancy_for_the_whole_residue(tmp_path: Path) -> None:
    def residue(number: int, occupancies: dict[str, float]) -> str:
        lines = atom_line("P", "G", number, (0, 0, 9))
        for altloc, occupancy in occupancies.items():
            for name in ("C4'", "C1'"):
                x = float("ABC".index(altloc))
                lines += atom_line(name, "G", number, (x, number, 1), altloc=altloc, occupancy=occupancy)
        return lines + atom_line("N9", "G", number, (7, number, 1), altloc="C", occupancy=0.1)

    (rna,) = read_pdb(tmp_path, residue(1, {"A": 0.3, "B": 0.7}), residue(2, {"A": 0.5, "B": 0.5}))
    columns = [HEAVY_ATOMS.index(name) for name in ("C4'", "C1'", "N9")]
    assert rna.mask[0][:, columns].all()
    assert rna.coords[0][:, columns, 0].tolist() == [[1, 1, 7], [0, 0, 7]]


def test_two_kinds_of_residue_at_one_place(tmp_path: Path) -> None:
    both = nucleotide("A", 2, altloc="A", occupancy=0.4) + nucleotide("U", 2, altloc="B", occupancy=0.6)
    (rna,) = read_pdb(tmp_path, chain("G"), both, chain("G", 3))
    assert rna.sequence == "GUG"


def test_old_names_of_atoms(tmp_path: Path) -> None:
    old = chain("GC").replace("'", "*").replace("OP1", "O1P").replace("OP2", "O2P")
    (rna,) = read_pdb(tmp_path, old)
    assert rna.mask[:, :, : len(RIBOSE)].all()


def test_models_with_a_residue_missing_from_one(tmp_path: Path) -> None:
    (rna,) = read_pdb(
        tmp_path,
        *("MODEL        1\n", chain("G"), chain("C", 3), "TER\nENDMDL\n"),
        *("MODEL        2\n", chain("GAC"), "TER\nENDMDL\n"),
    )
    assert (rna.num_models, rna.sequence) == (2, "GAC")
    assert rna.mask[:, :, C1].tolist() == [[True, False, True], [True, True, True]]


def test_rna_in_hetatm_records_without_ter(tmp_path: Path) -> None:
    (rna,) = read_pdb(tmp_path, chain("GGCC", record="HETATM"))
    assert rna.sequence == "GGCC"


def test_strands_of_one_name_that_ter_separates(tmp_path: Path) -> None:
    pair = read_pdb(tmp_path, chain("GGG", chain=" "), "TER\n", chain("CCC", chain=" "), "TER\n")
    assert [(s.name, s.sequence) for s in pair] == [("x", "GGG"), ("x_2", "CCC")]
    (one,) = read_pdb(tmp_path, chain("GGG"), "TER\n", chain("CCC", 4), "TER\n")
    assert (one.name, one.sequence) == ("x_A", "GGGCCC")


def test_hybrid_chain_is_what_most_of_it_is(tmp_path: Path) -> None:
    dna = nucleotide("DA", 4, chain="H", without=("O2'",))
    (rna,) = read_pdb(tmp_path, chain("GGC", chain="H"), dna)
    assert rna.sequence == "GGCA"
    with pytest.raises(InputError, match="no RNA"):
        read_pdb(tmp_path, chain("G"), nucleotide("DA", 2, without=("O2'",)), nucleotide("DC", 3, without=("O2'",)))


def test_unknown_positions_are_masked(tmp_path: Path) -> None:
    blank, nan, stars = (("        ",) * 3, ("     nan",) * 3, ("********",) * 3)
    bad = "".join(atom_line(n, "G", 2, xyz) for n, xyz in [("P", blank), ("C4'", nan), ("O4'", stars)])
    zeros = "".join(atom_line(name, "G", 3, (0, 0, 0)) for name in ("P", "C1'"))
    (rna,) = read_pdb(tmp_path, chain("G"), bad, atom_line("C1'", "G", 2, (9, 9, 9)), zeros, chain("G", 4))
    assert rna.mask[0, 1:3].sum() == 1
    assert rna.mask[0, 1, C1]
    assert np.isfinite(rna.coords).all()
    (lone,) = read_pdb(tmp_path, atom_line("C1'", "G", 1, (0, 0, 0)))
    assert lone.mask.sum() == 1


def test_seqres_places_residues(tmp_path: Path) -> None:
    seqres = "SEQRES   1 A    8    G   G   A   A   C   C   U   U\n"
    (rna,) = read_pdb(tmp_path, seqres, chain("GAA", 12), chain("CUU", 16), "TER\n")
    assert rna.sequence == "GGAACCUU"
    assert rna.mask[0, :, C1].tolist() == [False, True, True, True, False, True, True, True]
    assert rna.residue_index.tolist() == list(range(1, 9))


MMCIF = """data_TEST
_entry.id 9TST
_exptl.method 'SOLUTION NMR'
_struct.title 'a hairpin'
loop_
_pdbx_audit_revision_history.data_content_type
_pdbx_audit_revision_history.revision_date
'Structure model' 2021-05-01
'Structure model' 2020-02-03
'EM metadata' 2019-01-01
loop_
_entity.id
_entity.type
1 polymer
_entity_poly.entity_id 1
_entity_poly.type polyribonucleotide
loop_
_entity_poly_seq.entity_id
_entity_poly_seq.num
_entity_poly_seq.mon_id
{sequence}
_struct_asym.id X
_struct_asym.entity_id 1
loop_
_atom_site.group_PDB
_atom_site.id
_atom_site.type_symbol
_atom_site.label_atom_id
_atom_site.label_alt_id
_atom_site.label_comp_id
_atom_site.label_asym_id
_atom_site.label_entity_id
_atom_site.label_seq_id
_atom_site.pdbx_PDB_ins_code
_atom_site.Cartn_x
_atom_site.Cartn_y
_atom_site.Cartn_z
_atom_site.occupancy
_atom_site.auth_seq_id
_atom_site.auth_asym_id
_atom_site.pdbx_PDB_model_num
{atoms}
"""


def mmcif(sequence: str, residues: list[tuple[int, int, str]], title: str = "'a hairpin'") -> str:
    """Residues are (label number, author number, x of its C1')."""
    listed = "\n".join(f"1 {i} {base}" for i, base in enumerate(sequence, start=1))
    rows = [
        f'ATOM {n} C "C1\'" . {sequence[label - 1]} X 1 {label} ? {x} 1 1 1 {author} AA 1'
        for n, (label, author, x) in enumerate(residues, start=1)
    ]
    return MMCIF.format(sequence=listed, atoms="\n".join(rows)).replace("'a hairpin'", title)


def read_mmcif(folder: Path, text: str) -> RNAStructure:
    (folder / "x.cif").write_text(text)
    (rna,) = read_structures(folder / "x.cif")
    return rna


def test_mmcif_header_and_unresolved_residues(tmp_path: Path) -> None:
    rna = read_mmcif(tmp_path, mmcif("GGAUC", [(1, 101, "one"), (2, 102, "6"), (3, 103, "?"), (5, 105, "18")]))
    assert (rna.name, rna.entry, rna.chain, rna.sequence) == ("9tst_AA", "9tst", "AA", "GGAUC")
    assert (rna.release_date, rna.method, rna.title) == ("2020-02-03", "SOLUTION NMR", "a hairpin")
    assert rna.mask[0, :, C1].tolist() == [False, True, False, False, True]
    assert rna.residue_index.tolist() == [1, 2, 3, 4, 5]


def test_sequence_of_resolved_residues_only_is_numbered_by_the_author(tmp_path: Path) -> None:
    broken = [(1, 11, "0"), (2, 12, "6"), (3, 20, "60"), (4, 21, "66")]
    assert read_mmcif(tmp_path, mmcif("GGAU", broken)).residue_index.tolist() == [11, 12, 20, 21]
    whole = [(1, 11, "0"), (2, 12, "6"), (3, 20, "12"), (4, 21, "18")]
    assert read_mmcif(tmp_path, mmcif("GGAU", whole)).residue_index.tolist() == [1, 2, 3, 4]


def test_residues_that_lost_their_insertion_codes_stay_apart(tmp_path: Path) -> None:
    rna = read_mmcif(tmp_path, mmcif("GGGU", [(1, 20, "1"), (2, 20, "7"), (3, 20, "13"), (4, 21, "19")]))
    assert rna.coords[0, :, C1, 0].tolist() == [1, 7, 13, 19]


def test_title_that_was_quoted_twice(tmp_path: Path) -> None:
    rna = read_mmcif(tmp_path, mmcif("GG", [(1, 1, "1"), (2, 2, "7")], title="\n;;A TITLE\n;\n;"))
    assert rna.title == "A TITLE"


def test_gzip_by_content(tmp_path: Path) -> None:
    text = mmcif("GG", [(1, 1, "1"), (2, 2, "7")])
    for name in ("x.cif.gz", "x.cif"):
        (tmp_path / name).write_bytes(gzip.compress(text.encode()))
        assert read_structures(tmp_path / name)[0].sequence == "GG"


GOOD = mmcif("GG", [(1, 1, "1"), (2, 2, "7")])
ZIPPED = gzip.compress(GOOD.encode(), mtime=0)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"hello\n", "neither mmCIF nor a PDB"),
        (bytes(range(256)), "holds a NUL byte"),
        (b"data_x\n_entry.id X\n", "without coordinates"),
        (GOOD[: GOOD.rindex(" 1 1 1 ")].encode(), "cut off, or damaged"),
        (ZIPPED[:-30], "truncated gzip"),
        (ZIPPED[:40] + b"x" * 20 + ZIPPED[60:], "corrupt gzip"),
        ((chain("GG") + "ATOM      1  P     C A   3      18.000").encode(), "line 47: an atom record cut short"),
        ("".join(atom_line("CA", "ALA", i, (i, 0, 0)) for i in range(1, 5)).encode(), "no RNA"),
        (chain("GGC", without=("O2'",)).encode(), "no RNA"),
        (mmcif("GG", [(1, 1, "?"), (2, 2, ".")]).encode(), "has no coordinates of RNA"),
        (mmcif("GG", [(1, 1, "1"), (1, 1, "2")]).encode(), "given twice"),
    ],
    ids=range(12),
)
def test_bad_files(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "x.dat"
    path.write_bytes(content)
    with pytest.raises(InputError, match=reason) as raised:
        read_structures(path)
    assert str(raised.value).startswith(str(path))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(st.booleans(), st.integers(0, 2500), st.binary(max_size=4), st.booleans())
def test_damaged_files_are_read_or_refused(tmp_path: Path, is_mmcif: bool, at: int, junk: bytes, is_cut: bool) -> None:
    whole = (GOOD if is_mmcif else chain("GC")).encode()
    damaged = whole[:at] + junk + (b"" if is_cut else whole[at + len(junk) :])
    (tmp_path / "x").write_bytes(damaged)
    try:
        structures = read_structures(tmp_path / "x")
    except InputError:
        return
    assert all(s.mask.any() and np.isfinite(s.coords).all() for s in structures)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_structures(tmp_path / "absent.cif")


def summary(path: Path) -> tuple[str, list[tuple[str, int, int, int, str]], int]:
    """File, (name, length, residues with C1', models, release date) of its chains, C1' far from their N."""
    try:
        chains = read_structures(path)
    except InputError as error:
        return path.name, [(error.reason, 0, 0, 0, "")], 0
    rows = [(s.name, len(s), int(s.mask[:, :, C1].any(axis=0).sum()), s.num_models, s.release_date) for s in chains]
    assert all(np.isfinite(s.coords).all() and (np.diff(s.residue_index) > 0).all() for s in chains)
    beads = [s.select_atoms(("C1'", "N")) for s in chains]
    bonds = [np.linalg.norm(b.coords[:, :, 0] - b.coords[:, :, 1], axis=-1)[b.mask.all(axis=-1)] for b in beads]
    return path.name, rows, int(np.sum(np.concatenate(bonds) > 2))


def read_all(folder: Path) -> dict[str, tuple[list[tuple[str, int, int, int, str]], int]]:
    with ProcessPoolExecutor(2) as candidates:
        results = candidates.map(summary, sorted(folder.iterdir()), chunksize=32)
        return {name: (rows, far) for name, rows, far in results}


@pytest.mark.data
@pytest.mark.slow
def test_all_prepared_structures_are_read(shared_data: Path) -> None:
    """About 25 s on two cores."""
    with open(shared_data / "index.csv", newline="") as file:
        index = {Path(row["file"]).name: row for row in csv.DictReader(file) if row["file"].startswith("structures/")}
    results = read_all(shared_data / "structures")
    assert len(results) == 2426
    differences: Counter[str] = Counter()
    for file, (rows, _) in results.items():
        expected = index[file]
        assert len(rows) == 1, file
        name, length, resolved, models, date = rows[0]
        differences["name"] += name != stem(Path(file))
        differences["length"] += length != int(expected["length"])
        differences["resolved"] += resolved != int(expected["n_resolved"])
        differences["models"] += models != int(expected["n_models"])
        differences["date"] += date != expected["release_date"]
    # Three files hold a second chain of one name (`3hl2_E__2`); in the file it is 3hl2, chain E.
    assert +differences == Counter(name=3)
    assert sum(far for _, far in results.values()) == 2  # two residues that were built badly: 1yfg A63, 4fau A292


@pytest.mark.data
def test_all_original_files_are_read(shared_data: Path) -> None:
    results = read_all(shared_data / "originals")
    assert len(results) == 36
    chains = [row for rows, _ in results.values() for row in rows]
    assert all(length for _, length, *_ in chains)
    assert len(chains) == 58
    by_name = {name: (length, resolved, models) for name, length, resolved, models, _ in chains}
    assert by_name["1afx_A"] == (12, 12, 13)  # NMR bundle
    assert by_name["1foq_C"] == (120, 109, 1)  # unresolved residues
    assert by_name["1fcw_A"] == (76, 76, 1)  # fourteen modified residues
    assert by_name["7ycg_rna_N"] == (393, 393, 1)  # no header, numbered from 17


def test_gemmi_reads_the_same_atoms(tmp_path: Path) -> None:
    """The test's own files are PDB files to gemmi too."""
    (tmp_path / "x.pdb").write_text(chain("GC"))
    assert gemmi.read_structure(str(tmp_path / "x.pdb"))[0].count_atom_sites() == 2 * len(RIBOSE) + 11 + 8
