"""Trainings on several nodes, which two launchers on one machine stand for: they train as one, or are refused."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.helpers.training import FAST, assert_same, weights

pytestmark = pytest.mark.long
ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def launched(nodes: int, processes: int, folder: Path, flags: list[str | Path], environment: dict) -> list[str]:
    """What the launchers of all nodes have printed, after they have ended; with `FAILED` where one has failed."""
    shared = ["--nnodes", nodes, "--nproc-per-node", processes, "--master-addr", "127.0.0.1"]
    shared += ["--master-port", free_port()]
    command = [ROOT / "train.py", *FAST, "--run-dir", folder, *flags]
    running = [
        subprocess.Popen(
            [
                str(word)
                for word in (sys.executable, "-m", "torch.distributed.run", *shared, "--node-rank", k, *command)
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )
        for k in range(nodes)
    ]
    return [f"{process.communicate()[0]}{'FAILED' * bool(process.returncode)}" for process in running]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:

    return {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(ROOT)}


def test_two_nodes_train_as_one_process_and_go_on(dated: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    shared = ["--train-batches", "2", "--data", dated / "data", "--splits", dated, "--val-batches", "1"]
    alone = [sys.executable, ROOT / "train.py", *FAST, "--run-dir", tmp_path, *shared]
    several = [*shared, "--run-name", "two", "--batch-size", "2", "--num-nodes", "2"]
    first, second = launched(2, 1, tmp_path, [*several, "--epochs", "1"], environment)
    assert f"finished: {tmp_path / 'two'}" in first
    assert "steps" not in second, "one of them tells for all"
    state = tmp_path / "two" / "last.ckpt"
    resumed = launched(2, 1, tmp_path, [*several, "--epochs", "2", "--ckpt", state], environment)
    assert "FAILED" not in "".join(resumed), resumed
    one = ["--run-name", "one", "--batch-size", "4", "--epochs", "2"]
    subprocess.run([str(word) for word in (*alone, *one)], env=environment, check=True)
    assert_same(weights(tmp_path / "one"), weights(tmp_path / "two"), rtol=1e-3, atol=1e-4)
    assert torch.load(state, weights_only=True)["global_step"] == 4
    records = [json.loads(line)["step"] for line in (tmp_path / "two" / "metrics.jsonl").read_text().splitlines()]
    assert records == [2, 4]
    # One for each command, not for each process.
    assert sorted(path.name for path in (tmp_path / "two" / "log").iterdir()) == ["version_0", "version_1"]


def test_two_nodes_of_two_processes_train_as_one(dated: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    shared = ["--train-batches", "2", "--data", dated / "data", "--splits", dated, "--no-validate", "--epochs", "1"]
    flags = [*shared, "--batch-size", "1", "--devices", "auto", "--num-nodes", "2"]
    printed = launched(2, 2, tmp_path, [*flags, "--run-name", "four"], environment)
    assert "FAILED" not in "".join(printed), printed
    alone = [sys.executable, ROOT / "train.py", *FAST, "--run-dir", tmp_path, *shared]
    subprocess.run([str(w) for w in (*alone, "--run-name", "one", "--batch-size", "4")], env=environment, check=True)
    assert_same(weights(tmp_path / "one"), weights(tmp_path / "four"), rtol=1e-3, atol=1e-4)


def test_launchers_that_the_options_do_not_know_of_are_refused(dated: Path, tmp_path: Path, environment) -> None:
    flags = ["--data", dated / "data", "--splits", dated, "--epochs", "1"]
    for printed in launched(2, 1, tmp_path / "runs", flags, environment):
        assert "a launcher (torchrun, srun) has started 1 on each of 2 nodes: give --devices 1 --num-nodes 2" in printed
    assert not (tmp_path / "runs").exists()
