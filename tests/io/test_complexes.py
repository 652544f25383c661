"""Chains of a complex <-> one structure of several strands, in memory and through files."""

from dataclasses import replace
from pathlib import Path

import gemmi
import numpy as np
import pytest

from rnagen.errors import InputError
from rnagen.io.complexes import join_chains, split_chains
from rnagen.io.model_cif import PredictedQuality
from rnagen.io.read import read_structures
from rnagen.io.write import write_structure
from rnagen.structure import BEADS, RNAStructure


def duplex(text: str = "GGGC&AA&GGGC&U", models: int = 2) -> RNAStructure:
    sequence, strands = text.replace("&", ""), tuple(map(len, text.split("&")))
    rng = np.random.default_rng(1)
    shape = (models, len(sequence), 4)
    coords = rng.normal(scale=20, size=(*shape, 3)).astype(np.float32)
    return RNAStructure("duo", sequence, coords, np.ones(shape, dtype=bool), BEADS, chain="A", strands=strands)


def test_split_and_join_are_inverse() -> None:
    whole = duplex()
    chains = split_chains(whole)
    assert [(one.chain, one.sequence) for one in chains] == [("A", "GGGC"), ("B", "AA"), ("C", "GGGC"), ("D", "U")]
    assert [one.residue_index.tolist() for one in chains][1] == [1, 2]
    joined = join_chains("duo", chains)
    assert (joined.sequence, joined.strands) == (whole.sequence, whole.strands)
    assert np.array_equal(joined.coords, whole.coords)
    assert np.array_equal(joined.residue_index, whole.residue_index)


def test_one_chain_stays_as_it_is() -> None:
    one = replace(duplex("GGGC"), strands=())
    assert join_chains("duo", [one]) is one
    assert split_chains(one) == [one]


def test_chains_of_other_models_cannot_be_joined() -> None:
    one, two = split_chains(duplex("GG&CC"))
    with pytest.raises(ValueError, match="differ in atoms or in the number of models"):
        join_chains("duo", [one, two.models([0])])


def test_strands_have_all_residues() -> None:
    with pytest.raises(ValueError, match="do not make 4"):
        replace(duplex("GG&CC"), strands=(2, 1))


@pytest.mark.parametrize("suffix", [".cif", ".pdb", ".cif.gz", ".pdb.gz"])
def test_files_round_trip(tmp_path: Path, suffix: str) -> None:
    whole = duplex()
    write_structure(whole, tmp_path / f"duo{suffix}", PredictedQuality(np.arange(22.0).reshape(2, 11), np.ones(2)))
    chains = read_structures(tmp_path / f"duo{suffix}")
    assert [one.chain for one in chains] == list("ABCD")
    assert all(one.residue_index[0] == 1 for one in chains)
    joined = join_chains("duo", chains)
    assert (joined.sequence, joined.strands) == (whole.sequence, whole.strands)
    assert np.allclose(joined.select_atoms(BEADS).coords, whole.coords, atol=1e-3)
    found = gemmi.read_structure(str(tmp_path / f"duo{suffix}"))
    factors = [residue[0].b_iso for model in found for chain in model for residue in chain]
    assert factors == list(range(22))


def test_equal_strands_are_one_entity(tmp_path: Path) -> None:
    write_structure(duplex(), tmp_path / "duo.cif")
    entities = gemmi.read_structure(str(tmp_path / "duo.cif")).entities
    assert [(one.name, one.subchains, one.full_sequence) for one in entities] == [
        ("1", ["A", "C"], list("GGGC")),
        ("2", ["B"], list("AA")),
        ("3", ["D"], list("U")),
    ]


def test_each_chain_of_a_pdb_file_ends(tmp_path: Path) -> None:
    write_structure(duplex(models=1), tmp_path / "duo.pdb")
    lines = (tmp_path / "duo.pdb").read_text().splitlines()
    assert [line[21] for line in lines if line.startswith("TER")] == list("ABCD")
    assert [line[11] for line in lines if line.startswith("SEQRES")] == list("ABCD")


def test_62_strands_fit_both_formats(tmp_path: Path) -> None:
    many = duplex("&".join(["GC"] * 62), 1)
    for suffix in (".cif", ".pdb"):
        write_structure(many, tmp_path / f"many{suffix}")
        assert join_chains("many", read_structures(tmp_path / f"many{suffix}")).strands == (2,) * 62


def test_a_pdb_file_counts_the_residues_of_each_strand(tmp_path: Path) -> None:
    whole = replace(duplex("G&C", 1), coords=np.zeros((1, 2, 4, 3), dtype=np.float32))
    long = replace(
        whole,
        sequence="G" * 12_000,
        coords=np.zeros((1, 12_000, 4, 3), dtype=np.float32),
        mask=np.repeat(whole.mask[:, :1], 12_000, axis=1),
        residue_index=np.arange(1, 12_001, dtype=np.int32),
        strands=(2_000, 10_000),
    )
    with pytest.raises(InputError, match="12000 residues do not fit the PDB format"):
        write_structure(long, tmp_path / "long.pdb")
