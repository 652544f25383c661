"""The walk-throughs in examples/ run from their first line to their last, on small inputs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from rnagen.io.kaggle import write_labels
from rnagen.io.write import write_structure
from rnagen.preparation.synthetic import synthetic_rna
from tests.helpers.commands import ROOT
from tests.helpers.tiny import TINY_FLAGS

EXAMPLES = ROOT / "examples"


def run(name: str, *arguments: Path, flags: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "FLAGS": flags, "OMP_NUM_THREADS": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = ["bash", str(EXAMPLES / name), *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, cwd=arguments[-1].parent
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def test_each_example_is_run_here_and_can_be_started() -> None:
    tested = Path(__file__).read_text()
    for example in EXAMPLES.glob("*.sh"):
        assert f'"{example.name}"' in tested, example.name
        assert example.stat().st_mode & 0o111, example.name


@pytest.mark.parametrize("name", ["competition.sh", "research.sh"])
def test_without_arguments_there_is_a_usage_line(name: str, tmp_path: Path) -> None:
    done = subprocess.run(["bash", str(EXAMPLES / name)], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"usage: examples/{name} ")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("ckpt", ["informed", "base"])
def test_structural_biology(tmp_path: Path, ckpt: str) -> None:
    rnas = tmp_path / "rnas.fasta"
    rnas.write_text(">one\nGGGGCUUCGGCCCC\n>two\nGGCGAAAGCC\n")
    printed = run("biology.sh", rnas, tmp_path / "out", flags=f"--steps 2 --ckpt {ckpt}")
    (scores,) = [line for line in printed.splitlines() if line.startswith("one predicted TM-scores: ")]
    summary = json.loads((tmp_path / "out/structures/one/summary.json").read_text())
    known = [one["predicted_tm"] for one in summary["conformers"]]
    assert scores.split(": ")[1] == ", ".join("none" if tm is None else f"{tm:.2f}" for tm in known)
    assert (tmp_path / "out/structures/two/conformer_5.pdb").is_file()
    assert (tmp_path / "out/mapping/reactivity.csv").is_file()


@pytest.mark.slow
def test_the_competition(tmp_path: Path) -> None:
    rnas = [synthetic_rna(seed, 24 + seed) for seed in range(2)]
    write_labels(tmp_path / "labels.csv", rnas)
    rows = "".join(f"{rna.name},{rna.sequence}\n" for rna in rnas)
    (tmp_path / "sequences.csv").write_text("target_id,sequence\n" + rows)
    run(
        *("competition.sh", tmp_path / "sequences.csv", tmp_path / "labels.csv", tmp_path / "out"),
        flags="--steps 2",
    )
    submission = pd.read_csv(tmp_path / "out/submission.csv")
    assert len(submission) == sum(len(rna.sequence) for rna in rnas)
    assert {f"{axis}_{slot}" for axis in "xyz" for slot in range(1, 6)} <= set(submission.columns)
    assert len(pd.read_csv(tmp_path / "out/plain.csv")) == 2


@pytest.mark.slow
def test_research(tmp_path: Path) -> None:
    for seed in range(6):
        write_structure(synthetic_rna(seed, 24 + 4 * seed), tmp_path / "structures" / f"mine{seed}.cif")
    flags = " ".join([*TINY_FLAGS, "--epochs 1 --val-epoch-freq 1 --train-batches 1 --val-repeat 1"])
    printed = run("research.sh", tmp_path / "structures", tmp_path / "out", flags=flags)
    assert "4 runs of 2 settings; they differ in: path_type" in printed
    assert "| path_type GVP | tm_best1 | " in printed
    assert (tmp_path / "out/curves.svg").is_file()
    assert (tmp_path / "out/conformers/rna/conformer_2.cif").is_file()
