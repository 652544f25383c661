"""The promises to users, one test a row: bad input has a clear end, and nothing is lost."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from rnagen.checkpoints.structure import save_checkpoint
from rnagen.cli.main import main
from rnagen.io.files import write_text
from tests.helpers.outputs import contents
from tests.helpers.rna_files import SEQUENCE, pdb, strand
from tests.helpers.tiny import TINY, tiny_model

Sample = Callable[..., int]


@pytest.fixture(scope="module")
def ckpt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ckpt") / "tiny.safetensors"
    save_checkpoint(path, tiny_model(), TINY, {"cutoff": "2022-05-27"})
    return path


@pytest.fixture
def sample(ckpt: Path, tmp_path: Path) -> Sample:
    """`rnagen sample` with the tiny checkpoint into tmp_path/out."""

    def call(*flags: object, text: str | None = None) -> int:
        given = [
            "sample",
            "--ckpt",
            ckpt,
            "--steps",
            "2",
            "--n",
            "1",
            "--atoms",
            "beads",
            "--out",
            tmp_path / "out",
            *flags,
        ]
        if text is not None:
            given += ["--fasta", tmp_path / "in.fa"]
            (tmp_path / "in.fa").write_text(text)
        return main([str(flag) for flag in given])

    return call


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "in.fa: empty file"), (">a\n", "in.fa: a: empty sequence"), ("no record", "in.fa: has no known format")],
)
def test_nothing_to_read(text: str, words: str, sample: Sample, tmp_path: Path, capsys) -> None:
    assert sample(text=text) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_characters_that_are_no_nucleotide(sample: Sample, capsys) -> None:
    assert sample(text=">a\nGGZGG\n") == 2
    assert "in.fa: a: position 3: 'Z' is not a nucleotide" in capsys.readouterr().err


def test_duplicate_names_and_one_bad_record_among_good_ones(sample: Sample, tmp_path: Path, capsys) -> None:
    assert sample(text=">a\nGGGAAACCC\n>a\nGGGG\n>b\nG-G\n>c\nGGCC\n") == 1
    message = capsys.readouterr().err
    assert "2 records failed:" in message
    assert "in.fa: a: a second record of this name" in message
    assert "in.fa: b: position 2: '-' is not a nucleotide" in message
    rows = (tmp_path / "out" / "submission.csv").read_text().splitlines()[1:]
    assert [row.split("_")[0] for row in rows] == ["a"] * 9 + ["c"] * 4


def test_longer_than_memory_allows(sample: Sample, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr("rnagen.sampling.checks.available_memory", lambda: 1 << 28)
    assert sample(text=f">long\n{'GACU' * 900}\n") == 2
    message = capsys.readouterr().err
    assert "long: 3600 nt need about" in message
    assert "0.2 GiB are free: lower --chunk" in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.unlink(), "no such file"),
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "cannot be read as safetensors (truncated?)"),
        (lambda path: path.with_suffix(".json").write_text("{"), "cannot be parsed as JSON"),
        (lambda path: rewrite(path, embed_dim=48), "shape"),
        (lambda path: rewrite(path, mha_heads=0), "mha_heads"),
        (lambda path: rewrite(path, no_such_option=1), "no such option: no_such_option"),
    ],
)
def test_a_damaged_checkpoint(damage, words: str, sample: Sample, tmp_path: Path, capsys) -> None:
    mine = tmp_path / "mine.safetensors"
    save_checkpoint(mine, tiny_model(), TINY, {"cutoff": "2022-05-27"})
    damage(mine)
    assert sample("--ckpt", mine, text=">a\nGGGAAACCC\n") == 2
    message = capsys.readouterr().err
    assert "mine." in message
    assert words in message
    assert message.count("\n") == 1
    assert not (tmp_path / "out").exists()


def rewrite(path: Path, **options: object) -> None:
    described = json.loads(path.with_suffix(".json").read_text())
    described["config"].update(options)
    path.with_suffix(".json").write_text(json.dumps(described))


def test_structure_files_that_cannot_be_used(tmp_path: Path, capsys) -> None:
    files = {"good.pdb": pdb(strand(SEQUENCE)), "cut.pdb": pdb(strand(SEQUENCE))[:400], "no_rna.pdb": "ATOM" + " " * 70}
    files |= {"empty.cif": "data_x\n_cell.length_a 1\n"}
    for name, text in files.items():
        write_text(tmp_path / "in" / name, text)
    arguments = ["prepare", str(tmp_path / "in"), "--out", str(tmp_path / "data"), "--workers", "1"]
    assert main(arguments) == 0
    assert "3 skipped" in capsys.readouterr().out
    table = (tmp_path / "data" / "skipped.csv").read_text()
    assert all(f"\n{name}," in table for name in ("cut.pdb", "no_rna.pdb", "empty.cif"))
    assert main([*arguments, "--strict"]) == 1


def test_an_interrupted_run_goes_on(sample: Sample, tmp_path: Path, monkeypatch, capsys) -> None:
    text = ">a\nGGGAAACCC\n>b\nGGGGAAACCCC\n"
    assert sample("--out", tmp_path / "whole", text=text) == 0
    with monkeypatch.context() as patch:
        patch.setattr("rnagen.sampling.run.summarize", lambda *given: (_ for _ in ()).throw(KeyboardInterrupt))
        assert sample(text=text) == 130
    assert sample(text=text) == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_folder_of_another_run(sample: Sample, tmp_path: Path, capsys) -> None:
    assert sample(text=">a\nGGGAAACCC\n") == 0
    before = contents(tmp_path / "out")
    assert sample("--seed", "7", text=">a\nGGGAAACCC\n") == 2
    assert "seed: 0 there, 7 now" in capsys.readouterr().err
    assert contents(tmp_path / "out") == before


def test_coordinates_that_explode_are_never_written(sample: Sample, tmp_path: Path, monkeypatch, capsys) -> None:
    import torch

    from rnagen.model.model import RNAFlowModel

    monkeypatch.setattr(RNAFlowModel, "forward", lambda self, x, *given: torch.full_like(x, float("nan")))
    assert sample(text=">a\nGGGAAACCC\n") == 1
    assert "sampling: a: " in capsys.readouterr().err
    assert not (tmp_path / "out" / "submission.csv").exists()
    assert not (tmp_path / "out" / "a").exists()
