"""Files of sequences as people and programs leave them, through `sample.py`."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from rnagen.checkpoints.structure import save_checkpoint
from rnagen.cli.sample import main
from rnagen.io.labels import read_labels
from tests.helpers.tiny import CONDITIONED, TINY, stirred, tiny_model

SEQUENCE = "GGGAAACUUCGGUUUCCC"
HELIX = "((((((......))))))"
KNOT = "((((((AA..aa))))))"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that follows secondary structures, and one that does not."""
    made = tmp_path_factory.mktemp("ckpt")
    save_checkpoint(
        made / "follows.safetensors", stirred(tiny_model(CONDITIONED)), CONDITIONED, {"cutoff": "2022-05-27"}
    )
    save_checkpoint(made / "plain.safetensors", tiny_model(), TINY, {"cutoff": "2022-05-27"})
    return made


def sample(folder: Path, out: Path, *flags: str | Path, model: str = "follows") -> int:
    given = [
        "--ckpt",
        folder / f"{model}.safetensors",
        "--steps",
        "2",
        "--n",
        "1",
        "--atoms",
        "beads",
        "--out",
        out,
        *flags,
    ]
    return main([str(flag) for flag in given])


def submission(out: Path) -> dict[str, np.ndarray]:
    return {one.name: one.coords[one.mask] for one in read_labels(out / "submission.csv")}


FORMATS = {
    "FASTA": f">rna x\n{SEQUENCE}\n{HELIX}\n",
    "lower case, comments and a star": f";made\n>rna\n{SEQUENCE.lower()}*\n{HELIX}\n",
    "RNAfold -p": f">rna\n{SEQUENCE}\n{HELIX} ( -5.40)\n{{(((((......)))))}} [ -5.80]\n{HELIX} {{ -5.40 d=1.10}}\n"
    " frequency of mfe structure in ensemble 0.55; ensemble diversity 1.85\n",
    "RNAsubopt": f">rna\n{SEQUENCE}  -540 100\n{HELIX}  -5.40\n{'.' * 18}   0.00\n",
    "Stockholm": f"# STOCKHOLM 1.0\n#=GF ID x\n\nrna {SEQUENCE[:9]}\n#=GC SS_cons <<<<<<...\n\n"
    f"rna {SEQUENCE[9:]}\n#=GC SS_cons ...>>>>>>\n//\n",
    "ct": "18 dG = -5.4 rna\n"
    + "".join(
        f"{i} {base} {i - 1} {(i + 1) % 19} {19 - i if HELIX[i - 1] != '.' else 0} {i}\n"
        for i, base in enumerate(SEQUENCE, 1)
    ),
    "bpseq": "# made\n"
    + "".join(f"{i} {base} {19 - i if HELIX[i - 1] != '.' else 0}\n" for i, base in enumerate(SEQUENCE, 1)),
    "dot-bracket": f"{SEQUENCE}\n{HELIX}\n",
}


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_gives_the_sequence_and_its_structure(kind: str, folder: Path, tmp_path: Path) -> None:
    flags = ("--sequence", SEQUENCE, "--structure", HELIX, "--name", "rna")
    assert sample(folder, tmp_path / "flag", *flags) == 0
    text = FORMATS[kind].encode()
    for name, content in (
        ("rna.txt", text),
        ("rna.gz", gzip.compress(text)),
        ("rna.crlf", text.replace(b"\n", b"\r\n")),
    ):
        path = tmp_path / name.replace(".", "_") / "rna.any"
        path.parent.mkdir()
        path.write_bytes(content)
        assert sample(folder, tmp_path / f"out_{name}", "--fasta", path) == 0
        found = submission(tmp_path / f"out_{name}")
        np.testing.assert_array_equal(found["rna"], submission(tmp_path / "flag")["rna"])


def test_letters_are_pairs_of_a_pseudoknot(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "x.fa").write_text(f">rna\n{SEQUENCE}\n{KNOT}\n")
    assert sample(folder, tmp_path / "letters", "--fasta", tmp_path / "x.fa") == 0
    brackets = KNOT.replace("A", "[").replace("a", "]")
    assert sample(folder, tmp_path / "brackets", "--sequence", SEQUENCE, "--structure", brackets) == 0
    np.testing.assert_array_equal(submission(tmp_path / "letters")["rna"], submission(tmp_path / "brackets")["rna"])


def test_headers_of_rfam(folder: Path, tmp_path: Path) -> None:
    names = ["X99999.1/12-29", "Y00001.2/40-23"]
    (tmp_path / "x.fa").write_text("".join(f">{name} Made-up organism tRNA\n{SEQUENCE}\n" for name in names))
    assert sample(folder, tmp_path / "out", "--fasta", tmp_path / "x.fa", model="plain") == 0
    assert list(submission(tmp_path / "out")) == names
    found = {
        path.parent.name: json.loads(path.read_text())["name"] for path in (tmp_path / "out").glob("*/summary.json")
    }
    assert found == {name.replace("/", "_"): name for name in names}


@pytest.mark.parametrize(
    "record", [">", ">\n", ">b\n", ">b\nGGQ\n", f">b\n{SEQUENCE}\n{HELIX}.\n", f">a\n{SEQUENCE}\n"]
)
def test_one_bad_record_leaves_its_file_and_folder(record: str, folder: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "1.fa").write_text(f">a\n{SEQUENCE}\n{record}")
    (tmp_path / "in" / "2.fa").write_text(f">c\n{SEQUENCE}\n")
    (tmp_path / "in" / "3.doc").write_bytes(b"\xd0\xcf\x11\xe0\0")
    assert sample(folder, tmp_path / "out", "--fasta", tmp_path / "in", model="plain") == 1
    assert list(submission(tmp_path / "out")) == ["a", "c"]
    message = capsys.readouterr().err
    assert "2 records failed:" in message
    assert "1.fa: " in message
    assert "3.doc: line 1: holds a NUL byte: not text" in message


def test_tables_of_ribonanza_and_an_rna_named_na(folder: Path, tmp_path: Path) -> None:
    rows = [f"{name},{SEQUENCE},{experiment}" for name in ("NA", "null") for experiment in ("2A3_MaP", "DMS_MaP")]
    (tmp_path / "x.csv").write_text("\n".join(["sequence_id,sequence,experiment_type", *rows]) + "\n")
    assert sample(folder, tmp_path / "out", "--csv", tmp_path / "x.csv", model="plain") == 0
    assert list(submission(tmp_path / "out")) == ["NA", "null"]


def test_a_missing_sequence_is_not_read_as_letters(folder: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "x.csv").write_text(f"target_id,sequence\na,{SEQUENCE}\nb,nan\n,{SEQUENCE}\n")
    assert sample(folder, tmp_path / "out", "--csv", tmp_path / "x.csv", model="plain") == 1
    assert list(submission(tmp_path / "out")) == ["a"]
    message = capsys.readouterr().err
    assert "x.csv: b: empty sequence" in message
    assert "x.csv: line 4: has no name" in message
