"""The jobs of examples/slurm: their commands exist, and do what they say where the words of SLURM are given."""

import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from rnagen.checkpoints.structure import save_checkpoint
from tests.helpers.commands import lines_of, parse_only, python_calls
from tests.helpers.tiny import TINY, tiny_model

ROOT = Path(__file__).parents[2]
JOBS = sorted((ROOT / "examples" / "slurm").glob("*.sbatch"))
SRUN = '#!/bin/sh\nwhile case "$1" in -*) true;; *) false;; esac; do shift; done\nexec "$@"\n'
"""An srun that runs the command once, here."""


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_a_job_is_a_shell_script(job: Path) -> None:
    subprocess.run(["bash", "-n", job], check=True)
    assert os.access(job, os.X_OK)


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_the_commands_of_a_job_parse(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled = job.read_text().replace('"${nodes[@]}"', "--num-nodes 2").replace("$name", "base")
    filled = filled.replace("srun ", "").replace("$address", "tcp://host:8786")
    calls = [call for line in lines_of(filled) for call in python_calls(line)]
    assert calls
    for call in calls:
        parse_only(call, monkeypatch)


@pytest.fixture
def submitted(tmp_path: Path) -> dict[str, str]:
    """The environment of a job that was submitted in a folder with rnagen, two RNAs and a small model."""
    save_checkpoint(tmp_path / "tiny.safetensors", tiny_model(), TINY, {"cutoff": "2022-05-27"})
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "3.fasta").write_text(">one\nGGGAAACCC\n>two\nGGGCUUCGGCCC\n")
    bin_folder = tmp_path / ".venv" / "bin"
    bin_folder.mkdir(parents=True)
    (bin_folder / "srun").write_text(SRUN)
    rnagen = f"{shlex.quote(sys.executable)} -m rnagen.cli.main"
    small = f"--ckpt {tmp_path / 'tiny.safetensors'} --steps 2 --templates none --device cpu"
    (bin_folder / "rnagen").write_text(f'#!/bin/sh\nexec {rnagen} "$@" {small}\n')
    (bin_folder / "dask").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m dask "$@"\n')
    for script in bin_folder.iterdir():
        script.chmod(0o755)
    (bin_folder / "activate").write_text(f"export PATH={bin_folder}:$PATH\n")
    slurm = {"SLURM_SUBMIT_DIR": str(tmp_path), "SLURM_CPUS_PER_TASK": "1", "SLURM_ARRAY_TASK_ID": "3"}
    return {**os.environ, "PYTHONPATH": str(ROOT), **slurm}


@pytest.mark.slow
def test_a_task_of_the_array_samples_its_part(submitted: dict[str, str], tmp_path: Path) -> None:
    subprocess.run([ROOT / "examples/slurm/sample_array.sbatch"], env=submitted, check=True)
    assert {path.parent.name for path in (tmp_path / "out/part_3").glob("*/summary.json")} == {"one", "two"}


@pytest.mark.slow
def test_the_job_with_workers_samples_and_leaves_no_process(submitted: dict[str, str], tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    own = {"FASTA": "parts/3.fasta", "OUT": "out/all", "PORT": str(port)}
    subprocess.run([ROOT / "examples/slurm/sample_cluster.sbatch"], env={**submitted, **own}, check=True, timeout=500)
    assert {path.parent.name for path in (tmp_path / "out/all").glob("*/summary.json")} == {"one", "two"}
    with socket.socket() as caller:
        assert caller.connect_ex((socket.gethostname(), port)), "the scheduler is still there"
