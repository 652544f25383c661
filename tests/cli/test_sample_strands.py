"""RNAs of several strands through sample.py and `rnagen evaluate`."""

import csv
import json
import shutil
from pathlib import Path

import pytest

import rnagen
from rnagen.checkpoints.structure import save_checkpoint
from rnagen.cli.evaluate import main as evaluate
from rnagen.cli.reactivity import main as reactivity
from rnagen.cli.sample import main
from rnagen.io.read import read_structures
from tests.helpers.tiny import CONDITIONED, TINY, tiny_model

DUO = "GGGGCAUC&GAUGCCCC"


@pytest.fixture
def sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run sample.py with a tiny model in an empty folder; returns the exit code."""
    monkeypatch.chdir(tmp_path)
    for name, config in (("tiny", TINY), ("conditioned", CONDITIONED)):
        save_checkpoint(Path(f"{name}.safetensors"), tiny_model(config), config, {"cutoff": "2022-05-27"})

    def call(*options: str, ckpt: str = "tiny") -> int:
        return main(["--ckpt", f"{ckpt}.safetensors", "--steps", "2", "--n", "2", "--out", "out", *options])

    return call


@pytest.mark.parametrize("structure_format", ["cif", "pdb"])
def test_each_strand_is_a_chain(sample, capsys, structure_format: str) -> None:
    assert sample("--sequence", DUO, "--format", structure_format) == 0
    printed = capsys.readouterr()
    assert "RNAs of several strands are built on no template: rna" in printed.out
    for file in ("conformer_1", "conformer_2", "ensemble"):
        chains = read_structures(Path("out/rna", f"{file}.{structure_format}"))
        assert [(one.chain, one.sequence) for one in chains] == [("A", "GGGGCAUC"), ("B", "GAUGCCCC")]
        assert all(one.residue_index.tolist() == list(range(1, 9)) for one in chains)
    with open("out/submission.csv") as file:
        rows = list(csv.DictReader(file))
    assert "".join(row["resname"] for row in rows) == DUO.replace("&", "")
    assert [row["ID"] for row in rows] == [f"rna_{k}" for k in range(1, 17)]
    summary = json.loads(Path("out/rna/summary.json").read_text())
    assert (summary["sequence"], summary["length"]) == (DUO, 16)
    # Three distances in each residue, three from each to the next of its strand.
    assert summary["geometry"][0]["bonds"] == 3 * 16 + 3 * 14


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("in.fasta", f">duo\n{DUO[:4]}\n{DUO[4:]}\n((((((((&)))))))) (-9.20)\n"),
        ("in.csv", f"target_id,sequence\nduo,{DUO}\n"),
        ("duo.txt", f"{DUO}\n"),
    ],
)
def test_every_input_has_strands(sample, file: str, text: str) -> None:
    Path(file).write_text(text)
    assert sample("--csv" if file == "in.csv" else "--fasta", file) == 0
    (entry,) = json.loads(Path("out/run.json").read_text())["targets"]
    assert (entry["name"], entry["sequence"]) == ("duo", DUO)


def test_a_secondary_structure_is_followed_and_recorded(sample) -> None:
    assert sample("--sequence", DUO, "--structure", "((((((((&))))))))", ckpt="conditioned") == 0
    (entry,) = json.loads(Path("out/run.json").read_text())["targets"]
    assert entry["secondary_structure"] == "((((((((&))))))))"


def test_python_takes_strands(sample) -> None:
    options = {"ckpt": "tiny.safetensors", "steps": 2}
    ensemble = rnagen.sample(DUO, 1, **options)
    assert ensemble.structure.strands == (8, 8)
    assert ensemble.coords.shape == (1, 16, 27, 3)
    assert rnagen.sample_targets({"duo": DUO}, 1, **options)["duo"].structure.strands == (8, 8)
    ensemble.save("duo.pdb")
    assert len(read_structures("duo.pdb")) == 2


@pytest.mark.slow
def test_conformers_are_added_as_if_they_had_been_there(sample) -> None:
    sample("--sequence", DUO, "--n", "3", "--out", "at_once")
    sample("--sequence", DUO, "--n", "1")
    assert sample("--sequence", DUO, "--n", "3") == 0
    for file in ("rna/ensemble.cif", "rna/conformer_1.cif", "rna/conformer_3.cif", "submission.csv"):
        assert Path("out", file).read_bytes() == Path("at_once", file).read_bytes()


def test_the_joined_sequence_is_another_rna(sample, capsys) -> None:
    assert sample("--sequence", DUO) == 0
    assert sample("--sequence", DUO.replace("&", "")) == 2
    assert "has another RNA of the same name" in capsys.readouterr().err
    assert sample("--sequence", DUO.replace("&", ""), "--out", "one") == 0
    assert Path("out/rna/conformer_1.cif").read_bytes() != Path("one/rna/conformer_1.cif").read_bytes()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--sequence", "GGGC&"], "strand 2 is empty: & stands between two strands"),
        (["--sequence", "GG&&CC"], "strand 2 is empty"),
        (["--sequence", "&".join("G" * 63)], "63 strands: at most 62"),
        (["--sequence", "GGGC&GCCC", "--structure", "(((&())))"], "& stands elsewhere than in the sequence"),
        (["--sequence", DUO, "--secondary-structures", "sampled"], "2 strands; secondary structures are sampled for"),
        (["--sequence", DUO, "--alignments", "aligned"], "2 strands; alignments are read for RNAs of one strand"),
        (["--sequence", DUO, "--templates", "draft.cif"], "2 strands; templates of files are read for RNAs of one"),
        (["--sequence", DUO, "--draft", "draft.cif"], "2 strands; drafts are read for RNAs of one strand"),
        (["--sequence", "G" * 2300 + "&" + "C" * 2300], "2 strands; base pairs of several strands are predicted"),
    ],
)
def test_refusals(sample, capsys, options: list[str], reason: str) -> None:
    Path("aligned").mkdir()
    Path("aligned/rna.fasta").write_text(f">rna\n{DUO.replace('&', '')}\n")
    rnagen.sample("GGGGCUUCGGCCCC", 1, ckpt="tiny.safetensors", steps=2).save("draft.cif")
    config = CONDITIONED.model
    aligned = type(config)(**{**vars(config), "pair_features": ("consensus",)})
    whole = type(CONDITIONED)(**{**vars(CONDITIONED), "model": aligned})
    save_checkpoint(Path("aligned.safetensors"), tiny_model(whole), whole, {"cutoff": "2022-05-27"})
    assert sample(*options, ckpt="aligned") == 2
    assert reason in capsys.readouterr().err


def test_reactivities_are_refused(sample, capsys) -> None:
    assert reactivity(["--sequence", DUO, "--out", "profiles"]) == 2
    assert "2 strands: reactivities are predicted for RNAs of one strand" in capsys.readouterr().err


@pytest.mark.parametrize("structure_format", ["cif", "pdb"])
@pytest.mark.parametrize("has_table", [True, False])
def test_a_folder_is_scored(sample, structure_format: str, has_table: bool) -> None:
    assert sample("--sequence", "GGGGCAUC&GGGGCAUC", "--format", structure_format) == 0
    Path("known").mkdir()
    shutil.copy(f"out/rna/conformer_2.{structure_format}", f"known/rna.{structure_format}")
    if not has_table:
        Path("out/submission.csv").unlink()
    likelihood = ["--likelihood", "--ckpt", "tiny.safetensors"] if structure_format == "cif" else []
    assert evaluate(["out", "known", "--out", "scores.json", "--no-baselines", *likelihood]) == 0
    (target,) = json.loads(Path("scores.json").read_text())["targets"]
    assert (target["target"], target["length"], target["predictions"]) == ("rna", 16, 2)
    assert target["best1"] < target["best5"] == pytest.approx(1, abs=1e-3)
