"""The programs of runs/bare_gpu, each once, with a tiny model on the CPU."""

import gzip
import json
import math
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from rnagen.cli.main import main
from rnagen.data.dataset import Dataset, write_dataset
from rnagen.preparation.synthetic import synthetic_dataset
from rnagen.secondary.vienna import mfe_pairs
from rnagen.structure import BEADS, UNPAIRED
from tests.helpers.commands import ROOT

pytestmark = pytest.mark.slow

FOLDER = ROOT / "runs" / "bare_gpu"
MODULES = ("compact", "mutations", "checks", "pack", "trainer", "variants")
OPTIONS = "{embed_dim: 32, pair_dim: 8, trunk_layers: 1, num_layers: 2, mha_heads: 4, copies: 2, compile: false}"


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The programs import one another by name, as scripts do."""
    monkeypatch.syspath_prepend(str(FOLDER))
    yield
    for name in MODULES:
        sys.modules.pop(name, None)


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch):
    def run(name: str, *arguments: str | Path) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", [name, *map(str, arguments)])
            runpy.run_path(str(FOLDER / name), run_name="__main__")

    return run


def tables(sequence: str) -> np.ndarray:
    """Pair tables from the secondary structure of a synthetic RNA, whose beads alone show no base pairs."""
    table = np.full((len(sequence), 2), UNPAIRED, np.int16)
    for i, j in mfe_pairs(sequence):
        table[[i, j]] = [[j, j], [i, i]]
    return table


@pytest.fixture
def beads(tmp_path: Path) -> Path:
    """A file like those of `rnagen prepare --beads`: nine training and two validation chains, and a synthetic one."""
    synthetic_dataset(tmp_path / "data", 12, seed=4)
    whole = Dataset.open(tmp_path / "data")
    chains = whole.chains.select(list(range(12)), BEADS)
    splits = ["train"] * 9 + ["val"] * 2 + ["synthetic"]
    infos = [
        replace(info, split=split, release_date="2020-01-01", cluster=row)
        for row, (info, split) in enumerate(zip(chains.infos, splits))
    ]
    paired = (replace(chain, pair_tables=tables(chain.sequence)) for chain in chains.chains())
    write_dataset(tmp_path / "beads.safetensors", BEADS, infos, paired, whole.viennarna)
    return tmp_path / "beads.safetensors"


def test_near_sequences_share_words() -> None:
    from mutations import is_near, words  # type: ignore[import-not-found]

    other = "GGGAAACUCGAUGCCGUAUCCAGGCAUUAGC"
    assert is_near(other[5:25], [words(other)])
    assert not is_near(other[::-1], [words(other)])
    assert not is_near(other[:9], [words(other)]), "too short for a word"
    assert not is_near(other, [])


def test_from_dataset_to_conformers(call, beads: Path, tmp_path: Path) -> None:
    from compact import read_compact  # type: ignore[import-not-found]

    compact, variants, out = tmp_path / "compact.xz", tmp_path / "variants.safetensors", tmp_path / "out"
    call("compact.py", beads, compact)
    before, after = Dataset.open(beads), read_compact(compact, "2022-05-27", BEADS)
    assert (len(after.train), len(after.val), len(after.synthetic)) == (9, 2, 0)
    assert after.fingerprint == before.fingerprint
    for old, new in zip(before.chains.chains(), after.train.chains() + after.val.chains()):
        assert old.name == new.name
        np.testing.assert_array_equal(old.pair_tables, new.pair_tables)
        shift = old.coords - new.coords
        assert np.ptp(shift[old.mask], axis=0).max() <= 1 / 64 + 1e-4

    sequence = after.train.sequence(0)
    (tmp_path / "msa").mkdir()
    row = ("G" if sequence[0] != "G" else "A") + sequence[1:-1] + "-"
    with gzip.open(tmp_path / "msa" / "one.fasta.gz", "wt") as file:
        file.write(f">query\n{sequence}\n>row\n{row}\n")
    never = ROOT / "splits" / "casp15.csv"
    call("variants.py", compact, tmp_path / "msa", variants, "--rounds", "3", "--never", never)
    made = Dataset.open(variants).chains
    assert {name.rsplit("/", 2)[0] for name in made.names} == set(after.train.names)
    assert any(name.endswith("/0") for name in made.names), "no domain"
    for name, length in zip(made.names, made.lengths.tolist()):
        parent, start, number = name.rsplit("/", 2)
        old, new = after.train.chain(after.train.rows[parent]), made.chain(made.rows[name])
        stretch = slice(int(start), int(start) + length)
        np.testing.assert_array_equal(old.coords[: len(new.coords), stretch], new.coords)
        assert (new.sequence == old.sequence[stretch]) == (number == "0"), name
        assert len(new.pairs.pairs) == 0 or new.pairs.pairs.max() < length

    call("variants.py", beads, tmp_path / "msa", tmp_path / "again", "--rounds", "3", "--never", never)
    assert Dataset.open(tmp_path / "again").chains.names == made.names, "of the dataset itself"

    (tmp_path / "tiny.yaml").write_text("\n".join(OPTIONS.strip("{}").split(", ")))
    flags = ("--device", "cpu", "--batch", "0.05", "--steps", "5", "--config", tmp_path / "tiny.yaml", "--out", out)
    call("train.py", compact, "--variants", variants, *flags)
    last = json.loads((out / "run.json").read_text())["log"][-1]
    assert last["step"] == 5
    assert not last["skipped"]
    assert all(math.isfinite(last[name]) for name in ("loss", "train/flow", "val/lddt"))

    pack = tmp_path / "pack.tar"
    call("pack.py", compact, pack, "--variants", variants)
    recipe = [ROOT / "runs" / "bare_gpu.sh", pack, "1", "--device", "cpu", "--batch", "0.05", "--steps", "5"]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    recipe += ["--config", tmp_path / "tiny.yaml", "--out", tmp_path / "gpu"]
    subprocess.run(list(map(str, recipe)), env=environment, check=True)
    assert json.loads((tmp_path / "gpu" / "run.json").read_text())["weights"][-1]["step"] == 5

    call("join.py", out, tmp_path / "joined")
    joined = sorted(path.name for path in (tmp_path / "joined").glob("*.safetensors"))
    assert joined == ["w100.safetensors", "w60.safetensors", "w80.safetensors"]
    weights = load_file(tmp_path / "joined" / "w60.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.float16}
    (tmp_path / "one.fasta").write_text(f">one\n{sequence}\n")
    inputs = ["--fasta", tmp_path / "one.fasta", "--ckpt", tmp_path / "joined" / "w60.safetensors"]
    assert main(["sample", *map(str, inputs), "--out", str(tmp_path / "sampled"), "--n", "1", "--steps", "2"]) == 0
    assert (tmp_path / "sampled" / "one" / "conformer_1.cif").is_file()
